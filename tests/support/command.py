"""The command `gate` as a child process, the way it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gate.model.reasons import REASONS
from tests.support.installation import PASSWORD, Installation


def gate_command(*arguments: str) -> list[str]:
    """Return the argv of the command in this environment."""
    # -P: a folder `gate` where it is started must not be taken for the package.
    return [sys.executable, "-P", "-m", "gate.cli.main", *arguments]


def run_gate(
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
    file_limit_bytes: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; `environment` is added to the little that a program needs.

    `file_limit_bytes` is the size over which no file of the command may grow.
    """
    limit = ["prlimit", f"--fsize={file_limit_bytes}", "--"] if file_limit_bytes is not None else []
    return subprocess.run(
        [*limit, *gate_command(*arguments)],
        cwd=cwd,
        env={**_least(cwd, measured=file_limit_bytes is None), **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _least(cwd: Path, *, measured: bool) -> dict[str, str]:
    # What measures coverage writes files too, and would break at a limit that is meant for the command.
    coverage = {name: value for name, value in os.environ.items() if measured and name.startswith("COV")}
    return {
        "HOME": str(cwd),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GATE_KEY_PASSWORD": PASSWORD,
        **coverage,
    }


def places_of(installed: Installation, own: Path) -> list[str]:
    """Return the options that lead the command to the installation of the tests, with a record of its own."""
    return [
        f"--cache-dir={installed.root / 'cache'}",
        f"--tools-dir={installed.tools}",
        f"--db-dir={installed.databases}",
        f"--record={own / 'record.db'}",
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended: its exit code, and each line that begins with a reason code, on either stream."""

    exit_code: int
    codes: list[str]
    stdout: str
    stderr: str


def told_by(exit_code: int, stdout: str, stderr: str) -> Told:
    """Read what a command said, and see that no traceback is in it."""
    assert "Traceback" not in stdout + stderr
    words = [line.removeprefix("gate: ").split() for line in (stdout + stderr).splitlines()]
    codes = [line[0] for line in words if line and line[0] in REASONS]
    return Told(exit_code, codes, stdout, stderr)
