"""Setting up a checkout: with the oldest pip that Python 3.11 brings, and again without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT

pytestmark = pytest.mark.slow

# What setting up reads of a checkout.
NEEDED = (
    "requirements",
    "tools",
    "gate",
    "policies",
    "schemas",
    "docs",
    "pyproject.toml",
    "hatch_build.py",
    "tools.lock.yaml",
)
MORE = ("README.md", "LICENSE")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (*NEEDED, *MORE):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    return folder


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing of this environment, and no measuring of what the other checkout runs: it would count as never run.
    for name in list(os.environ):
        if name.startswith(("UV_", "VIRTUAL_ENV", "COV_", "COVERAGE_")):
            monkeypatch.delenv(name)


def set_up(checkout: Path, cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GATE_SETUP_CACHE_DIR": str(cache), "PYTHON": sys.executable, **more}
    return subprocess.run(
        ["bash", "tools/environment.sh"], cwd=checkout, env=environment, check=False, capture_output=True, text=True
    )


def test_the_oldest_pip_sets_up_and_a_second_run_needs_no_network(checkout: Path, tmp_path: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(checkout / ".venv")], check=True)
    old = ["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", "requirements/oldest-pip.txt"]
    subprocess.run([python, *old], cwd=checkout, check=True)
    assert (
        "pip 22.3 "
        in subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, check=True).stdout
    )
    # No package cache of an earlier run may hide a break.
    done = set_up(checkout, tmp_path / "cache", PIP_NO_CACHE_DIR="1")
    assert done.returncode == 0, done.stderr
    version = subprocess.run([checkout / ".venv/bin/gate", "--version"], capture_output=True, check=True, text=True)
    assert version.stdout.startswith("gate")
    (checkout / ".venv" / ".installed").unlink()
    again = set_up(checkout, tmp_path / "cache", UV_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    assert (checkout / ".venv" / ".installed").exists()
