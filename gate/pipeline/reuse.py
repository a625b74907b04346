"""When an earlier verdict may be given again: everything that it depends on is unchanged, and half its life is not over.

The key covers the image, the policy, the tools and databases by digest, the environments, the keys, the place, the trusted
roots, and what others attached to the image. A root that the policy pins is in the policy's digest; the public one, which the
`sigstore` package ships, is not. The gate's own verdicts are left out of the key, or each would invalidate itself; they can
neither be a signature of an image nor a VEX document, so nothing that decides is left out.

A policy that points to unpinned files, or that was laid over on the command line, has no digest that covers what it says:
a verdict under it is never given again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.attachments import parse_attachment
from gate.codec.strict_json import canonical_json
from gate.errors import GateError, StorageError
from gate.model.attachment import FAILED_VERDICT, Attachments
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence import Unobtained
from gate.model.policy import signers_of
from gate.model.policy_signers import trusts_of
from gate.model.statement import VERIFICATION_SUMMARY
from gate.model.version import VERSION
from gate.pipeline.recording import read_intent, read_summary, read_verdict
from gate.pipeline.workshop import SCANNERS
from gate.signers.signer import signer_name
from gate.verification.signature import signed_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import JsonValue
    from gate.model.attachment import Attachment
    from gate.model.policy import AttestSettings
    from gate.model.verdict import Verdict
    from gate.pipeline.options import CheckOptions
    from gate.pipeline.policies import LoadedPolicy
    from gate.pipeline.recording import Intent
    from gate.pipeline.workshop import Workshop
    from gate.store.record import Record, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVerdict:
    """An earlier verdict with what was signed of it: the intent where it was published, the bundle where it was signed."""

    verdict: Verdict
    intent: Intent | None
    summary: bytes | None


def inputs_of(
    subject: str,
    loaded: LoadedPolicy,
    options: CheckOptions,
    workshop: Workshop,
    attached: Attachments | Unobtained | None,
    target: str,
) -> str:
    """Give the key over everything that a verdict depends on, or nothing where no key can cover it."""
    if loaded.obstacle:
        return ""
    databases = (workshop.databases.trivy, workshop.databases.java, workshop.databases.grype)
    tools = [workshop.tools[tool] for tool in SCANNERS]
    keys = [signer_name(signer) if signer else "" for signer in (options.signer, options.fail_signer)]
    parts: dict[str, JsonValue] = {
        "gate": VERSION,
        "subject": subject,
        "platforms": [str(platform) for platform in options.platforms],
        "policy": str(loaded.policy.digest),
        "environments": None if options.environments is None else [*sorted(options.environments)],
        "tools": ["" if isinstance(tool, Unobtained) else str(tool.identity.digest) for tool in tools],
        "databases": ["" if isinstance(item, Unobtained) else str(item.identity.digest) for item in databases],
        "secrets": [str(workshop.secret_material.digest), workshop.fingerprints.key_id],
        "keys": [*keys],
        "trustedRoots": [*sorted({str(trust.root.digest) for trust in trusts_of(signers_of(loaded.policy))})],
        "target": target,
        "attached": _attached(attached, loaded.policy.attest),
    }
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def _attached(attached: Attachments | Unobtained | None, settings: AttestSettings) -> list[JsonValue]:
    if attached is None:
        return []
    if isinstance(attached, Unobtained):
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


def known_verdict(record: Record, inputs: str, settings: AttestSettings, now: datetime) -> KnownVerdict | None:
    """Give the newest verdict on these inputs, if it is young enough; what could not be judged is never given again."""
    rows = record.verdicts_with_inputs(inputs) if inputs else ()
    if not rows:
        return None
    try:
        verdict = read_verdict(record, rows[0])
        known = KnownVerdict(verdict=verdict, intent=_intent(record, rows[0]), summary=read_summary(record, rows[0]))
    except StorageError:
        # Evidence that is damaged, or of another release: it is gathered anew, and `gate audit verify` tells which.
        return None
    age = now - verdict.evaluated_at
    young = 0 <= age.total_seconds() < settings.max_age.total_seconds() / 2
    return known if young and verdict.decision is not Decision.ERROR else None


def _intent(record: Record, row: Row) -> Intent | None:
    intents = record.answers(row.number, "intent")
    return read_intent(record, intents[0]) if intents else None
