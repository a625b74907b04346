"""The tools that are compared: each gives, for a folder, the files in which it found something.

Only names of files are read from their reports, never a value. A peer that is not here is left out of the table by name.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate.errors import GateError
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_known
from gate.secrets.budget import Budget
from gate.secrets.hit import Hit
from gate.secrets.known import KnownSecrets
from gate.secrets.search import Search

# The ids of Trivy's built-in exemptions by path (pkg/fanal/secret/builtin-allow-rules.go).
_TRIVY_SKIPS = (
    "tests", "examples", "vendor", "usr-dirs", "locale-dir", "markdown", "node.js", "golang", "python", "rubygems",
    "wordpress", "anaconda-log",
)  # fmt: skip
# For one folder: what takes longer is left out of the table by name.
LIMIT_SECONDS = float(os.environ.get("GATE_BENCH_SECONDS", "1800"))
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding: its file, relative to the folder, the rule, and a line where the tool names one."""

    path: str
    rule: str
    place: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool found, and how long it took."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def files(self) -> frozenset[str]:
        """Return the files with at least one finding."""
        return frozenset(finding.path for finding in self.findings)


Peer = Callable[[Path], tuple[Finding, ...]]


def run(peer: Peer, folder: Path) -> Result:
    """Run a tool over a folder."""
    started = time.monotonic()
    findings = peer(folder)
    return Result(findings, time.monotonic() - started)


def gate(folder: Path) -> tuple[Finding, ...]:
    """Search as `gate secrets scan` does, with the shipped rules and the shipped list of what is public."""
    return _gate(folder, shipped_known())


def gate_without_list(folder: Path) -> tuple[Finding, ...]:
    """Search with the shipped rules, and tell what is public, too."""
    return _gate(folder, KnownSecrets())


def _gate(folder: Path, known: KnownSecrets) -> tuple[Finding, ...]:
    found: list[Finding] = []
    current = [""]

    def report(hit: Hit) -> None:
        if not known.holds(hit):
            place = " → ".join((*hit.where.chain, f"line {hit.line}" if hit.line else f"byte {hit.offset}"))
            found.append(Finding(path=current[0], rule=hit.rule, place=place))

    search = Search(load_rule_set((), None), Budget(), report, lambda _where, _reason: None)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        current[0] = path.relative_to(folder).as_posix()
        # The number that keeps the corpus' files apart is no part of their path.
        name = current[0].partition("/")[2] if current[0][:5].isdigit() else current[0]
        content = path.read_bytes()
        if content:
            file = search.begin(name, len(content))
            try:
                for start in range(0, len(content), _PIECE_BYTES):
                    file.feed(memoryview(content)[start : start + _PIECE_BYTES])
                file.finish()
            except GateError as error:
                print(f"gate: {current[0]}: {error.code}")
                search.end()
    return tuple(found)


def trivy(folder: Path) -> tuple[Finding, ...]:
    """Run Trivy's secret scanner as it is."""
    return _trivy(folder, None)


def trivy_without_skips(folder: Path) -> tuple[Finding, ...]:
    """Run Trivy's secret scanner with every exemption by path turned off."""
    with tempfile.TemporaryDirectory() as temporary:
        config = Path(temporary) / "secret.yaml"
        config.write_text(json.dumps({"disable-allow-rules": list(_TRIVY_SKIPS)}), encoding="utf-8")
        return _trivy(folder, config)


def detect_secrets(folder: Path) -> tuple[Finding, ...]:
    """Run `detect-secrets scan --all-files` with all of its plug-ins and filters."""
    command = [_program("detect-secrets"), "scan", "--all-files", "--no-verify", "."]
    report = json.loads(_output(command, folder))
    return tuple(
        Finding(path=path, rule=one["type"], place=f"line {one['line_number']}")
        for path, found in report["results"].items()
        for one in found
    )


def gitleaks(folder: Path) -> tuple[Finding, ...]:
    """Run Gitleaks with archives and encodings, as deep as the gate looks."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "report.json"
        depth = ["--max-archive-depth", "8", "--max-decode-depth", "5"]
        options = ["--no-banner", "--exit-code", "0", "--redact", "--report-format", "json", "--report-path", str(out)]
        _output([_program("gitleaks"), "dir", ".", *depth, *options], folder)
        report: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return tuple(
        Finding(path=one["File"].partition("!")[0], rule=one["RuleID"], place=f"line {one['StartLine']}")
        for one in report
    )


PEERS: dict[str, tuple[str, Peer]] = {
    "gate": ("", gate),
    "Trivy": ("trivy", trivy),
    "Trivy, skips off": ("trivy", trivy_without_skips),
    "detect-secrets": ("detect-secrets", detect_secrets),
    "Gitleaks": ("gitleaks", gitleaks),
}


def present() -> dict[str, Peer]:
    """Return the tools that are here, in the order of the table."""
    return {name: peer for name, (program, peer) in PEERS.items() if not program or _find(program)}


def _trivy(folder: Path, config: Path | None) -> tuple[Finding, ...]:
    command = [_program("trivy"), "fs", "--quiet", "--scanners", "secret", "--format", "json", "--skip-version-check"]
    command += ["--secret-config", str(config) if config else str(folder / "no-configuration.yaml"), "."]
    report = json.loads(_output(command, folder))
    return tuple(
        Finding(path=result["Target"].removeprefix("./"), rule=one["RuleID"], place=f"line {one['StartLine']}")
        for result in report.get("Results") or ()
        for one in result.get("Secrets") or ()
    )


def _find(program: str) -> str | None:
    """Return a peer's path: `GATE_BENCH_TRIVY` and the like, else what PATH names."""
    chosen = os.environ.get(f"GATE_BENCH_{program.replace('-', '_').upper()}")
    return chosen or shutil.which(program)


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not here: put it on PATH")
    return found


def _output(command: list[str], folder: Path) -> bytes:
    done = subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=LIMIT_SECONDS
    )
    return done.stdout
