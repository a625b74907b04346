"""What needs no table: one line an image, with its decision and what let it in or why it was not judged; a single row.

Written without the terminal's library, because `gate verify` and `gate verify-bundle` stand in front of every deployment
and answer in milliseconds. The codes of colours are those of ECMA-48.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from gate.codec.times import format_duration, format_time
from gate.model.decision import Decision
from gate.report.escape import guard_lines, identifier, visible

if TYPE_CHECKING:
    from datetime import timedelta

    from gate.report.content import Cell, ImageReport, Listing, Report, VerifiedImage

# As wide as a report is where no terminal says otherwise: a file, a pipe, the log of a CI step.
DEFAULT_WIDTH: Final = 120
# Bold green, red, yellow.
_COLORS: Final = {Decision.PASSED: "1;32", Decision.REFUSED: "1;31", Decision.ERROR: "1;33"}
_GREEN, _YELLOW, _GREY = "32", "33", "90"
# Candidates of one code that are named; the JSON report holds all.
_MOST_SET_ASIDE: Final = 3
_KEY_LENGTH: Final = len("sha256:") + 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a terminal wants its text; `width` in columns."""

    width: int = DEFAULT_WIDTH
    color: bool = False


def render_lines(report: Report, style: Style) -> str:
    """Return one line for each image, in the order of the request, and below it what was set aside."""
    lines = (
        line
        for image in report.images
        for line in (
            image_line(image, report.now, style),
            *(_painted(aside, _GREY, style) for aside in set_aside_lines(image)),
        )
    )
    return guard_lines("".join(f"{line}\n" for line in lines))


def render_bare(listing: Listing) -> str:
    """Return the first value of each row, one a line."""
    return guard_lines("".join(f"{identifier(str(row[0]), limit=4096)}\n" for row in listing.rows))


def render_row(listing: Listing, style: Style) -> str:
    """Return a single row, or none, as lines: a digest or a path then stays whole, to be copied; notes follow."""
    width = max(map(len, listing.columns), default=0)
    cells = [
        _painted(f"{column:<{width}}  ", _GREY, style) + _row_cell(column, cell, listing, style)
        for row in listing.rows
        for column, cell in zip(listing.columns, row, strict=True)
    ]
    return guard_lines("".join(f"{line.rstrip()}\n" for line in (*cells, *map(visible, listing.notes))))


def _row_cell(column: str, cell: Cell, listing: Listing, style: Style) -> str:
    text = cell_text(cell)
    return _painted(text, _GREEN if cell == "ok" else _YELLOW, style) if column == listing.state else text


def cell_text(cell: Cell) -> str:
    """Return a value as people read it."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return format_time(cell)
    if isinstance(cell, tuple):
        return visible(", ".join(cell))
    return "" if cell is None else visible(str(cell))


def image_line(image: ImageReport, now: datetime, style: Style) -> str:
    """Return the line of an image that was verified or not judged; of one that was checked, its decision alone."""
    details: tuple[str, ...] = ()
    if image.verified is not None:
        details = _details(image.verified, now)
    elif image.error is not None:
        details = (image.error.code,)
    return headline(image.decision, image.reference, details, style)


def set_aside_lines(image: ImageReport) -> tuple[str, ...]:
    """Return one line for each candidate that does not let the image in; more than a few of one code are counted."""
    counted = Counter(item.code for item in image.set_aside)
    shown: Counter[str] = Counter()
    lines: list[str] = []
    for item in image.set_aside:
        shown[item.code] += 1
        if shown[item.code] <= _MOST_SET_ASIDE:
            lines.append(f"  set aside  {item.code}  {item.place.short}: {visible(item.message)}")
    more = (f"  set aside  {code}  {count - _MOST_SET_ASIDE} more" for code, count in counted.items())
    return (*lines, *(line for line, count in zip(more, counted.values(), strict=True) if count > _MOST_SET_ASIDE))


def headline(decision: Decision, reference: str, details: tuple[str, ...], style: Style) -> str:
    """Return decision, reference (whole: it is copied from here) and details, which may be empty."""
    shown = _painted(decision.value.upper(), _COLORS[decision], style)
    return "  ".join([shown, identifier(reference, limit=4096), *(visible(detail) for detail in details if detail)])


def _painted(text: str, color: str, style: Style) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if style.color and text else text


def _details(found: VerifiedImage, now: datetime) -> tuple[str, ...]:
    moment = found.trusted_time or found.time_verified
    return (
        f"policy {found.policy.short}" if found.policy is not None else "signed",
        f"for {', '.join(found.environments)}" if found.environments else "",
        f"{age(now, moment)} old" if moment is not None else "",
        f"signed by {found.identity}" if found.identity is not None else f"key {found.key_id[:_KEY_LENGTH]}",
    )


def age(now: datetime, moment: datetime) -> str:
    """Return how long ago a moment was; one in the future was not: `0s`."""
    return duration(now - moment)


def duration(length: timedelta) -> str:
    """Return a duration in its two largest units, `3d4h`; a negative one is `0s`."""
    return format_duration(length)
