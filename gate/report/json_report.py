"""The report for programs: always the same shape, whatever was decided (DESIGN, section 3, "Formats").

Every value is given as it was found; escaping is JSON's own, to ASCII, and no text of the document begins a command of a
CI runner. Specification: `schemas/report.schema.json` beside this file, to which every report is valid.
"""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

from gate.codec.times import format_time
from gate.report.codes import exit_code_of, next_step
from gate.report.content import SCHEMA_VERSION
from gate.report.escape import json_document
from gate.report.json_evidence import evidence_of, findings_of, waivers_of

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.errors import GateError
    from gate.model.verdict import CheckResult, Problem, Verdict
    from gate.report.content import Cell, CheckedImage, ImageReport, Listing, Report, VerifiedImage


def render_report(report: Report) -> str:
    """Return the report as JSON with a newline at its end."""
    images: list[JsonValue] = [_image(image, report) for image in report.images]
    return json_document({"schemaVersion": SCHEMA_VERSION, "exitCode": report.exit_code, "images": images}, indent=2)


def render_listing(listing: Listing) -> str:
    """Return the rows under the listing's own name, each an object whose keys are the columns."""
    rows: list[JsonValue] = [
        {column: _cell(cell) for column, cell in zip(listing.columns, row, strict=True)} for row in listing.rows
    ]
    head: dict[str, JsonValue] = {"schemaVersion": SCHEMA_VERSION, "exitCode": listing.exit_code}
    return json_document({**head, listing.kind: rows, "notes": list(listing.notes)}, indent=2)


def report_schema() -> str:
    """Return the published JSON Schema (2020-12) of `render_report`."""
    return resources.files("gate.report").joinpath("schemas/report.schema.json").read_text(encoding="utf-8")


def _cell(cell: Cell) -> JsonValue:
    if isinstance(cell, tuple):
        return [*cell]
    return format_time(cell) if isinstance(cell, datetime) else cell


def _image(image: ImageReport, report: Report) -> JsonValue:
    """Return one image: the nine keys of the design, always, and `error` where it was not judged at all."""
    if image.checked is not None:
        return _checked(image.reference, image.checked, report)
    empty: dict[str, JsonValue] = {
        "reference": image.reference,
        "digest": None,
        "decision": image.decision.value,
        "policy": None,
        "checks": [],
        "findings": [],
        "waivers": [],
        "evidence": _set_aside(image),
        "attestations": [],
    }
    if image.verified is not None:
        return {**empty, **_verified(image.verified)}
    return {**empty, "error": error_fields(image.error)} if image.error is not None else empty


def _set_aside(image: ImageReport) -> dict[str, JsonValue]:
    """Return the candidates that do not count, under `setAside`; nothing where there are none."""
    rows: list[JsonValue] = [
        {"code": item.code, "message": item.message, "digest": str(item.place)} for item in image.set_aside
    ]
    return {"setAside": rows} if rows else {}


def _checked(reference: str, run: CheckedImage, report: Report) -> JsonValue:
    verdict = run.verdict
    return {
        "reference": reference,
        "digest": str(verdict.digest) if verdict.digest is not None else None,
        "decision": verdict.decision.value,
        "policy": _policy(verdict),
        "checks": [_check(check) for check in verdict.checks],
        "findings": list(findings_of(verdict, report.severities)),
        "waivers": list(waivers_of(verdict)),
        "evidence": {**evidence_of(verdict), "reused": run.reused, "notices": list(run.notices)},
        "attestations": [
            {
                "manifest": str(issued.manifest) if issued.manifest is not None else None,
                "subject": str(issued.subject),
                "place": issued.place,
                "predicateType": issued.predicate_type,
            }
            for issued in run.attestations
        ],
    }


def _policy(verdict: Verdict) -> JsonValue:
    named: dict[str, JsonValue] = {
        "name": verdict.policy.name,
        "digest": str(verdict.policy.digest),
        "uri": verdict.policy.uri,
    }
    return {**named, "warn": list(verdict.policy.warn)}


def _check(check: CheckResult) -> JsonValue:
    standing = [problem for problem in check.problems if not problem.waived_by]
    return {
        "id": check.id,
        "outcome": check.outcome.value,
        "warned": check.warned,
        "codes": list(check.codes),
        "message": check.message,
        "next": next_step(standing[0].code, standing[0].next_step) if standing else "",
        "problems": [_problem(problem) for problem in check.problems],
        "counts": dict(check.counts),
    }


def _problem(problem: Problem) -> JsonValue:
    return {
        "code": problem.code,
        "message": problem.message,
        "expected": problem.expected,
        "seen": problem.seen,
        "next": next_step(problem.code, problem.next_step),
        "subject": str(problem.subject) if problem.subject is not None else None,
        "location": problem.location,
        "fingerprint": problem.fingerprint,
        "rule": problem.rule,
        "waivedBy": problem.waived_by,
        "warned": problem.warned,
    }


def _verified(found: VerifiedImage) -> dict[str, JsonValue]:
    attestation: dict[str, JsonValue] = {
        "manifest": str(found.attachment) if found.attachment is not None else None,
        "subject": str(found.digest),
        "keyId": found.key_id,
        "verifierId": found.verifier_id,
        "environments": list(found.environments),
        "timeVerified": _cell(found.time_verified),
        "trustedTime": _cell(found.trusted_time),
        "expires": _cell(found.expires),
    }
    if found.identity is not None:
        attestation |= {"identity": found.identity.subject, "issuer": found.identity.issuer}
    policy: JsonValue = {"name": None, "digest": str(found.policy), "uri": None} if found.policy is not None else None
    return {"digest": str(found.digest), "policy": policy, "attestations": [attestation]}


def error_fields(error: GateError) -> dict[str, JsonValue]:
    """Return an error as every JSON answer of the gate has it."""
    return {
        "code": error.code,
        "exitCode": exit_code_of(error),
        "message": error.message,
        "expected": error.expected,
        "seen": error.seen,
        "next": next_step(error.code, error.next_step),
    }
