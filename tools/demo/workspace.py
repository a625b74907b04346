"""Where the demo works, and how it runs commands there: as a user would type them, with an environment that is shown."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from tools.build import ROOT, build, read_recipes, tools_dir

FOLDER: Final = ROOT / ".demo"
# What a user would export once; relative paths are relative to FOLDER, where every command is run.
EXPORTS: Final[Mapping[str, str]] = {
    "GATE_CACHE_DIR": "cache",
    "GATE_DB_DIR": "databases",
    "GATE_KEY_PASSWORD_FILE": "password",
    "GATE_RECORD": "record.db",
}
_KEPT: Final = ("LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR")
# Building a scanner on a slow machine takes longest.
_MOST_SECONDS: Final = 1800.0


class DemoError(Exception):
    """The demo cannot go on; the text says what failed and what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one command did. `report` is the gate's own JSON report of this very run, {} where it wrote none."""

    command: tuple[str, ...]
    exit_code: int
    output: str
    seconds: float
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> frozenset[str]:
        """Return the reason codes of all images and references of the report."""
        found = set()
        for image in self.report.get("images", ()):
            found |= {code for check in image["checks"] for code in check["codes"]}
            found |= {image["error"]["code"]} if "error" in image else set()
        found |= {row["code"] for row in self.report.get("references", ()) if row.get("code")}
        return frozenset(found)


@dataclass(slots=True)
class Workspace:
    """The folder of one run. Numbers its commands: the output of each stays in `output/`, its report in `reports/`."""

    root: Path = FOLDER
    password: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def recreate(self) -> None:
        """Remove what an earlier run left, and make the empty folder."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("bin", "home", "keys", "output", "reports"):
            (self.root / name).mkdir(parents=True)

    def run(self, *command: str, inherited: bool = False) -> Answer:
        """Run a program (`gate`, `cosign`) in the folder and keep what it wrote; its exit code is not judged here.

        `inherited` also gives it the caller's whole environment: a build with Go needs its caches and proxies.
        """
        number = f"{next(self._numbers):02}"
        report = self.root / "reports" / f"{number}.json"
        environment = {**self._environment(), "GATE_OUTPUT": f"json=reports/{report.name}"}
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, **environment, "HOME": str(Path.home())} if inherited else environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_MOST_SECONDS,
        )
        answer = Answer(
            command=command,
            exit_code=done.returncode,
            output=done.stdout.decode("utf-8", "replace"),
            seconds=time.monotonic() - started,
            report=json.loads(report.read_bytes()) if report.exists() else {},
        )
        (self.root / "output" / f"{number}.txt").write_text(answer.output, encoding="utf-8")
        return answer

    def must(self, *command: str, inherited: bool = False) -> Answer:
        """Run a command that the demo needs for what follows; raises DemoError where it does not end with 0."""
        answer = self.run(*command, inherited=inherited)
        if answer.exit_code != 0:
            raise DemoError(f"`{' '.join(command)}` ended with {answer.exit_code}:\n{answer.output}")
        return answer

    def link_programs(self, cosign: Path) -> None:
        """Put `gate` of this checkout's environment and the pinned Cosign first on the demo's PATH."""
        for name, program in (("gate", Path(sys.executable).parent / "gate"), ("cosign", cosign)):
            if not program.exists():
                raise DemoError(f"{program} is not there: run `make demo`, which installs it")
            (self.root / "bin" / name).symlink_to(program)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            **EXPORTS,
            "GATE_TOOLS_DIR": str(scanners_dir()),
            "COSIGN_PASSWORD": self.password,
            # Colour is decided where the demo writes; the commands must not lose theirs on the way there.
            "FORCE_COLOR": "1",
            "HOME": str(self.root / "home"),
            "PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }


def scanners_dir() -> Path:
    """Return where the demo's pinned scanners are kept between runs: outside the checkout, by what they are built from."""
    recipes = read_recipes()
    digests = "".join(recipes[name].digest() for name in ("trivy", "grype"))
    return tools_dir().parent / "scanners" / hashlib.sha256(digests.encode()).hexdigest()[:16]


def built_programs(names: Sequence[str]) -> dict[str, Path]:
    """Return the paths of pinned programs that are no scanners of the gate, built where they are not yet."""
    recipes = read_recipes()
    return {name: build(recipes[name]) for name in names}
