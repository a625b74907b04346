"""The report for a person at a terminal: what refused first, why, and what to do.

Standard output is the report and nothing else; colour and width come from whoever knows the terminal. All foreign text goes
through `gate.report.escape` first, and no text is ever read as markup.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from gate.codec.times import format_time
from gate.model.decision import Decision, Outcome
from gate.report.codes import next_step
from gate.report.escape import guard_lines, identifier, visible
from gate.report.lines import Style, cell_text, image_line, set_aside_lines
from gate.report.table_findings import (
    disagreements,
    excused,
    fingerprints,
    folded,
    left_out,
    quiet_secrets,
    secrets,
    vulnerabilities,
    waivers,
)
from gate.report.table_style import keep_whole, plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from gate.model.verdict import CheckResult, Problem, Verdict
    from gate.report.content import Cell, CheckedImage, ImageReport, Listing, Report

MIN_WIDTH: Final = 60
# More problems of one check than this are counted; the JSON report holds all.
MOST_PROBLEMS: Final = 3
_WARN: Final = "warn"
# How a check's state is drawn, in the order in which checks are listed.
_STATE_STYLES: Final[Mapping[str, str]] = {
    Outcome.FAIL: "red",
    Outcome.ERROR: "yellow",
    _WARN: "yellow",
    Outcome.PASS: "green",
    Outcome.DISABLED: "bright_black",
}
_STATE_ORDER: Final = tuple(_STATE_STYLES)
_TITLES: Final = (
    (Outcome.FAIL, "Why it is refused"),
    (Outcome.ERROR, "What could not be judged"),
    (_WARN, "What is only warned of"),
)
# A whole digest; the group is its short form, as `Digest.short` gives it.
_DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}", re.ASCII)
_DEMONSTRATION: Final = "DEMONSTRATION DATA: this verdict says nothing about real vulnerabilities"


def render_report(report: Report, style: Style) -> str:
    """Return all images, in the order of the request, and how many there are of each decision."""

    def draw(console: Console) -> None:
        for number, image in enumerate(report.images):
            if number:
                console.print()
            _image(console, image, report, style)
        if len(report.images) > 1:
            _totals(console, report)

    return _drawn(draw, style)


def render_listing(listing: Listing, style: Style) -> str:
    """Return several rows below their columns' names; the column `state` in its colour."""

    def draw(console: Console) -> None:
        console.print(keep_whole(_rows(listing)))
        for note in listing.notes:
            console.print(Text(visible(note)), soft_wrap=True)

    return _drawn(draw, style)


def _drawn(draw: Callable[[Console], None], style: Style) -> str:
    output = io.StringIO()
    console = Console(
        file=output,
        width=max(style.width, MIN_WIDTH),
        height=100,
        force_terminal=style.color,
        color_system="standard" if style.color else None,
        no_color=not style.color,
        legacy_windows=False,
        force_interactive=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    draw(console)
    return guard_lines("".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines()))


def _image(console: Console, image: ImageReport, report: Report, style: Style) -> None:
    # A digest is copied from this line: it is never wrapped by the report itself.
    console.print(Text.from_ansi(image_line(image, report.now, style)), soft_wrap=True)
    if image.checked is not None:
        _checked(console, image.checked, report)
    for line in set_aside_lines(image):
        console.print(Text(line, style="bright_black"), soft_wrap=True)


def _checked(console: Console, run: CheckedImage, report: Report) -> None:
    verdict = run.verdict
    if verdict.demonstration:
        console.print(Text(_DEMONSTRATION, style="bold black on yellow"))
    _facts(console, run)
    for state, title in _TITLES:
        _problems(console, title, verdict, state)
    for title, table in (
        ("Vulnerabilities that refuse the image", vulnerabilities(verdict, report.severities)),
        ("Secrets", secrets(verdict, report.severities)),
        ("Vulnerabilities that are excused", excused(verdict, report.severities)),
        ("Scanners disagree", disagreements(verdict)),
        ("Waivers", waivers(verdict)),
        ("Checks", _checks(verdict)),
    ):
        if table is not None:
            _section(console, title)
            console.print(keep_whole(table))
    allowable = list(fingerprints(verdict, report.severities))
    if allowable:
        _section(console, "Fingerprints for secrets.allow")
    for line in allowable:
        # Copied from here into a policy: never wrapped by the report itself.
        console.print(Text(f"  {line}"), soft_wrap=True)
    notes = [
        *left_out(verdict, report.severities),
        *quiet_secrets(verdict, report.severities),
        *folded(verdict),
        *verdict.notes,
    ]
    _list(
        console, "Notes", [visible(note) for note in notes if not (verdict.demonstration and "demonstration" in note)]
    )
    _list(console, "", [visible(notice) for notice in run.notices])


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _facts(console: Console, run: CheckedImage) -> None:
    verdict = run.verdict
    for name, value in _fact_lines(run):
        console.print(Text.assemble((f"  {name:<10}", "bright_black"), value), soft_wrap=True)
    for issued in run.attestations:
        manifest = f" {issued.manifest}" if issued.manifest is not None else ""
        value = f"{identifier(issued.predicate_type)} in {identifier(issued.place)}{manifest}"
        console.print(Text.assemble(("  attested  ", "bright_black"), value), soft_wrap=True)
    if verdict.request.hint is not None:
        now = f"the tag names {verdict.request.hint} now"
        console.print(Text.assemble(("  hint      ", "bright_black"), now), soft_wrap=True)


