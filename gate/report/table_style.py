"""The one form that all tables of a report have."""

from __future__ import annotations

from typing import Final

from rich.table import Table
from rich.text import Text

_WHOLE: Final = frozenset({"vulnerability", "severity", "waiver", "layer", "code", "outcome", "refuses"})
# GHSA ids have 19 characters, CVE ids at most 20 so far.
_MOST_WHOLE: Final = 28


def plain_table(*columns: str) -> Table:
    """Return a table without a frame: it can be copied, and its rows begin with spaces, never with foreign text alone."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="bright_black")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def keep_whole(table: Table) -> Table:
    """Return the table with what people copy unbroken: other columns are folded instead; ids longer than any real one too."""
    for column in table.columns:
        longest = max((len(cell.plain) for cell in column.cells if isinstance(cell, Text)), default=0)
        column.no_wrap = str(column.header) in _WHOLE and longest <= _MOST_WHOLE
    return table
