"""`gate refs --verify`: a pinned image must also have a valid verdict under a requirement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gate.cli.main import cli
from tests.integration.conftest import Shop
from tests.support.admission import requirement

pytestmark = pytest.mark.real_tools


@pytest.mark.parametrize(("name", "code"), [("good", None), ("bad", "ATT_VERDICT_FAIL"), ("unjudged", "ATT_MISSING")])
def test_a_pinned_image_needs_a_passing_verdict(
    shop: Shop, good: str, bad: str, name: str, code: str | None, tmp_path: Path
) -> None:
    demand = tmp_path / "requirement.yaml"
    demand.write_text(requirement(shop.installed, f"{shop.registry.host}/**"), encoding="utf-8")
    image = {"good": good, "bad": bad, "unjudged": shop.reference("clean", "refs/unjudged")}[name]
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nFROM {image}\n", encoding="utf-8")
    assert CliRunner().invoke(cli, ["refs", str(tmp_path)]).exit_code == 0
    result = CliRunner().invoke(cli, ["refs", str(tmp_path), "--verify", "--requirement", str(demand), "-f", "json"])
    assert [row["code"] for row in json.loads(result.stdout)["references"]] == [code] * 2
    assert result.exit_code == (1 if code else 0)


def test_a_registry_that_does_not_answer_is_no_refusal_of_the_image(shop: Shop, good: str, tmp_path: Path) -> None:
    demand = tmp_path / "requirement.yaml"
    demand.write_text(requirement(shop.installed, "127.0.0.1:9/**"), encoding="utf-8")
    gone = good.replace(shop.registry.host, "127.0.0.1:9")
    (tmp_path / "Dockerfile").write_text(f"FROM {gone}\n", encoding="utf-8")
    options = ["refs", str(tmp_path), "--verify", "--requirement", str(demand), "--timeout", "3s"]
    result = CliRunner().invoke(cli, options)
    assert result.exit_code == 3
    assert "REG_UNREACHABLE" in result.stderr
