"""The page that a run writes: the machine, what was aimed at, what was seen, and what the numbers do not say."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.model.version import VERSION
from tools.build import read_recipes

if TYPE_CHECKING:
    from bench.measures import Line

PAGE: Final = Path(__file__).parent / "README.md"
NOTES: Final = Path(__file__).parent / "notes.md"
_HEAD: Final = """\
# Benchmarks

<!-- Written by `make bench`; the remarks at the end stand in notes.md. -->

Each number is a median; ratios are medians of ratios within one round, in which the contestants ran next to each other, so
that what disturbs the machine disturbs both. How each is measured stands in the modules beside this page.
"""


def render(sections: Mapping[str, Sequence[Line]], rounds: int) -> str:
    """Return the whole page."""
    parts = [_HEAD, *(_machine(rounds),)]
    parts += [f"## {title}\n\n{_table(lines)}\n" for title, lines in sections.items()]
    return "\n".join([*parts, NOTES.read_text(encoding="utf-8")])


def text_of(line: Line) -> tuple[str, str, str]:
    """Return what was measured, what was seen and what was aimed at, as words."""
    form = "{:.0f}" if line.unit == "MB" else "{:.2f}"
    aim = "" if line.aim is None else f"at most {form.format(line.aim)} {line.unit}".rstrip()
    missed = ", missed" if line.missed else ""
    return line.what, f"{form.format(line.seen)} {line.unit}".rstrip(), aim + missed


def _table(lines: Iterable[Line]) -> str:
    rows = [" | ".join(text_of(line)) for line in lines]
    return "\n".join(["| what | seen | aim |", "|---|---|---|", *(f"| {row} |" for row in rows)])


def _machine(rounds: int) -> str:
    recipes = read_recipes()
    tools = ", ".join(f"{name} {recipes[name].version}" for name in ("trivy", "grype", "cosign", "olareg"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB,"
        f" {platform.system()}, Python {platform.python_version()}; gate {VERSION}, {tools};"
        f" {rounds} rounds. Load of the machine at the end (1, 5, 15 minutes): {load}.\n"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
