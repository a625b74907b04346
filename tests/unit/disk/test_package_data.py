from __future__ import annotations

import pytest
import yaml

from gate.disk.package_data import data_path
from gate.errors import InternalError


def test_a_shipped_file_is_found() -> None:
    lock = yaml.safe_load(data_path("tools.lock.yaml").read_text(encoding="utf-8"))
    assert data_path(lock["programs"]["trivy"]["build"]["module_dir"]).is_dir()


@pytest.mark.parametrize("name", ["policies/absent.yaml", "../pyproject.toml", "tools/../../x", "/etc/passwd"])
def test_any_other_name_is_a_defect(name: str) -> None:
    with pytest.raises(InternalError) as refused:
        data_path(name)
    assert refused.value.code == "INTERNAL"
    assert refused.value.expected == name
