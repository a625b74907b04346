"""The command `gate` as a child process, the way it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.installation import PASSWORD, Installation


def gate_command(*arguments: str) -> list[str]:
    """Give the argv of the command in this environment."""
    return [sys.executable, "-m", "gate.cli.main", *arguments]


def run_gate(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; `environment` is added to the little that a program needs."""
    return subprocess.run(
        gate_command(*arguments),
        cwd=cwd,
        env={**_least(cwd), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _least(cwd: Path) -> dict[str, str]:
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {
        "HOME": str(cwd),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GATE_KEY_PASSWORD": PASSWORD,
        **coverage,
    }


def places_of(installed: Installation, own: Path) -> list[str]:
    """Give the options that lead the command to the installation of the tests, with a record of its own."""
    return [
        f"--cache-dir={installed.root / 'cache'}",
        f"--tools-dir={installed.tools}",
        f"--db-dir={installed.databases}",
        f"--record={own / 'record.db'}",
    ]


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line that says what is wrong, and see that there is no traceback and no other complaint."""
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("gate: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
