"""The command: `python -m bench [--rounds N]`; prints each line as it is measured and writes `bench/README.md`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import measures
from bench.measures import Line
from bench.page import PAGE, render, text_of
from bench.references import references
from bench.searching import searching
from bench.shop import SIZES_MB, Shop, open_shop
from bench.timing import BenchError
from bench.verification import verification
from tools.build import BuildError
from tools.demo.registry import RegistryStartError
from tools.images.parts import PartError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything; give 0 also where an aim was missed, for the page says so."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of each comparison (default: 7)")
    rounds = parser.parse_args(arguments).rounds
    try:
        with tempfile.TemporaryDirectory(prefix="gate-bench-") as folder, open_shop(Path(folder)) as shop:
            sections = dict(_sections(shop, rounds))
    except (BenchError, BuildError, PartError, RegistryStartError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    PAGE.write_text(render(sections, rounds), encoding="utf-8")
    print(f"bench: wrote {PAGE}")
    return 0


def _sections(shop: Shop, rounds: int) -> list[tuple[str, list[Line]]]:
    planned: list[tuple[str, Callable[[], list[Line]]]] = [
        # First, while there is one verdict.
        ("The deploy stage", lambda: measures.deploy(shop, rounds)),
        (f"A first check of an image of {SIZES_MB[0]} MB", lambda: measures.first_check(shop, rounds)),
        ("The same digest again", lambda: measures.same_again(shop, rounds)),
        ("Verifications of signatures on one core", lambda: verification(shop, rounds)),
        ("The search for secrets", lambda: searching(shop, rounds)),
        ("References of a repository", lambda: references(shop, rounds)),
        ("Memory", lambda: measures.memory(shop)),
    ]
    return [(title, _said(title, measure())) for title, measure in planned]


def _said(title: str, lines: list[Line]) -> list[Line]:
    print(f"bench: {title}")
    for line in lines:
        what, seen, aim = text_of(line)
        print(f"  {what:<80} {seen:>9}  {aim}", flush=True)
    return lines


if __name__ == "__main__":
    sys.exit(main())
