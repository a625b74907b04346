"""The gate's own evidence as a statement: why a verdict is what it is, signed beside the verdict that names it.

Holds no secret value, no credential and no path of the machine that judged. Findings, secrets and what was not opened are cut to
5,000 each and then to what fits into 4 MiB; the totals are stated, and the raw reports are named by digest.
`gate.codec.evidence_summary` reads it back.

Specification: formats reference, section 10.5.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from gate.codec.evidence_summary import SCHEMA_VERSION
from gate.codec.statement import render_statement
from gate.codec.times import format_time
from gate.model.decision import Decision
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE
from gate.model.statement import VerificationResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gate.codec.strict_json import JsonValue
    from gate.model.evidence import DatabaseIdentity
    from gate.model.statement import NamedSubject
    from gate.model.verdict import (
        AcceptedSignature,
        CheckResult,
        JudgedFinding,
        JudgedSecret,
        SecretSearch,
        ToolUse,
        UsedRoot,
        UsedWaiver,
        Verdict,
    )

MAX_FINDINGS: Final = 5000
# Base64 in an envelope in a bundle adds a third and some: the bundle stays within its 4 MiB.
MAX_PAYLOAD_BYTES: Final = 3 * 1024 * 1024 - 64 * 1024
# Of a file with more hard links the report of the run names all.
_MAX_NAMES: Final = 20
_REVISION: Final = "org.opencontainers.image.revision"
_SOURCE: Final = "org.opencontainers.image.source"
_BASE: Final = "org.opencontainers.image.base.digest"


def render_evidence(
    verdict: Verdict,
    subjects: Sequence[NamedSubject],
    *,
    started_on: datetime,
    finished_on: datetime,
    predicate_type: str = DEFAULT_EVIDENCE_TYPE,
) -> bytes:
    """Write the statement that is signed, for a verdict that says passed or refused.

    Same verdict and times, same bytes.

    Raises:
        ValueError: the verdict is an error, of which no evidence is signed: a defect of the caller.
    """
    predicate = _predicate(verdict)
    predicate |= {"startedOn": format_time(started_on), "finishedOn": format_time(finished_on)}
    lists: dict[str, list[JsonValue]] = {
        "findings": [_finding(item) for item in verdict.findings[:MAX_FINDINGS]],
        "secrets": [_secret(item) for item in verdict.secrets[:MAX_FINDINGS]],
        "unopened": [*islice(_unopened(verdict), MAX_FINDINGS)],
    }
    while True:
        payload = render_statement(subjects, predicate_type, predicate | lists)
        if len(payload) <= MAX_PAYLOAD_BYTES or not any(lists.values()):
            return payload
        lists = {name: items[: len(items) // 2] for name, items in lists.items()}


def result_of(decision: Decision) -> VerificationResult:
    """Return what a decision is signed as; raises ValueError for an error, which is never signed."""
    match decision:
        case Decision.PASSED:
            return VerificationResult.PASSED
        case Decision.REFUSED:
            return VerificationResult.FAILED
        case Decision.ERROR:
            raise ValueError("nothing is signed where nothing was decided")


def _predicate(verdict: Verdict) -> dict[str, JsonValue]:
    return {
        "schemaVersion": SCHEMA_VERSION,
        "verdict": result_of(verdict.decision).value,
        "evaluatedAt": format_time(verdict.evaluated_at),
        "policy": {"name": verdict.policy.name, "uri": verdict.policy.uri, "digest": str(verdict.policy.digest)}
        | {"warn": [*verdict.policy.warn]},
        "environments": [*sorted(verdict.environments)],
        "subjects": _subjects(verdict),
        "checks": [_check(check) for check in sorted(verdict.checks, key=lambda check: check.id)],
        "findingsTotal": len(verdict.findings),
        "secretsTotal": len(verdict.secrets),
        "secretSearches": [_secret_search(item) for item in verdict.secret_searches],
        "waivers": [_waiver(item) for item in verdict.waivers],
        "tools": [_tool(use) for use in verdict.tools],
        "reports": [
            {"name": item.name, "mediaType": item.media_type, "digest": str(item.digest), "size": item.size}
            for item in verdict.reports
        ],
        "signatures": [
            {"key": item.key_id, "format": item.format, "bundle": str(item.attachment or ""), **trust_fields(item)}
            for item in verdict.signatures
        ],
        "trustedRoots": [_root(root) for root in verdict.trusted_roots],
        "image": _image(verdict),
        "demonstration": verdict.demonstration,
        "gatheredBy": _origin(verdict),
    }


def _origin(verdict: Verdict) -> dict[str, JsonValue]:
    """Return which other job scanned; empty where the signing process did so itself."""
    origin = verdict.origin
    if origin is None:
        return {}
    return {"file": str(origin.file), "gatheredAt": format_time(origin.gathered_at), "gate": origin.gate}


def trust_fields(signature: AcceptedSignature) -> dict[str, JsonValue]:
    """Return who signed and under which root, of what there is."""
    root = str(signature.trusted_root or "")
    fields = (("identity", signature.identity), ("issuer", signature.issuer), ("trustedRoot", root))
    return {name: value for name, value in fields if value}


def _root(root: UsedRoot) -> dict[str, JsonValue]:
    return {
        "name": root.name,
        "digest": str(root.digest),
        "source": root.source.value,
        "place": root.place,
        "newestEntryFrom": format_time(root.newest) if root.newest is not None else "",
        "ends": format_time(root.ends) if root.ends is not None else "",
    }


def _subjects(verdict: Verdict) -> list[JsonValue]:
    judged: list[JsonValue] = [
        {"digest": str(item.digest), "platform": str(item.platform or ""), "judged": True, "reason": ""}
        for item in verdict.subjects
    ]
    skipped: list[JsonValue] = [
        {"digest": str(item.digest), "platform": item.platform, "judged": False, "reason": item.reason}
        for item in verdict.skipped
    ]
    return judged + skipped


def _check(check: CheckResult) -> dict[str, JsonValue]:
    return {
        "id": check.id,
        "outcome": check.outcome.value,
        "warned": check.warned,
        "codes": [*check.codes],
        "message": check.message,
        "counts": dict(check.counts),
    }


def _finding(item: JudgedFinding) -> dict[str, JsonValue]:
    finding = item.finding
    fields: dict[str, JsonValue] = {
        "fingerprint": finding.fingerprint,
        "id": finding.id,
        "severity": finding.severity.value,
        "tools": [*sorted(tool.value for tool in finding.tools)],
        "package": str(finding.package.key),
        "location": finding.package.key.path,
        "subject": str(item.subject),
        "counts": item.counts,
        "code": item.code,
        "because": item.explanation,
    }
    return fields | {name: value for name, value in _excuses(item) if value}


def _excuses(item: JudgedFinding) -> tuple[tuple[str, JsonValue], ...]:
    return ("waivedBy", item.waived_by), ("vex", item.vex), ("warned", item.warned)


def _secret_search(item: SecretSearch) -> dict[str, JsonValue]:
    return {
        "subject": str(item.subject),
        "rules": str(item.rules_digest or ""),
        "fingerprintKey": item.key_id,
        "known": item.known,
        "unopenedTotal": len(item.unopened),
    }


def _unopened(verdict: Verdict) -> Iterator[JsonValue]:
    for search in verdict.secret_searches:
        for place, reason in search.unopened:
            yield {"subject": str(search.subject), "place": place, "reason": reason}


def _secret(item: JudgedSecret) -> dict[str, JsonValue]:
    secret = item.secret
    return {
        "fingerprint": secret.fingerprint,
        "rule": secret.rule,
        "place": secret.place.value,
        "location": secret.location,
        "paths": [*secret.names[:_MAX_NAMES]],
        "chain": [*secret.chain],
        "line": secret.line,
        "offset": secret.offset,
        "key": secret.key_path,
        "layer": str(secret.layer or ""),
        "hidden": secret.hidden,
        "severity": secret.severity.value,
        "confidence": secret.confidence.value if secret.confidence is not None else "",
        "grade": secret.grade.value,
        "origin": secret.origin.value,
        "package": secret.package,
        "tool": secret.tool.value,
        "subject": str(item.subject),
        "counts": item.counts,
        "because": item.explanation,
        "waivedBy": item.waived_by,
        "warned": item.warned,
    }


def _waiver(item: UsedWaiver) -> dict[str, JsonValue]:
    waiver = item.waiver
    return {
        "id": waiver.id,
        "check": waiver.check,
        "match": dict(waiver.match),
        "reason": waiver.reason,
        "owner": waiver.owner,
        "approvedBy": waiver.approved_by,
        "expires": waiver.expires.isoformat(),
        "used": item.state == "used",
        "state": item.state,
        "covers": item.covers,
    }


def _tool(use: ToolUse) -> dict[str, JsonValue]:
    return {
        "name": use.tool.name,
        "version": use.tool.version,
        "digest": str(use.tool.digest),
        "isolation": use.isolation.value,
        "databases": [_database(item) for item in use.databases],
    }


def _database(item: DatabaseIdentity) -> dict[str, JsonValue]:
    return {
        "name": item.name,
        "builtAt": format_time(item.built_at),
        "digest": str(item.digest),
        "schema": item.schema,
        "source": item.source,
        "demonstration": item.demonstration,
    }


def _image(verdict: Verdict) -> dict[str, JsonValue]:
    config = verdict.config
    if config is None:
        return {}
    return {
        "created": format_time(config.created) if config.created is not None else "",
        "user": config.user,
        "revision": config.labels.get(_REVISION, ""),
        "source": config.labels.get(_SOURCE, ""),
        "baseDigest": config.labels.get(_BASE, ""),
    }
