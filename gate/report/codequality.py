"""GitLab's code quality report: what refuses, at the line that names the image, in the changes of a merge request.

Specification: GitLab's code quality report format; formats reference, section 16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.model.severity import Severity
from gate.report.escape import json_document, visible
from gate.report.results import Level, repository_of, results_of

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.report.content import Report
    from gate.report.results import Result

_SEVERITIES: Final = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.NEGLIGIBLE: "info",
    Severity.UNKNOWN: "major",
}


def render_report(report: Report) -> str:
    """Return a list of what refuses and what could not be judged."""
    rows: list[JsonValue] = [_row(result) for result in results_of(report) if result.level is not Level.NOTE]
    return json_document(rows, indent=1)


def _row(result: Result) -> JsonValue:
    place = result.named_at
    own = "critical" if result.level is Level.ERROR else "minor"
    severity = _SEVERITIES[result.severity] if result.severity is not None else own
    return {
        "description": visible(f"{result.image.reference}: {result.message}", 1000),
        "check_name": result.code,
        "fingerprint": result.fingerprint,
        "severity": severity,
        "location": {
            "path": visible(place.file if place is not None else repository_of(result.image)),
            "lines": {"begin": place.line if place is not None else 1},
        },
    }
