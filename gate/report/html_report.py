"""One HTML page without scripts, for a reader without the gate: what was decided, why, and on what it rests.

Every foreign text is escaped, nothing is loaded from anywhere, and a content security policy forbids what escaping might miss.

Specification: attack O05; Content Security Policy Level 3.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from gate.codec.times import format_time
from gate.report.escape import guard_lines, identifier, visible
from gate.report.results import Level, results_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gate.model.verdict import Verdict
    from gate.report.content import ImageReport, Report
    from gate.report.results import Result

_MOST_ROWS: Final = 5000
_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>gate: verdict</title>
<style>
:root { color-scheme: light dark; --line: #8884; --ok: #1a7f37; --bad: #cf222e; --warn: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
code { font: 13px ui-monospace, monospace; }
.passed, .pass { color: var(--ok); } .refused, .fail { color: var(--bad); } .error, .warn { color: var(--warn); }
</style>
</head>
<body>
"""


def render_report(report: Report) -> str:
    """Return the page."""
    results = results_of(report)
    parts = [_HEAD, "<h1>Verdict</h1>\n"]
    for image in report.images:
        parts += _image(image, [result for result in results if result.image is image])
    parts.append(
        f"<p>Exit code {report.exit_code}; rendered for {escape(format_time(report.now))}.</p>\n</body>\n</html>\n"
    )
    return guard_lines("".join(parts))


def _image(image: ImageReport, results: Sequence[Result]) -> Iterator[str]:
    decision = image.decision.value
    yield f'<section>\n<h2><span class="{decision}">{decision}</span> {_code(image.reference)}</h2>\n'
    if image.checked is not None:
        yield from _facts(image.checked.verdict)
    warned = [result for result in results if result.level is Level.WARNING]
    standing = [result for result in results if result.level is Level.ERROR]
    rest = [result for result in results if result.level is Level.NOTE]
    yield from _results("What refuses", standing)
    if image.checked is not None:
        rows = (_check_row(check.id, check.state, check.message) for check in image.checked.verdict.checks)
        yield _table("Checks", ("check", "outcome", "message"), rows)
    yield from _results("What is only warned of, or decides nothing", warned)
    yield from _results("What refuses nothing", rest)
    yield "</section>\n"


def _facts(verdict: Verdict) -> Iterator[str]:
    tools = ", ".join(f"{use.tool.name} {use.tool.version}" for use in verdict.tools)
    facts = {
        "digest": str(verdict.digest or ""),
        "policy": f"{verdict.policy.name} {verdict.policy.digest}",
        "judged at": format_time(verdict.evaluated_at),
        "only warns of": ", ".join(verdict.policy.warn),
        "environments": ", ".join(verdict.environments),
        "scanners": tools,
    }
    yield _table("", ("", ""), ((escape(name), _code(value)) for name, value in facts.items() if value))


def _results(title: str, results: Sequence[Result]) -> Iterator[str]:
    if not results:
        return
    columns = ("code", "finding", "severity", "package", "fixed in", "why", "next")
    yield _table(f"{title} ({len(results)})", columns, (_result_row(result) for result in results[:_MOST_ROWS]))
    if len(results) > _MOST_ROWS:
        yield f"<p>{len(results) - _MOST_ROWS} more are in the json format.</p>\n"


def _result_row(result: Result) -> tuple[str, ...]:
    return (
        _code(result.code),
        _code(result.rule),
        escape(result.severity.value if result.severity is not None else ""),
        _code(result.where),
        _code(result.fixed),
        _text(result.excuse or result.message),
        _text(result.next_step),
    )


def _check_row(name: str, state: str, message: str) -> tuple[str, ...]:
    return _code(name), f'<span class="{state}">{state}</span>', _text(message)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    heading = f"<h3>{escape(title)}</h3>\n" if title else ""
    return f"{heading}<table>\n{f'<tr>{head}</tr>' if any(columns) else ''}\n{body}</table>\n"


def _code(text: str) -> str:
    return f"<code>{escape(identifier(text))}</code>" if text else ""


def _text(text: str) -> str:
    return escape(visible(text, 1000))
