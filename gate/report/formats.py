"""The formats by name. A new one is a file beside this one and an arm here.

The format never changes what was decided, nor the exit code (rule 8 of the design). A renderer is loaded when it is asked
for: neither a JSON report nor what fits into lines (`gate verify`, `gate verify-bundle`) loads the terminal's library.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from gate.report.content import Document, Listing, Report
from gate.report.lines import Style, render_bare, render_lines, render_row

if TYPE_CHECKING:
    from gate.report.content import Content


class Format(StrEnum):
    """What a report can be written as."""

    TABLE = "table"
    JSON = "json"


def render(content: Content, form: Format, style: Style) -> str:
    """Return the content in this format, with a newline at its end; `style` is for a terminal and ignored by the others."""
    match content:
        case Document():
            return content.text
        case Report() if form is Format.TABLE and not any(image.checked for image in content.images):
            return render_lines(content, style)
        case Listing(bare=True) if form is Format.TABLE:
            return render_bare(content)
        case Listing() if form is Format.TABLE and len(content.rows) <= 1:
            return render_row(content, style)
        case Report() | Listing():
            return _rendered(content, form, style)
        case _:
            assert_never(content)


def _rendered(content: Report | Listing, form: Format, style: Style) -> str:
    # Each form is loaded where it is asked for: the table's libraries cost a third of a short command.
    match form:
        case Format.TABLE:
            from gate.report import table  # noqa: PLC0415

            return (
                table.render_report(content, style)
                if isinstance(content, Report)
                else table.render_listing(content, style)
            )
        case Format.JSON:
            from gate.report import json_report  # noqa: PLC0415

            if isinstance(content, Report):
                return json_report.render_report(content)
            return json_report.render_listing(content)
        case _:
            assert_never(form)
