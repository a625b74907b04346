"""What hangs on a digest, who signed it, and what verifies under the signers that the user trusts.

Shows and decides nothing: a row that verifies says that the signature is good and about this digest, not that the image may run.
What is shown of an attachment that does not verify is its writer's word, and is marked as such by its state. Names from the
network never become file names: what is saved is named by its digest (attack R09).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.clock import Clock, Deadline
from gate.codec.attachments import parse_attachment
from gate.codec.bundle import key_hint
from gate.codec.strict_json import printable
from gate.codec.times import format_time
from gate.disk.output import write_output
from gate.errors import AttestationError, EvidenceError, GateError, ReferenceRefusedError, RefusedError, StorageError
from gate.images.attachments import collect_everywhere
from gate.images.open_source import open_source
from gate.model.attachment import FAILED_VERDICT
from gate.model.bundle import Envelope, KeyHint
from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.policy_signers import KeySigner
from gate.model.reference import RegistryReference, parse_reference
from gate.model.statement import COSIGN_SIGNATURE, VERIFICATION_SUMMARY
from gate.pipeline.attached import attachment_places
from gate.pipeline.attest_words import ShownVerdict, attached_reasons, shown_verdict
from gate.pipeline.collect.context import attempt
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.verification.match import is_attestation
from gate.verification.progress import furthest
from gate.verification.signature import signed_statement, verify_image_signature, verify_statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from gate.model.attachment import Attachment
    from gate.model.bundle import Bundle
    from gate.model.policy import Policy
    from gate.model.policy_signers import Signer
    from gate.model.reference import Repository
    from gate.model.requirement import Requirement

GOOD: Final = "ok"
UNCHECKED: Final = "unchecked"
SIGNATURE: Final = "signature of the image"
_DECISIONS: Final = {"PASSED": "passed", "FAILED": "refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """Whose signatures count, and where what is found is saved; without `signers` nothing is verified.

    `attestations_in` is a repository that is asked beside the image's own and the one that `registry` names for its host.
    """

    signers: tuple[Signer, ...] = ()
    save: Path | None = None
    attestations_in: Repository | None = None
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    timeout: timedelta = timedelta(minutes=1)

    def within(self, timeout: timedelta) -> ShowOptions:
        """Return the same with another time limit."""
        return replace(self, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAttachment:
    """One attachment: `state` is `ok`, `unchecked`, or the code of the reason; `signer` is only given where it verified.

    `type`, `says` (a verdict's result) and `verdict` are what is written there, verified or not. `digest` is that of the
    content, `manifest` that of what holds it.
    """

    state: str
    type: str
    says: str
    signer: str
    trusted_time: datetime | None
    source: str
    digest: Digest
    manifest: Digest | None
    size_bytes: int
    verdict: ShownVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAttachments:
    """All attachments of a digest, in the order in which they were found; `ignored` counts others by media type."""

    digest: Digest
    items: tuple[ShownAttachment, ...]
    ignored: tuple[tuple[str, int], ...]


def show_attachments(reference: str, options: ShowOptions, *, clock: Clock | None = None) -> ShownAttachments:
    """List what hangs on the digest that a reference names, and save it where a folder is given.

    Raises:
        ReferenceRefusedError: it names a tag; RegistryError: it cannot be asked; StorageError: it cannot be saved.
    """
    used = clock or Clock()
    parsed = parse_reference(reference)
    if isinstance(parsed, RegistryReference) and parsed.digest is None:
        raise ReferenceRefusedError("what hangs on a tag is not clear", expected=f"{parsed.repository}@sha256:...")
    with ExitStack() as opened:
        client = opened.enter_context(RegistryClient(options.registry, Deadline.after(options.timeout, used)))
        source = open_source(parsed, client)
        asked = parsed.digest if isinstance(parsed, RegistryReference) else None
        digest = asked or source.root().digest
        places = attachment_places(parsed, source, digest, client, options.registry, options.attestations_in)
        found = collect_everywhere(places, digest)
    if options.save is not None:
        save_contents(options.save, found.items)
    now = used.now()
    reasons = attached_reasons(found.items)
    items = tuple(
        replace(_shown(item, found.digest, options.signers, now), verdict=shown_verdict(item, reasons))
        for item in found.items
    )
    return ShownAttachments(digest=found.digest, items=items, ignored=found.ignored)


def save_contents(folder: Path, items: Sequence[Attachment]) -> None:
    """Write each content under its digest; raises StorageError `OUT_WRITE`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "the folder cannot be made", code="OUT_WRITE", expected=str(folder), seen=error.strerror or ""
        ) from error
    for item in items:
        write_output(folder / f"sha256-{Digest.of(item.content).hex}.json", item.content)