def _fact_lines(run: CheckedImage) -> Iterable[tuple[str, str]]:
    verdict = run.verdict
    yield "policy", f"{identifier(verdict.policy.name)} {verdict.policy.digest}"
    if verdict.digest is not None and str(verdict.digest) not in str(verdict.request.reference):
        yield "digest", str(verdict.digest)
    platforms = [str(subject.platform) for subject in verdict.subjects if subject.platform is not None]
    skipped = f" (children skipped by rule: {len(verdict.skipped)})" if verdict.skipped else ""
    if platforms:
        yield "platforms", identifier(", ".join(platforms)) + skipped
    if verdict.policy.warn:
        yield "warns of", identifier(", ".join(verdict.policy.warn))
    if verdict.environments:
        yield "for", identifier(", ".join(verdict.environments))
    if verdict.tools:
        yield "scanned", identifier(", ".join(_tool_texts(verdict)))
    again = ", given again: nothing has changed" if run.reused else ""
    yield "judged", format_time(verdict.evaluated_at) + again


def _tool_texts(verdict: Verdict) -> Iterable[str]:
    seen = {(use.tool.name, use.tool.version): use for use in verdict.tools}
    for use in seen.values():
        built = min(database.built_at for database in use.databases) if use.databases else None
        age = f" (database of {format_time(built)})" if built is not None else ""
        yield f"{use.tool.name} {use.tool.version}{age}"


def _problems(console: Console, title: str, verdict: Verdict, state: str) -> None:
    """Draw what one outcome is due to: messages, then what to do; what several checks say alike stands once."""
    groups: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    # A reference that is refused is why nothing else could be looked at.
    for check in sorted(verdict.checks, key=lambda check: check.id != "reference"):
        for group in _groups(check, state, several=len(verdict.subjects) > 1):
            groups.setdefault(group, []).append(check.id)
    if groups:
        _section(console, title)
    for (code, sentences, steps), checks in groups.items():
        head = Text.assemble((code, _STATE_STYLES[state]), "  ", (", ".join(checks), "bright_black"))
        console.print(Padding(head, (0, 0, 0, 2)))
        more = [f"and {len(sentences) - MOST_PROBLEMS} more"] if len(sentences) > MOST_PROBLEMS else []
        for sentence in (*sentences[:MOST_PROBLEMS], *more):
            console.print(Padding(Text(sentence), (0, 0, 0, 4)))
        for step in steps:
            console.print(Padding(Text.assemble(("→ ", "cyan"), step), (0, 0, 0, 4)))


def _groups(check: CheckResult, state: str, *, several: bool) -> Iterable[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return code, sentences and steps for each code of a check that is not waived, of what belongs under this title."""
    warned = state == _WARN
    if not warned and check.state != state:
        return
    standing = [problem for problem in check.problems if not problem.waived_by and problem.warned is warned]
    for code in dict.fromkeys(problem.code for problem in sorted(standing, key=lambda problem: problem.code)):
        problems = [problem for problem in standing if problem.code == code]
        steps = dict.fromkeys(visible(next_step(code, problem.next_step)) for problem in problems[:MOST_PROBLEMS])
        yield code, tuple(_sentence(problem, several=several) for problem in problems), tuple(steps)


def _sentence(problem: Problem, *, several: bool) -> str:
    details = [f"expected {problem.expected}"] if problem.expected else []
    details += [f"saw {problem.seen}"] if problem.seen else []
    # Which image is meant has to be said only where there are several.
    place = f" [{problem.subject.short}]" if several and problem.subject is not None else ""
    return visible(problem.message + (f" ({', '.join(details)})" if details else "")) + place


def _checks(verdict: Verdict) -> Table:
    """Return every check; those that were not asked on one line, because they say nothing of the image."""
    table = plain_table("outcome", "check", "message")
    asked = [check for check in verdict.checks if check.outcome is not Outcome.DISABLED]
    for check in sorted(asked, key=lambda check: (_STATE_ORDER.index(check.state), check.id)):
        outcome = Text(check.state, style=_STATE_STYLES[check.state])
        table.add_row(outcome, Text(check.id), Text(visible(check.message)))
    disabled = ", ".join(check.id for check in verdict.checks if check.outcome is Outcome.DISABLED)
    if disabled:
        style = _STATE_STYLES[Outcome.DISABLED]
        table.add_row(
            Text(Outcome.DISABLED.value, style=style), Text(), Text(f"not asked for: {disabled}", style=style)
        )
    return table


def _list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print()
    if lines and title:
        console.print(Text(title, style="bold underline"))
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _totals(console: Console, report: Report) -> None:
    counts = [f"{sum(image.decision is item for image in report.images)} {item.value}" for item in Decision]
    console.print()
    console.print(Text(f"{len(report.images)} images: {', '.join(counts)}", style="bold"))


def _rows(listing: Listing) -> Table:
    """Return several rows as a table: columns in which nothing stands are left out, digests are cut to what people compare."""
    used = [place for place in range(len(listing.columns)) if any(row[place] not in {None, ""} for row in listing.rows)]
    table = plain_table(*(listing.columns[place] for place in used))
    for row in listing.rows:
        cells = (_DIGEST.sub(r"\1", cell) if isinstance(cell := row[place], str) else cell for place in used)
        table.add_row(*(_cell(listing.columns[place], cell, listing) for place, cell in zip(used, cells, strict=True)))
    return table


def _cell(column: str, cell: Cell, listing: Listing) -> Text:
    style = ("green" if cell == "ok" else "yellow") if column == listing.state else ""
    return Text(cell_text(cell), style=style)
