"""The formats by name. A new one is a file beside this one and an arm here.

The format never changes what was decided, nor the exit code (rule 8 of the design). A renderer is loaded when it is asked
for: neither a JSON report nor what fits into lines (`gate verify`, `gate verify-bundle`) loads the terminal's library.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from gate.errors import UsageError
from gate.report.content import Document, Listing, Report
from gate.report.lines import Style, render_bare, render_lines, render_row

if TYPE_CHECKING:
    from gate.report.content import Content


class Format(StrEnum):
    """What a report can be written as."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    GITHUB = "github"
    GITLAB = "gitlab"
    CODEQUALITY = "codequality"
    CSV = "csv"
    HTML = "html"


# What rows that are no images can be written as.
LISTING_FORMATS: Final = (Format.TABLE, Format.JSON, Format.MARKDOWN, Format.CSV)


def render(content: Content, form: Format, style: Style) -> str:
    """Return the content in this format, with a newline at its end; `style` is for a terminal and ignored by the others.

    Raises:
        UsageError: the format is one of images, and the content is none.
    """
    if isinstance(content, Listing) and form in {Format.TABLE, Format.MARKDOWN}:
        content = content.for_people()
    match content:
        case Document():
            return content.text
        case Report() if form is Format.TABLE and not any(image.checked for image in content.images):
            return render_lines(content, style)
        case Report():
            return _render_report(content, form, style)
        case Listing(bare=True) if form is Format.TABLE:
            return render_bare(content)
        case Listing() if form is Format.TABLE and len(content.rows) <= 1:
            return render_row(content, style)
        case Listing():
            return _render_listing(content, form, style)
        case _:
            assert_never(content)


def _render_report(report: Report, form: Format, style: Style) -> str:
    # Each form is loaded where it is asked for: the table's libraries cost a third of a short command.
    match form:
        case Format.TABLE:
            from gate.report import table  # noqa: PLC0415

            return table.render_report(report, style)
        case Format.JSON:
            from gate.report import json_report  # noqa: PLC0415

            return json_report.render_report(report)
        case Format.SARIF:
            from gate.report import sarif  # noqa: PLC0415

            return sarif.render_report(report)
        case Format.JUNIT:
            from gate.report import junit  # noqa: PLC0415

            return junit.render_report(report)
        case Format.MARKDOWN:
            from gate.report import markdown  # noqa: PLC0415

            return markdown.render_report(report)
        case Format.GITHUB:
            from gate.report import github  # noqa: PLC0415

            return github.render_report(report)
        case Format.GITLAB:
            from gate.report import gitlab  # noqa: PLC0415

            return gitlab.render_report(report)
        case Format.CODEQUALITY:
            from gate.report import codequality  # noqa: PLC0415

            return codequality.render_report(report)
        case Format.CSV:
            from gate.report import csv_report  # noqa: PLC0415

            return csv_report.render_report(report)
        case Format.HTML:
            from gate.report import html_report  # noqa: PLC0415

            return html_report.render_report(report)
        case _:
            assert_never(form)


def _render_listing(listing: Listing, form: Format, style: Style) -> str:
    match form:
        case Format.TABLE:
            from gate.report import table  # noqa: PLC0415

            return table.render_listing(listing, style)
        case Format.JSON:
            from gate.report import json_report  # noqa: PLC0415

            return json_report.render_listing(listing)
        case Format.MARKDOWN:
            from gate.report import markdown  # noqa: PLC0415

            return markdown.render_listing(listing)
        case Format.CSV:
            from gate.report import csv_report  # noqa: PLC0415

            return csv_report.render_listing(listing)
        case _:
            raise UsageError(
                "this command reports no images", expected=f"one of {', '.join(LISTING_FORMATS)}", seen=form.value
            )
