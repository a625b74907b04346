"""Markdown for a step summary and a comment on a pull request: the decision, what refuses, and what to do.

Names from images stand in code spans, in which nothing is a link, an image, a mention or HTML; every other foreign text has
its punctuation escaped. GitHub drops a summary of more than 1 MiB, so what does not fit is counted.

Specification: GitHub Flavored Markdown; formats reference, section 16; attack O05.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.model.decision import Decision, Outcome
from gate.report.escape import identifier, visible
from gate.report.lines import cell_text
from gate.report.results import Level, results_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gate.report.content import ImageReport, Listing, Report
    from gate.report.results import Result

_SIGNS: Final = {Decision.PASSED: "✅", Decision.REFUSED: "❌", Decision.ERROR: "⚠️"}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&=$^\"':/])")
# A mention, a reference to an issue or a commit is looked for in the text of what Markdown made; a comment parts the text.
_MENTION: Final = re.compile(r"[@]")
_MOST_ROWS: Final = 200
_MOST_BYTES: Final = 900_000


def render_report(report: Report) -> str:
    """Return the report with a heading for each image."""
    results = results_of(report)
    blocks = [
        block for image in report.images for block in _image(image, [row for row in results if row.image is image])
    ]
    return _fitting(blocks)


def render_listing(listing: Listing) -> str:
    """Return the rows as a table, and the notes below it."""
    table = _table(listing.columns, ([code(cell_text(cell)) for cell in row] for row in listing.rows))
    return "\n\n".join([table, *(prose(note) for note in listing.notes)]) + "\n"


def prose(text: str) -> str:
    """Return foreign prose in which nothing is markup."""
    escaped = _SPECIAL.sub(r"\\\1", visible(text, 600))
    return _MENTION.sub("@<!-- -->", escaped).replace("\\:\\:", "\\:<!-- -->\\:")


def code(text: str) -> str:
    """Return a foreign name in a code span whose fence is longer than any run of backticks in it."""
    shown = identifier(text, 300)
    if not shown.strip():
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    # A table splits its cells before it looks for code spans.
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")


def _image(image: ImageReport, results: Sequence[Result]) -> Iterator[str]:
    yield f"### {_SIGNS[image.decision]} {image.decision.value}: {code(image.reference)}"
    if image.named_at is not None:
        yield f"Named at {code(f'{image.named_at.file}:{image.named_at.line}')}."
    standing = [result for result in results if result.level is not Level.NOTE]
    if standing:
        yield _results(standing)
    if image.checked is not None:
        verdict = image.checked.verdict
        yield f"Policy {code(verdict.policy.name)} ({code(str(verdict.policy.digest))})."
        if verdict.policy.warn:
            yield f"It only warns of {', '.join(map(code, verdict.policy.warn))}."
        yield _details("Checks", _table(("check", "outcome", "message"), _checks(image)))
        excused = [result for result in results if result.level is Level.NOTE and result.excuse]
        if excused:
            yield _details(f"What refuses nothing ({len(excused)})", _results(excused))
        for issued in image.checked.attestations:
            yield f"Attestation of type {code(issued.predicate_type)} at {code(issued.place)}."


def _checks(image: ImageReport) -> Iterator[Sequence[str]]:
    checks = image.checked.verdict.checks if image.checked is not None else ()
    for check in checks:
        if check.outcome is not Outcome.DISABLED:
            yield check.id, check.state, prose(check.message)


def _results(results: Sequence[Result]) -> str:
    columns = ("code", "finding", "severity", "package", "fixed in", "why", "next")
    rows = [
        (
            code(result.code),
            code(result.rule),
            result.severity.value if result.severity is not None else "",
            code(result.where),
            code(result.fixed),
            prose(result.excuse or result.message),
            prose(result.next_step),
        )
        for result in results[:_MOST_ROWS]
    ]
    more = len(results) - _MOST_ROWS
    return _table(columns, rows) + (f"\n\nand {more} more; the json format lists all" if more > 0 else "")


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = tuple(columns)
    lines = [_row(names), _row("---" for _ in names), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _fitting(blocks: Sequence[str]) -> str:
    size, kept = 0, []
    for block in blocks:
        size += len(block.encode()) + 2
        if size > _MOST_BYTES:
            kept.append("The rest does not fit into a summary; the json format has all.")
            break
        kept.append(block)
    return "\n\n".join(kept) + "\n"
