"""GitLab's container scanning report: vulnerabilities with their package; secrets and other reasons as findings of the image.

GitLab refuses a report of a version that it does not know as a whole, so the version is one of schema 15's.

Specification: GitLab's security report schemas, `container-scanning-report-format.json` 15.2; formats reference, section 16.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from gate.model.severity import Severity
from gate.model.version import VERSION
from gate.report.escape import identifier, json_document, visible
from gate.report.results import Level, results_of, warned_checks

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import JsonValue
    from gate.report.content import Report
    from gate.report.results import Result

SCHEMA_VERSION: Final = "15.2.5"
_SEVERITIES: Final = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "High",
    Severity.MEDIUM: "Medium",
    Severity.LOW: "Low",
    Severity.NEGLIGIBLE: "Info",
    Severity.UNKNOWN: "Unknown",
}
_KNOWN_IDS: Final = re.compile(r"(CVE|GHSA)-[\w-]+", re.ASCII)
# Names the identifiers of this report (RFC 9562, version 5): the same finding has the same id in every pipeline.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://slsa.dev/verification_summary/v1#gate-results")


def render_report(report: Report) -> str:
    """Return what refuses and what could not be judged; what a policy does not count is in the other formats."""
    standing = [result for result in results_of(report) if result.level is not Level.NOTE]
    moment = _moment(report.now)
    component: dict[str, JsonValue] = {"id": "gate", "name": "gate", "version": VERSION, "vendor": {"name": "gate"}}
    document: dict[str, JsonValue] = {
        "version": SCHEMA_VERSION,
        "scan": {
            "analyzer": component,
            "scanner": component,
            "type": "container_scanning",
            "start_time": moment,
            "end_time": moment,
            **_messages(report),
            "status": "success" if report.exit_code in {0, 1} else "failure",
        },
        "vulnerabilities": [_vulnerability(result) for result in standing],
    }
    return json_document(document, indent=1)


def _messages(report: Report) -> dict[str, JsonValue]:
    """Return which checks the policies only warn of, for an image each."""
    lines: list[JsonValue] = [
        {"level": "warn", "value": visible(f"{image.reference}: the policy only warns of {', '.join(warned)}")}
        for image in report.images
        if (warned := warned_checks(image))
    ]
    return {"messages": lines} if lines else {}


def _vulnerability(result: Result) -> JsonValue:
    own = "High" if result.level is Level.ERROR else "Low"
    url = result.link
    made: dict[str, JsonValue] = {
        "id": str(uuid.uuid5(_NAMESPACE, result.fingerprint)),
        "name": visible(result.title, 255),
        "description": visible(result.message, 2000),
        "severity": _SEVERITIES[result.severity] if result.severity is not None else own,
        "solution": visible(result.next_step, 2000),
        "identifiers": [_identifier(result, url)],
        "links": [{"url": url}] if url else [],
        "location": {
            "dependency": {
                "package": {"name": identifier(result.package or result.place or "image")},
                "version": identifier(result.version),
            },
            "operating_system": "unknown",
            "image": identifier(result.image.reference),
        },
    }
    return made


def _identifier(result: Result, url: str) -> JsonValue:
    match = _KNOWN_IDS.fullmatch(result.rule)
    kind = match[1].lower() if match else "gate"
    made: dict[str, JsonValue] = {"type": kind, "name": visible(result.rule, 255), "value": visible(result.rule, 255)}
    return {**made, "url": url} if url else made


def _moment(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S")
