"""When an earlier verdict is given again: deciding now comes to the same, on the same grounds, and half its life is not over.

The decision is made each time, with the present clock (DESIGN, rule 11), from evidence of which the cache has what did not
change; so nothing that ended lives on. What is saved is the signature and the push. The key over everything that a verdict
depends on finds the earlier verdict in the record: the image, the policy, the tools and databases by digest, the environments,
the keys, the place, the trusted roots, and what others attached to the image.

A policy that points to unpinned files, or that was laid over on the command line, has no digest that covers what it says:
a verdict under it is never given again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.attachments import parse_attachment
from gate.codec.bundle import parse_bundle
from gate.codec.evidence_statement import result_of
from gate.codec.strict_json import canonical_json
from gate.codec.vsa import parse_summary, resource_uri
from gate.errors import GateError, StorageError
from gate.model.attachment import FAILED_VERDICT, Attachments
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.policy import signers_of
from gate.model.policy_signers import trusts_of
from gate.model.statement import VERIFICATION_SUMMARY
from gate.model.version import VERSION
from gate.pipeline.collect.context import SCANNERS
from gate.pipeline.issue.recording import read_intent, read_summary, read_verdict
from gate.pipeline.issue.statements import subject_descriptors
from gate.signers.signer import signer_name
from gate.verification.signature import signed_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import JsonValue
    from gate.model.attachment import Attachment
    from gate.model.policy import AttestSettings
    from gate.model.verdict import Problem, Verdict
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.issue.recording import Intent
    from gate.pipeline.options import CheckOptions
    from gate.pipeline.policies import LoadedPolicy
    from gate.store.record import Record, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVerdict:
    """An earlier verdict with what was signed of it: the intent where it was published, the bundle where it was signed."""

    row: Row
    verdict: Verdict
    intent: Intent | None
    summary: bytes | None


def inputs_of(
    subject: str,
    loaded: LoadedPolicy,
    options: CheckOptions,
    context: CollectContext,
    attached: Attachments | Unavailable | None,
    target: str,
) -> str:
    """Return the key over everything that a verdict depends on, or nothing where no key can cover it."""
    if loaded.obstacle:
        return ""
    databases = (context.databases.trivy, context.databases.java, context.databases.grype)
    tools = [context.tools[tool] for tool in SCANNERS]
    keys = [signer_name(signer) if signer else "" for signer in (options.signer, options.fail_signer)]
    parts: dict[str, JsonValue] = {
        "gate": VERSION,
        "subject": subject,
        "platforms": [str(platform) for platform in options.platforms],
        "policy": str(loaded.policy.digest),
        "environments": None if options.environments is None else [*sorted(options.environments)],
        "tools": ["" if isinstance(tool, Unavailable) else str(tool.identity.digest) for tool in tools],
        "databases": ["" if isinstance(item, Unavailable) else str(item.identity.digest) for item in databases],
        "secrets": [str(context.secret_material.digest), context.fingerprints.key_id],
        "keys": [*keys],
        "trustedRoots": [*sorted({str(trust.root.digest) for trust in trusts_of(signers_of(loaded.policy))})],
        "target": target,
        "attached": _attached(attached, loaded.policy.attest),
    }
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def _attached(attached: Attachments | Unavailable | None, settings: AttestSettings) -> list[JsonValue]:
    if attached is None:
        return []
    if isinstance(attached, Unavailable):
        return [attached.code]
    return [*sorted({_key_of(item) for item in attached.items if not _is_verdict(item, settings)})]


def _key_of(item: Attachment) -> str:
    # The legacy formats keep the signature in the annotations.
    annotations = canonical_json({name: item.annotations[name] for name in item.annotations})
    return f"{item.media_type} {Digest.of(item.content)} {Digest.of(annotations)}"


def _is_verdict(item: Attachment, settings: AttestSettings) -> bool:
    if item.media_type == FAILED_VERDICT:
        return True
    try:
        kind = signed_statement(parse_attachment(item)).predicate_type
    except GateError:
        return False
    return kind in {VERIFICATION_SUMMARY, settings.evidence_predicate_type}


def known_verdict(
    record: Record, inputs: str, verdict: Verdict, settings: AttestSettings, now: datetime
) -> KnownVerdict | None:
    """Return the newest verdict on these inputs if `verdict`, which was decided now, says the same, and it is young enough.

    `now` is the present moment and not the start of the run, which may have waited for another one that started later.
    """
    rows = record.verdicts_with_inputs(inputs) if inputs else ()
    if not rows or verdict.decision is Decision.ERROR:
        return None
    try:
        earlier = read_verdict(record, rows[0])
        intent, summary = _intent(record, rows[0]), read_summary(record, rows[0])
        known = KnownVerdict(row=rows[0], verdict=earlier, intent=intent, summary=summary)
    except StorageError:
        # Evidence that is damaged, or of another release: `gate record status` tells which.
        return None
    age = now - earlier.evaluated_at
    young = 0 <= age.total_seconds() < settings.max_age.total_seconds() / 2
    return known if young and same_grounds(earlier, verdict) and _says(known.summary, earlier, settings) else None


def same_grounds(one: Verdict, other: Verdict) -> bool:
    """Return whether two verdicts decide the same for the same reasons; the moment, and words that count days, aside."""
    return _grounds(one) == _grounds(other)


def _grounds(verdict: Verdict) -> tuple[object, ...]:
    return (
        (verdict.request, verdict.root, verdict.subjects, verdict.skipped),
        (verdict.decision, verdict.policy, verdict.environments, verdict.build_level, verdict.demonstration),
        tuple((check.id, check.outcome, check.warned, tuple(map(_reason, check.problems))) for check in verdict.checks),
        tuple(
            (
                found.finding.fingerprint,
                found.subject,
                found.counts,
                found.code,
                found.waived_by,
                found.vex,
                found.grace_until,
                found.warned,
            )
            for found in verdict.findings
        ),
        tuple(
            (found.secret.fingerprint, found.subject, found.counts, found.waived_by, found.warned)
            for found in verdict.secrets
        ),
        tuple((used.waiver, used.state, used.covers) for used in verdict.waivers),
        (verdict.tools, verdict.signatures, verdict.trusted_roots, verdict.origin),
    )


def _reason(problem: Problem) -> tuple[object, ...]:
    said = problem.code, problem.subject, problem.fingerprint, problem.location, problem.rule
    return (*said, problem.waived_by, problem.warned)


def _says(bundle: bytes | None, verdict: Verdict, settings: AttestSettings) -> bool:
    """Return whether a recorded summary is about this digest, repository and policy, with this decision; True without one."""
    repository, digest = verdict.request.repository, verdict.digest
    if bundle is None:
        return True
    if repository is None or digest is None:
        return False
    try:
        statement = signed_statement(parse_bundle(bundle))
        summary = parse_summary(statement, extension_prefixes=(settings.extension_prefix,))
    except GateError:
        return False
    subjects = {subject.digest for subject in summary.subjects}
    return (
        summary.result is result_of(verdict.decision)
        and summary.policy_digest == verdict.policy.digest
        and summary.resource_uri in {resource_uri(repository, subject) for subject in subjects}
        and {subject.digest for subject in subject_descriptors(verdict)} == subjects
    )


def _intent(record: Record, row: Row) -> Intent | None:
    intents = record.answers(row.number, "intent")
    return read_intent(record, intents[0]) if intents else None
