"""The command: `python -m tools.advisories build --out DIR [--built RFC3339] [--grype FILE] [--trivy-only|--grype-only]`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from tools.advisories import Scanner, build_databases


def main() -> None:
    """Build the databases and say where they are."""
    arguments = _parser().parse_args()
    built = build_databases(arguments.out, arguments.built, arguments.grype, scanners=arguments.scanners)
    print(f"wrote demonstration databases of {built.built:%Y-%m-%dT%H:%M:%SZ} to {built.out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.advisories", description=__doc__)
    build = parser.add_subparsers(required=True).add_parser("build", help="write the databases")
    build.add_argument("--out", type=Path, required=True, help="folder to write to")
    build.add_argument("--built", type=_moment, default=datetime.now(UTC), help="time of build, RFC 3339 (now)")
    build.add_argument("--grype", type=Path, help="Grype's executable: its database is imported too")
    only = build.add_mutually_exclusive_group()
    every = frozenset(Scanner)
    for scanner in Scanner:
        flag = f"--{scanner}-only"
        only.add_argument(flag, dest="scanners", action="store_const", const=frozenset({scanner}), default=every)
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs a time zone, as in 2026-01-02T03:04:05Z")
    return moment


if __name__ == "__main__":
    main()
