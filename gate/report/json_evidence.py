"""The parts of the JSON report that come from a verdict: findings, waivers, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.evidence_statement import trust_fields
from gate.codec.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.codec.strict_json import JsonValue
    from gate.model.evidence import DatabaseIdentity
    from gate.model.finding import ToolFinding
    from gate.model.image_config import ImageConfig
    from gate.model.severity import Severity
    from gate.model.verdict import (
        JudgedFinding,
        JudgedSecret,
        SecretSearch,
        ToolUse,
        UsedRoot,
        Verdict,
    )


def findings_of(verdict: Verdict, severities: frozenset[Severity] | None) -> Iterator[JsonValue]:
    """Return vulnerabilities, then secrets, of these severities (None: of all), in the verdict's order."""
    for found in verdict.findings:
        if severities is None or found.finding.severity in severities:
            yield _vulnerability(found)
    for secret in verdict.secrets:
        if severities is None or secret.secret.severity in severities:
            yield _secret(secret)


def waivers_of(verdict: Verdict) -> Iterator[JsonValue]:
    """Return every waiver of the policy and what became of it."""
    for used in verdict.waivers:
        waiver = used.waiver
        yield {
            "id": waiver.id,
            "state": used.state,
            "covers": used.covers,
            "check": waiver.check,
            "images": str(waiver.images),
            "match": dict(waiver.match),
            "reason": waiver.reason,
            "owner": waiver.owner,
            "approvedBy": waiver.approved_by,
            "expires": waiver.expires.isoformat(),
        }


def evidence_of(verdict: Verdict) -> dict[str, JsonValue]:
    """Return what the verdict rests on: subjects, tools, databases, signatures, trusted roots, and its own moment."""
    return {
        "evaluatedAt": format_time(verdict.evaluated_at),
        "demonstration": verdict.demonstration,
        **_built_and_scanned(verdict),
        "environments": [*verdict.environments],
        "request": {
            "repository": str(verdict.request.repository) if verdict.request.repository is not None else None,
            "tag": verdict.request.tag,
            "digestNow": str(verdict.request.hint) if verdict.request.hint is not None else None,
            "platforms": [str(platform) for platform in verdict.request.platforms],
        },
        "subjects": [
            {
                "digest": str(subject.digest),
                "mediaType": subject.media_type,
                "size": subject.size,
                "platform": str(subject.platform) if subject.platform is not None else None,
            }
            for subject in verdict.subjects
        ],
        "skipped": [
            {"digest": str(child.digest), "platform": child.platform, "reason": child.reason}
            for child in verdict.skipped
        ],
        "config": _config(verdict.config) if verdict.config is not None else None,
        "tools": [_tool(use) for use in verdict.tools],
        "reports": [
            {"name": report.name, "mediaType": report.media_type, "digest": str(report.digest), "size": report.size}
            for report in verdict.reports
        ],
        "secretSearches": [_secret_search(search) for search in verdict.secret_searches],
        "signatures": [
            {
                "keyId": found.key_id,
                "format": found.format,
                "attachment": _text(found.attachment),
                **trust_fields(found),
            }
            for found in verdict.signatures
        ],
        "trustedRoots": [_root(root) for root in verdict.trusted_roots],
        "disagreements": [
            {"subject": str(row.subject), "finding": row.finding, "package": row.package, "detail": row.detail}
            for row in verdict.disagreements
        ],
        "notes": [*verdict.notes],
    }


def _built_and_scanned(verdict: Verdict) -> dict[str, JsonValue]:
    """Return the build level where one was proven, and the other job where one scanned."""
    fields: dict[str, JsonValue] = {"buildLevel": verdict.build_level} if verdict.build_level else {}
    origin = verdict.origin
    if origin is not None:
        when = format_time(origin.gathered_at)
        fields["gatheredBy"] = {"file": str(origin.file), "gatheredAt": when, "gate": origin.gate}
    return fields


