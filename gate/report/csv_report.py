"""Comma-separated values: a row a result, for spreadsheets that must not evaluate it.

Specification: RFC 4180; attack O06 (a cell that begins like a formula gets an apostrophe before it).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from gate.report.escape import visible
from gate.report.lines import cell_text
from gate.report.results import results_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.report.content import Listing, Report

_COLUMNS: Final = (
    "image",
    "decision",
    "level",
    "check",
    "code",
    "rule",
    "severity",
    "package",
    "version",
    "fixed",
    "place",
    "message",
    "excuse",
    "next",
    "fingerprint",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def render_report(report: Report) -> str:
    """Return a row for each result, the worst first; an image without any has one row."""
    results = results_of(report)
    told = {id(result.image) for result in results}
    rows: list[tuple[str, ...]] = [
        (
            result.image.reference,
            result.image.decision.value,
            result.level.name.lower(),
            result.check,
            result.code,
            result.rule,
            result.severity.value if result.severity is not None else "",
            result.package,
            result.version,
            result.fixed,
            result.place,
            result.message,
            result.excuse,
            result.next_step,
            result.fingerprint,
        )
        for result in results
    ]
    rest = len(_COLUMNS) - 2
    rows += [(image.reference, image.decision.value, *[""] * rest) for image in report.images if id(image) not in told]
    return _written(_COLUMNS, rows)


def render_listing(listing: Listing) -> str:
    """Return the rows below the names of their columns."""
    return _written(listing.columns, ([cell_text(cell) for cell in row] for row in listing.rows))


def _written(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return stream.getvalue()


def _cell(value: str) -> str:
    text = visible(value, 4000)
    return f"'{text}" if text.startswith(_FORMULA) else text
