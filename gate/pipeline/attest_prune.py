"""Remove the gate's own superseded verdicts from a digest, where the registry can delete.

Own is what verifies under the signers that the user names, is about this digest, and is a summary of the gate, or the evidence
that only removed summaries name. Kept is, for each policy, verifier and environment, the newest PASSED and the newest FAILED:
without the newest FAILED an older PASSED would count again (attack A15). Signatures and attestations of others are never
touched. What could not be removed is said, and why.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.clock import Clock, Deadline
from gate.codec.attachments import parse_attachment
from gate.codec.vsa import parse_summary
from gate.errors import EvidenceError, GateError, ReferenceRefusedError, RefusedError, UsageError
from gate.images.attachments import collect_attachments
from gate.images.registry_source import RegistrySource
from gate.model.attachment import AttachmentSource
from gate.model.digest import Digest
from gate.model.reference import RegistryReference, parse_reference
from gate.model.requirement import VerdictSigner
from gate.pipeline.attest_words import environment_prefixes
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.verification.verdict import verify_by_any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.model.attachment import Attachment, Attachments
    from gate.model.policy_signers import Signer
    from gate.model.reference import Repository
    from gate.model.statement import VerificationSummary

_EVERYWHERE: Final = ""
_IN_TAG: Final = "it stands under Cosign's .att tag, together with attestations of others"
_REFERRERS: Final = frozenset({AttachmentSource.REFERRER, AttachmentSource.FALLBACK_TAG})


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """Whose verdicts are own, and whether they are removed or only named."""

    signers: tuple[Signer, ...]
    dry_run: bool = False
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    timeout: timedelta = timedelta(minutes=2)

    def within(self, timeout: timedelta) -> PruneOptions:
        """Return the same with another time limit."""
        return replace(self, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedManifest:
    """One superseded manifest: `state` is `removed`, `superseded` (a dry run), or the code of why it is still there."""

    state: str
    subject: Digest
    manifest: Digest
    says: str
    time: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """A verdict of ours, as it was found; `at` is a trusted time where there is one, else our own word."""

    item: Attachment
    summary: VerificationSummary
    payload: Digest
    at: datetime


def prune_verdicts(reference: str, options: PruneOptions, *, clock: Clock | None = None) -> tuple[PrunedManifest, ...]:
    """Remove superseded verdicts from a digest, and from the other subjects that they name; newest first is what stays.

    Where the operator named another repository for attestations, that one is pruned too, each by what it holds itself.

    Raises:
        UsageError: the image is not in a registry; ReferenceRefusedError: a tag; RegistryError: it cannot be asked.
    """
    used = clock or Clock()
    parsed = parse_reference(reference)
    if not isinstance(parsed, RegistryReference):
        raise UsageError("verdicts are only pruned in registries", expected="registry/repository@sha256:...")
    if parsed.digest is None:
        raise ReferenceRefusedError("what hangs on a tag is not clear", expected=f"{parsed.repository}@sha256:...")
    with ExitStack() as opened:
        client = opened.enter_context(RegistryClient(options.registry, Deadline.after(options.timeout, used)))
        places = dict.fromkeys((parsed.repository, options.registry.attestations_of(parsed.repository)))
        return tuple(pruned for place in places for pruned in _prune(client, place, parsed.digest, options, used.now()))


def _prune(
    client: RegistryClient, repository: Repository, digest: Digest, options: PruneOptions, now: datetime
) -> list[PrunedManifest]:
    source = RegistrySource(client, repository, digest)
    found = _superseded(collect_attachments(source, digest), options, now)
    pruned = [_removed(client, repository, digest, item, options) for item in found]
    for other in dict.fromkeys(subject for item in found for subject in item.others):
        hanging = collect_attachments(source, other)
        same = [item for item in _superseded(hanging, options, now) if item.payload in _payloads(found)]
        pruned += [_removed(client, repository, other, item, options) for item in same]
    return pruned


@dataclass(frozen=True, slots=True, kw_only=True)
class _Superseded:
    """What is to go: where it stands, what it says, and the other subjects of its statement."""

    item: Attachment
    says: str
    time: datetime | None
    payload: Digest
    others: tuple[Digest, ...] = ()


def _payloads(found: Sequence[_Superseded]) -> frozenset[Digest]:
    return frozenset(item.payload for item in found)


def _superseded(attachments: Attachments, options: PruneOptions, now: datetime) -> list[_Superseded]:
    signers = tuple(VerdictSigner(signer=signer) for signer in options.signers)
    own = [found for item in attachments.items if (found := _own(item, attachments.digest, signers, now)) is not None]
    kept = _kept(own)
    gone = [found for found in own if found.item not in kept]
    named = {entry.digest for found in own if found.item in kept for entry in found.summary.inputs}
    unnamed = {entry.digest for found in gone for entry in found.summary.inputs} - named
    evidence = (_evidence(item, attachments.digest, signers, unnamed, now) for item in attachments.items)
    return [_of_verdict(found, attachments.digest) for found in gone] + [item for item in evidence if item is not None]


def _own(item: Attachment, digest: Digest, signers: tuple[VerdictSigner, ...], now: datetime) -> _Own | None:
    try:
        verified, _ = verify_by_any(parse_attachment(item), signers, now)
        summary = parse_summary(verified.statement, extension_prefixes=environment_prefixes(verified.statement))
    except (RefusedError, EvidenceError):
        return None
    if all(subject.digest != digest for subject in summary.subjects):
        return None
    at = min(verified.signature.times, default=summary.time_verified).replace(microsecond=0)
    return _Own(item=item, summary=summary, payload=Digest.of(verified.signature.payload), at=at)


def _kept(own: Sequence[_Own]) -> frozenset[Attachment]:
    """Return those that are the newest of their result anywhere; of equals all stay."""
    kept: set[Attachment] = set()
    for found in own:
        for place in found.summary.environments or (_EVERYWHERE,):
            group = _key(found, place)
            rivals = [
                other
                for other in own
                for where in other.summary.environments or (_EVERYWHERE,)
                if _key(other, where) == group
            ]
            if found.at >= max(rival.at for rival in rivals):
                kept.add(found.item)
    return frozenset(kept)


def _key(found: _Own, environment: str) -> tuple[object, ...]:
    summary = found.summary
    return (summary.policy_digest, summary.verifier_id, summary.resource_uri, summary.result, environment)


def _of_verdict(found: _Own, digest: Digest) -> _Superseded:
    subjects = (subject.digest for subject in found.summary.subjects)
    return _Superseded(
        item=found.item,
        says=found.summary.result.value,
        time=found.at,
        payload=found.payload,
        others=tuple(subject for subject in subjects if subject != digest),
    )


def _evidence(
    item: Attachment,
    digest: Digest,
    signers: tuple[VerdictSigner, ...],
    unnamed: set[Digest],
    now: datetime,
) -> _Superseded | None:
    """Return evidence of ours that only verdicts name which go."""
    try:
        verified, _ = verify_by_any(parse_attachment(item), signers, now)
    except (RefusedError, EvidenceError):
        return None
    payload = Digest.of(verified.signature.payload)
    if payload not in unnamed or not verified.statement.names(digest):
        return None
    return _Superseded(item=item, says="evidence", time=None, payload=payload)


def _removed(
    client: RegistryClient, repository: Repository, subject: Digest, found: _Superseded, options: PruneOptions
) -> PrunedManifest:
    manifest = found.item.manifest or Digest.of(found.item.content)
    state, problem = "superseded", ""
    if found.item.source not in _REFERRERS:
        state, problem = "kept", _IN_TAG
    elif not options.dry_run:
        state, problem = _delete(client, repository, subject, manifest)
    return PrunedManifest(
        state=state, subject=subject, manifest=manifest, says=found.says, time=found.time, problem=problem
    )


def _delete(client: RegistryClient, repository: Repository, subject: Digest, manifest: Digest) -> tuple[str, str]:
    """Delete first and unlist then: a list that still names what is gone is read as that, the other way round as nothing."""
    try:
        client.delete_manifest(repository, manifest)
        client.unlist_under_tag(repository, subject, manifest)
    except GateError as error:
        return error.code, error.message
    return "removed", ""
