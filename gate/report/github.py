"""Workflow commands of GitHub Actions: annotations at the line that names the image, the worst first.

A step shows ten errors and ten warnings, so of each kind nine are written and one that says how many more there are. All
foreign text is data of a command, coded as the runner decodes it.

Specification: actions/toolkit, `packages/core/src/command.ts`; formats reference, section 16; attacks O01, O02.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from gate.report.escape import visible
from gate.report.results import Level, results_of, warned_checks

if TYPE_CHECKING:
    from gate.report.content import ImageReport, Report
    from gate.report.results import Result

_COMMANDS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
# What a step shows of one kind.
_MOST: Final = 10


def render_report(report: Report) -> str:
    """Return one command a line; of an image that passed, one notice."""
    results = [result for result in results_of(report) if result.level is not Level.NOTE]
    totals = Counter(result.level for result in results)
    written: Counter[Level] = Counter()
    lines = []
    for result in results:
        written[result.level] += 1
        if written[result.level] < _MOST or totals[result.level] == _MOST == written[result.level]:
            lines.append(_annotation(result))
    lines += [_more(level, total) for level, total in sorted(totals.items()) if total > _MOST]
    lines += [_decided(image) for image in report.images if image.exit_code == 0]
    return "".join(f"{line}\n" for line in lines)


def _annotation(result: Result) -> str:
    parts = [f"{result.image.reference}: {result.message}"]
    parts += [f"expected {result.expected}"] if result.expected else []
    parts += [f"saw {result.seen}"] if result.seen else []
    parts += [f"next: {result.next_step}"] if result.next_step else []
    return _command(result.level, result.code, "; ".join(parts), result.image)


def _more(level: Level, total: int) -> str:
    text = f"and {total - _MOST + 1} more; the json, sarif and markdown formats list all"
    return f"::{_COMMANDS[level]} title=gate::{_data(text)}"


def _decided(image: ImageReport) -> str:
    warned = ", ".join(warned_checks(image))
    text = f"{image.reference} (the policy only warns of {warned})" if warned else image.reference
    return _command(Level.NOTE, image.decision.value, text, image)


def _command(level: Level, code: str, message: str, image: ImageReport) -> str:
    properties = {"title": f"gate {code}"}
    if image.named_at is not None:
        properties = {"file": image.named_at.file, "line": str(image.named_at.line), **properties}
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[level]} {named}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text, 1000).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
