"""Collect the private keys that public packages ship, as entries of the list of known secrets.

    python -m tools.known_samples deb:python3-twisted pypi:paramiko npm:https-proxy-agent >>policies/secrets/known.yaml

Everybody who installs such a package has these keys. Only what is certain is listed, by the digest of the value and never by a
path, with the package and version that it was found in and the day. What the list has already is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gate.model.finding import Confidence
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_known
from gate.secrets.budget import Budget
from gate.secrets.known import MIN_VALUE_BYTES, value_digest
from gate.secrets.search import Search

if TYPE_CHECKING:
    from gate.secrets.hit import Hit

_REASON = "key that the package ships to everybody"


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


def certain_values(archive: Path) -> Iterator[Hit]:
    """Yield what is certain in an archive and is not known yet, each value once."""
    hits: list[Hit] = []
    search = Search(load_rule_set((), None), Budget(), hits.append, lambda where, reason: None)  # noqa: ARG005 - a harvest
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print an entry for each key of the named packages."""
    parser = argparse.ArgumentParser(prog="python -m tools.known_samples", description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", metavar="deb:NAME|npm:NAME|pypi:NAME")
    day = datetime.now(UTC).date()
    for source in parser.parse_args(arguments).packages:
        with tempfile.TemporaryDirectory() as name:
            for archive in fetch(source, Path(name)):
                for hit in certain_values(archive):
                    package = f"{source.partition(':')[0]} {archive.name}, collected {day}"
                    print(
                        f"    - value: {value_digest(hit.value)}\n      package: '{package}'\n      reason: '{_REASON}'"
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
