"""JUnit's XML, for CI systems that show tests: one suite an image, one case a check.

A failed check is a failure, one that could not be judged an error, one that the policy did not ask is skipped; one that the
policy only warns of succeeds, and its output tells what it found. Characters that
XML 1.0 does not know become U+FFFD; no CDATA section is written.

Specification: formats reference, section 16; XML 1.0, section 2.2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gate.model.decision import Outcome
from gate.report.codes import next_step
from gate.report.escape import guard_lines, visible
from gate.report.results import warned_checks

if TYPE_CHECKING:
    from gate.model.verdict import CheckResult, Problem
    from gate.report.content import ImageReport, Report

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Problems of one check that are written out; the JSON report holds all.
_MOST_PROBLEMS: Final = 100


def render_report(report: Report) -> str:
    """Return the report as one `testsuites` element."""
    root = Element("testsuites", {"name": "gate"})
    for image in report.images:
        _suite(root, image, report)
    suites = list(root)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    indent(root)
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{guard_lines(text)}\n'


def _suite(root: Element, image: ImageReport, report: Report) -> None:
    name = _clean(image.reference)
    suite = SubElement(
        root, "testsuite", {"name": name, "timestamp": report.now.strftime("%Y-%m-%dT%H:%M:%S"), "time": "0"}
    )
    if warned_checks(image):
        properties = SubElement(suite, "properties")
        SubElement(properties, "property", {"name": "warn", "value": _clean(", ".join(warned_checks(image)))})
    if image.checked is not None:
        for check in image.checked.verdict.checks:
            _case(suite, name, check)
    else:
        case = SubElement(suite, "testcase", {"classname": name, "name": "verdict", "time": "0"})
        if image.error is not None:
            kind = "failure" if image.exit_code == 1 else "error"
            text = _detail(image.error.message, image.error.expected, image.error.seen, image.error.next_step)
            SubElement(case, kind, {"type": image.error.code, "message": _clean(image.error.message)}).text = text
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))


def _case(suite: Element, image: str, check: CheckResult) -> None:
    case = SubElement(suite, "testcase", {"classname": image, "name": check.id, "time": "0"})
    if check.warned:
        SubElement(case, "system-out").text = _standing(check)
        return
    match check.outcome:
        case Outcome.FAIL | Outcome.ERROR:
            kind = "failure" if check.outcome is Outcome.FAIL else "error"
            child = SubElement(case, kind, {"type": " ".join(check.codes), "message": _clean(check.message)})
            child.text = _standing(check)
        case Outcome.DISABLED:
            SubElement(case, "skipped", {"message": _clean(check.message)})
        case Outcome.PASS:
            pass


def _standing(check: CheckResult) -> str:
    standing = [problem for problem in check.problems if not problem.waived_by]
    lines = [_problem(problem) for problem in standing[:_MOST_PROBLEMS]]
    if len(standing) > _MOST_PROBLEMS:
        lines.append(f"{len(standing) - _MOST_PROBLEMS} more; the json format lists all")
    return "\n".join(lines)


def _problem(problem: Problem) -> str:
    step = next_step(problem.code, problem.next_step)
    kind = "warning, which refuses nothing: " if problem.warned else ""
    return f"{kind}{problem.code}: {_detail(problem.message, problem.expected, problem.seen, step)}"


def _detail(message: str, expected: str, seen: str, step: str) -> str:
    labelled = (("expected", expected), ("saw", seen), ("next", step))
    parts = [message, *(f"{label}: {text}" for label, text in labelled if text)]
    return _clean("; ".join(parts), 2000)


def _clean(text: str, limit: int = 400) -> str:
    return _FORBIDDEN.sub("\ufffd", visible(text, limit))