def _root(root: UsedRoot) -> JsonValue:
    return {
        "name": root.name,
        "digest": str(root.digest),
        "source": root.source.value,
        "place": root.place,
        "newestEntryFrom": format_time(root.newest) if root.newest is not None else None,
        "ends": format_time(root.ends) if root.ends is not None else None,
    }


def _text(value: object) -> str | None:
    return str(value) if value is not None else None


def _vulnerability(found: JudgedFinding) -> JsonValue:
    finding = found.finding
    key = finding.package.key
    return {
        "kind": "vulnerability",
        "id": finding.id,
        "aliases": [*sorted(finding.aliases)],
        "package": {
            "key": str(key),
            "type": key.type,
            "name": finding.package.name,
            "version": finding.package.version,
            "purl": finding.package.purl,
            "path": key.path,
        },
        "severity": finding.severity.value,
        "fixState": finding.fix_state.value,
        "fixedVersions": list(finding.fixed_versions),
        "kev": [*sorted(finding.kev)],
        "epss": finding.epss.score if finding.epss is not None else None,
        "seenBy": [_seen(seen) for seen in finding.seen_by],
        "fingerprint": finding.fingerprint,
        "subject": str(found.subject),
        "counts": found.counts,
        "code": found.code,
        "because": found.explanation,
        "waivedBy": found.waived_by,
        "warned": found.warned,
        "vex": found.vex,
        "graceUntil": format_time(found.grace_until) if found.grace_until is not None else None,
    }


def _seen(seen: ToolFinding) -> JsonValue:
    return {
        "tool": seen.tool.value,
        "id": seen.id,
        "severity": seen.severity.value,
        "severityText": seen.severity_text,
        "severitySource": seen.severity_source,
        "fixedVersions": list(seen.fixed_versions),
        "title": seen.title,
        "url": seen.url,
    }


def _secret(found: JudgedSecret) -> JsonValue:
    secret = found.secret
    return {
        "kind": "secret",
        "id": secret.rule,
        "title": secret.title,
        "severity": secret.severity.value,
        "place": secret.place.value,
        "location": secret.location,
        "paths": [*secret.names],
        "chain": [*secret.chain],
        "line": secret.line,
        "offset": secret.offset,
        "key": secret.key_path,
        "prefix": secret.prefix,
        "confidence": secret.confidence.value if secret.confidence is not None else None,
        "grade": secret.grade.value,
        "origin": secret.origin.value,
        "package": secret.package,
        "layer": _text(secret.layer),
        "file": _text(secret.file_digest),
        "hidden": secret.hidden,
        "tool": secret.tool.value,
        "fingerprint": secret.fingerprint,
        "subject": str(found.subject),
        "counts": found.counts,
        "because": found.explanation,
        "waivedBy": found.waived_by,
        "warned": found.warned,
    }


def _secret_search(search: SecretSearch) -> JsonValue:
    return {
        "subject": str(search.subject),
        "rules": _text(search.rules_digest),
        "fingerprintKey": search.key_id,
        "known": search.known,
        "unopened": [{"place": place, "reason": reason} for place, reason in search.unopened],
    }


def _tool(use: ToolUse) -> JsonValue:
    return {
        "name": use.tool.name,
        "version": use.tool.version,
        "digest": str(use.tool.digest),
        "isolation": use.isolation.value,
        "databases": [_database(database) for database in use.databases],
    }


def _database(database: DatabaseIdentity) -> JsonValue:
    return {
        "name": database.name,
        "digest": str(database.digest),
        "builtAt": format_time(database.built_at),
        "schema": database.schema,
        "source": database.source,
        "demonstration": database.demonstration,
    }


def _config(config: ImageConfig) -> JsonValue:
    """Return the facts that reports show; never `env`, labels or history, in which secrets are found."""
    return {
        "platform": str(config.platform),
        "created": format_time(config.created) if config.created is not None else None,
        "user": config.user,
        "exposedPorts": list(config.exposed_ports),
        "layers": len(config.diff_ids),
    }
