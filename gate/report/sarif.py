"""SARIF 2.1.0, for code scanning: each result at the line that names the image.

Specification: OASIS SARIF 2.1.0; limits of GitHub's code scanning (formats reference, section 16): of more results than a
platform keeps, the worst stay, and a notification says how many were cut. Fingerprints hold no tag, version or run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gate.model.severity import Severity
from gate.model.version import VERSION
from gate.report.escape import json_document, visible
from gate.report.results import Level, repository_of, results_of, warned_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.codec.strict_json import JsonValue
    from gate.report.content import ImageReport, Report
    from gate.report.results import Result

# GitHub keeps 5,000 results of a run, by severity, and refuses an upload with more than 25,000.
MOST_RESULTS: Final = 5000
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "note"}
# Texts of numbers in GitHub's bands: over 9.0 critical, from 7.0 high, from 4.0 medium, from 0.1 low.
_SCORES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.NEGLIGIBLE: "0.1",
    Severity.UNKNOWN: "0.0",
}


def render_report(report: Report) -> str:
    """Return the report as one SARIF log with one run."""
    results = results_of(report)
    kept, cut = results[:MOST_RESULTS], len(results) - MOST_RESULTS
    rules = {name: number for number, name in enumerate(dict.fromkeys(map(_rule_id, kept)))}
    run: dict[str, JsonValue] = {
        "tool": {"driver": {"name": "gate", "version": VERSION, "rules": _rules(kept)}},
        "automationDetails": {"id": f"gate/{_automation(report.images)}/"},
        "columnKind": "utf16CodeUnits",
        "invocations": [
            {
                "executionSuccessful": report.exit_code in {0, 1},
                "exitCode": report.exit_code,
                "toolExecutionNotifications": [*_unjudged(report.images), *([_cut_notice(cut)] if cut > 0 else [])],
            }
        ],
        **_warned(report.images),
        "results": [_result(result, rules[_rule_id(result)]) for result in kept],
    }
    log: dict[str, JsonValue] = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_document(log, indent=1)


def _warned(images: Sequence[ImageReport]) -> dict[str, JsonValue]:
    """Return which checks the policies only warn of."""
    warned: list[JsonValue] = [*sorted({check for image in images for check in warned_checks(image)})]
    return {"properties": {"warn": warned}} if warned else {}


def _rule_id(result: Result) -> str:
    return visible(result.rule, 255)


def _rules(results: Sequence[Result]) -> list[JsonValue]:
    """Return each rule once, as its worst result has it."""
    first: dict[str, Result] = {}
    for result in results:
        first.setdefault(_rule_id(result), result)
    return [_rule(name, result) for name, result in first.items()]


def _rule(name: str, result: Result) -> JsonValue:
    severity = result.severity if result.severity is not None else Severity.HIGH
    tags: list[JsonValue] = ["security", *([result.check] if result.check else [])]
    help_text = visible(result.next_step) or f"gate explain {result.code}"
    rule: dict[str, JsonValue] = {
        "id": name,
        "shortDescription": {"text": visible(result.title, 200)},
        "help": {"text": f"{help_text} See: gate explain {result.code}"},
        "defaultConfiguration": {"level": _LEVELS[result.level]},
        "properties": {"security-severity": _SCORES[severity], "precision": "high", "tags": tags},
    }
    if result.link:
        rule["helpUri"] = result.link
    return rule


def _result(result: Result, rule: int) -> JsonValue:
    text = [visible(result.message)]
    text += [f"expected {visible(result.expected)}"] if result.expected else []
    text += [f"saw {visible(result.seen)}"] if result.seen else []
    place = result.named_at
    file = place.file if place is not None else repository_of(result.image)
    made: dict[str, JsonValue] = {
        "ruleId": _rule_id(result),
        "ruleIndex": rule,
        "level": _LEVELS[result.level],
        "message": {"text": f"{visible(result.image.reference)}: {'; '.join(text)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(file)},
                    "region": {"startLine": place.line if place is not None else 1},
                },
                "logicalLocations": [{"fullyQualifiedName": visible(result.place or result.image.reference)}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{result.fingerprint}:1", "gate/v1": result.fingerprint},
        "properties": {"code": result.code, "check": result.check},
    }
    if result.excuse:
        made["suppressions"] = [{"kind": "external", "justification": visible(result.excuse)}]
    return made


def _uri(file: str) -> str:
    """Return a relative reference: what is not of a path is coded, and nothing in it can be a scheme or an authority."""
    parts = [part for part in file.split("/") if part not in {"", ".", ".."}]
    return quote("/".join(parts).encode("utf-8", "replace"), safe="/-._~") or "image"


def _automation(images: Sequence[ImageReport]) -> str:
    """Return what tells this analysis from others of a commit: the repository, or that there are several."""
    names = {repository_of(image) for image in images}
    return _uri(names.pop()) if len(names) == 1 else "images"


def _unjudged(images: Sequence[ImageReport]) -> list[JsonValue]:
    return [
        {
            "level": "error",
            "message": {"text": visible(f"{image.reference}: {image.error.code}: {image.error.message}")},
        }
        for image in images
        if image.error is not None
    ]


def _cut_notice(cut: int) -> JsonValue:
    text = f"{cut} more results are not in this file: a platform keeps {MOST_RESULTS}. The json format has all."
    return {"level": "warning", "message": {"text": text}}
