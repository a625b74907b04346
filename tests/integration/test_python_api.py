"""The example of the page about the Python API runs as written, and the page names every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import gate
from tests.support.command import run_gate
from tests.support.installation import PASSWORD
from tests.support.sources import ROOT
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
POLICY = "apiVersion: gate/v1\nkind: Policy\nmetadata: {name: a}\nspec: {image: {user: non-root}}\n"


def prepare(folder: Path, user: str) -> None:
    config = ImageConfig(created=datetime(2026, 1, 1, tzinfo=UTC), user=user)
    write_layout(folder / "image", image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], config))
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    for words in (
        ("keys", "generate", "keys"),
        ("requirement", "init", "--key", "keys/gate.pub", "--policy", "policy.yaml"),
    ):
        made = run_gate(*words, cwd=folder)
        assert made.returncode == 0, made.stderr


def run_example(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(folder), "GATE_KEY_PASSWORD": PASSWORD, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", EXAMPLE], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_example_runs_as_written(tmp_path: Path) -> None:
    prepare(tmp_path, "1000")
    ended = run_example(tmp_path)
    assert ended.returncode == 0, ended.stderr
    judged, admitted = ended.stdout.splitlines()
    assert judged == "passed []"
    assert re.fullmatch(r"sha256:[0-9a-f]{64} sha256:[0-9a-f]{64}", admitted)


def test_an_image_that_is_refused_is_no_admission(tmp_path: Path) -> None:
    prepare(tmp_path, "0")
    ended = run_example(tmp_path)
    assert ended.stdout.splitlines() == ["refused ['image-user']"]
    assert (ended.returncode, "AttestationError" in ended.stderr) == (1, True)


def test_the_page_names_every_public_name_and_each_is_there() -> None:
    named = {
        name for row in PAGE.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert named == set(gate.__all__)
    assert [name for name in gate.__all__ if not hasattr(gate, name)] == []
