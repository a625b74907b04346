"""The one form that all tables of a report have."""

from __future__ import annotations

from rich.table import Table


def plain_table(*columns: str) -> Table:
    """Give a table without a frame: it can be copied, and its rows begin with spaces, never with foreign text alone."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False, header_style="bright_black")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