def signers_of_policy(policy: Policy) -> tuple[Signer, ...]:
    """Return everybody whom a policy trusts to sign anything, each once."""
    rules = (signer for rule in policy.signature or () for signer in (*rule.any_of, *rule.all_of))
    built = policy.provenance.signers if policy.provenance is not None else ()
    attested = (signer for rule in policy.attestations for signer in rule.signers)
    authors = policy.vulnerabilities.vex_authors if policy.vulnerabilities is not None else ()
    return tuple(dict.fromkeys((*rules, *built, *attested, *(author.signer for author in authors))))


def signers_of_requirement(requirement: Requirement) -> tuple[Signer, ...]:
    """Return everybody whom a requirement trusts to sign verdicts or images, each once."""
    rules = [entry.verdict for entry in requirement.images if entry.verdict is not None]
    verdicts = (item.signer for rule in rules for item in (*rule.signed_by, *rule.failed_by))
    images = [entry.signature for entry in requirement.images if entry.signature is not None]
    return tuple(dict.fromkeys((*verdicts, *(signer for rule in images for signer in (*rule.any_of, *rule.all_of)))))


def _shown(item: Attachment, digest: Digest, signers: Sequence[Signer], now: datetime) -> ShownAttachment:
    bundle = attempt(lambda: parse_attachment(item))
    if isinstance(bundle, Unavailable):
        return _row(item, state=bundle.code, kind=printable(item.media_type, 80))
    kind, says = _claims(bundle)
    failed = item.media_type == FAILED_VERDICT
    if not signers:
        return _row(item, state=UNCHECKED, kind=kind, says=says)
    errors: list[GateError] = []
    for signer in signers:
        try:
            name, times = _verified(bundle, signer, digest, now, attested=failed or is_attestation(bundle))
        except (RefusedError, EvidenceError) as error:
            errors.append(error)
            continue
        return _row(item, state=GOOD, kind=kind, says=says, signer=name, time=min(times, default=None))
    refusal = furthest(errors)
    code = refusal.code if refusal is not None else UNCHECKED
    foreign = code == "SIG_INVALID" and not _claims_one_of(bundle, signers)
    return _row(item, state="ID_MISMATCH" if foreign else code, kind=kind, says=says)


def _verified(
    bundle: Bundle, signer: Signer, digest: Digest, now: datetime, *, attested: bool
) -> tuple[str, tuple[datetime, ...]]:
    if not attested:
        signature = verify_image_signature(bundle, signer=signer, expected=digest, now=now)
        return signature.signer, signature.times
    verified = verify_statement(bundle, signer=signer, now=now)
    if not verified.statement.names(digest):
        raise AttestationError("the statement is about another digest", code="ATT_SUBJECT_MISMATCH")
    return verified.signature.signer, verified.signature.times


def _claims_one_of(bundle: Bundle, signers: Sequence[Signer]) -> bool:
    hint = bundle.material.hint if isinstance(bundle.material, KeyHint) else ""
    return hint in {key_hint(signer.key) for signer in signers if isinstance(signer, KeySigner)}


def _claims(bundle: Bundle) -> tuple[str, str]:
    """Return the predicate type and, of a verdict, its result: as written."""
    if not isinstance(bundle.content, Envelope):
        return SIGNATURE, ""
    try:
        statement = signed_statement(bundle)
        if statement.predicate_type == COSIGN_SIGNATURE:
            return SIGNATURE, ""
        said = ""
        if statement.predicate_type == VERIFICATION_SUMMARY:
            said = printable(statement.view.object("predicate").optional_text("verificationResult"), 16)
    except RefusedError as error:
        return error.code, ""
    return printable(statement.predicate_type), said


def in_words(item: ShownAttachment) -> str:
    """Return one sentence about a verdict: what it decided, why, under which policy, for which environment, when, by whom."""
    verdict = item.verdict
    if verdict is None:
        return ""
    why = f" ({', '.join(verdict.reasons)})" if verdict.reasons else ""
    if item.says == "FAILED" and not verdict.has_evidence:
        why = " (its evidence is not attached)"
    where = f"for {', '.join(verdict.environments)}" if verdict.environments else "for no environment"
    who = f"signed by {item.signer}" if item.state == GOOD else f"not verified: {item.state}"
    place = (item.manifest or item.digest).short
    when = format_time(verdict.judged)
    return (
        f"{place}: {_DECISIONS.get(item.says, item.says)}{why} under policy {verdict.policy}, {where}, at {when}, {who}"
    )


def _row(
    item: Attachment, *, state: str, kind: str, says: str = "", signer: str = "", time: datetime | None = None
) -> ShownAttachment:
    return ShownAttachment(
        state=state,
        type=kind,
        says=says,
        signer=signer,
        trusted_time=time,
        source=item.source.value,
        digest=Digest.of(item.content),
        manifest=item.manifest,
        size_bytes=len(item.content),
    )
