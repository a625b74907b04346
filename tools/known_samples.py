"""Collect the private keys that public packages ship, as entries of the list of known secrets.

    python -m tools.known_samples deb:python3-twisted pypi:paramiko npm:https-proxy-agent

Everybody who installs such a package has these keys. Only what is certain is listed, by the digest of the value and never by a
path, with the package and version that it was found in and the day; what the list has already is left out. The lines are put
into `policies/secrets/samples.txt`, in the order of their packages. Which packages of Debian ship files that are called as keys
are is told by the archive's own index: `apt-file search --package-only --regexp '[.](key|pem|p12|jks)$'`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gate.model.finding import Confidence
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_known
from gate.secrets.budget import Budget
from gate.secrets.known import MIN_VALUE_BYTES, value_digest
from gate.secrets.search import Search

if TYPE_CHECKING:
    from gate.secrets.hit import Hit
    from gate.secrets.rule_set import RuleSet

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "policies/secrets/samples.txt"
_HEAD = """\
# Keys that public packages ship to everybody: SHA-256 of the value (of a PEM block its letters alone), day, registry, package.
# Collected by `python -m tools.known_samples`; the list with reasons is known.yaml. Specification: docs/secret-rules.md.
"""


def fetch(source: str, folder: Path) -> list[Path]:
    """Fetch a package from its registry by the ordinary client, and return its archives."""
    kind, _, name = source.partition(":")
    commands = {
        "deb": ["apt-get", "download", name],
        "npm": ["npm", "pack", "--silent", name],
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", name],
    }
    if kind not in commands:
        raise SystemExit(f"{source}: expected deb:NAME, npm:NAME or pypi:NAME")
    subprocess.run(commands[kind], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return sorted(path for path in folder.iterdir() if path.is_file())


@cache
def _rules() -> RuleSet:
    return load_rule_set((), None)


def certain_values(archive: Path) -> Iterator[Hit]:
    """Yield what is certain in an archive and is not known yet, each value once."""
    hits: list[Hit] = []
    search = Search(_rules(), Budget(), hits.append, lambda where, reason: None)  # noqa: ARG005 - a harvest
    content = archive.read_bytes()
    file = search.begin(archive.name, len(content))
    file.feed(memoryview(content))
    file.finish()
    known = shipped_known()
    seen: set[bytes] = set()
    for hit in hits:
        is_new = hit.value not in seen and len(hit.value) >= MIN_VALUE_BYTES and not known.holds(hit)
        if hit.confidence is Confidence.CERTAIN and is_new:
            seen.add(hit.value)
            yield hit


def merged(content: str, lines: Iterable[str]) -> str:
    """Return the file of samples with more lines: each digest once, in the order of their packages."""
    kept = {line.split(" ", 1)[0]: line for line in (*lines, *content.splitlines()) if line and line[0] != "#"}
    ordered = sorted(kept.values(), key=lambda line: (line.split(" ", 2)[2], line))
    return _HEAD + "".join(f"{line}\n" for line in ordered)


def main(arguments: Sequence[str] | None = None) -> int:
    """Add the keys of the named packages to the file of samples."""
    parser = argparse.ArgumentParser(prog="python -m tools.known_samples", description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", metavar="deb:NAME|npm:NAME|pypi:NAME")
    day = datetime.now(UTC).date()
    for source in parser.parse_args(arguments).packages:
        with tempfile.TemporaryDirectory() as name:
            archives = fetch(source, Path(name))
            kind = source.partition(":")[0]
            lines = [
                f"{value_digest(hit.value).hex} {day} {kind} {archive.name}"
                for archive in archives
                for hit in certain_values(archive)
            ]
        before = SAMPLES.read_text(encoding="utf-8") if SAMPLES.exists() else ""
        SAMPLES.write_text(merged(before, lines), encoding="utf-8")
        print(f"{source}: {len(lines)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
