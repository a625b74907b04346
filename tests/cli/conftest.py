"""Run commands the way they are used: through the root, whose `main` is the outermost edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner, Result

from gate.cli.main import cli
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout


class Run(Protocol):
    """Run `gate` with these arguments, in an empty working directory."""

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None, color: bool = False) -> Result: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a runner whose results have standard output and standard error apart."""
    working = tmp_path / "work"
    working.mkdir()
    monkeypatch.chdir(working)

    def invoke(*arguments: str, env: Mapping[str, str] | None = None, color: bool = False) -> Result:
        result = CliRunner().invoke(cli, arguments, env=env, color=color)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.stderr
        return result

    return invoke


@pytest.fixture
def layout(run: Run) -> str:
    """Return a reference to a small layout whose image runs as root: it is refused, with and without scanners."""
    del run
    created = datetime(2026, 1, 1, tzinfo=UTC)
    write_layout(
        Path("image"), image([layer([file("etc/os-release", "ID=none\n")], mtime=0)], ImageConfig(created=created))
    )
    return "oci:image"
