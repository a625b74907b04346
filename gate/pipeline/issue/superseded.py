"""Which of the gate's own verdicts on a digest are superseded: what `gate attest prune` removes, and publishing to make room.

Own is what verifies under the signers that the caller names, is about this digest, and is a summary of the gate, or the
evidence that only superseded summaries name. Kept is, for each policy, verifier and environment, the newest PASSED and the
newest FAILED: without the newest FAILED an older PASSED would count again (attack A15). What others attached is never own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gate.codec.attachments import parse_attachment
from gate.codec.vsa import parse_summary
from gate.errors import EvidenceError, RefusedError
from gate.model.digest import Digest
from gate.model.requirement import VerdictSigner
from gate.pipeline.attest_words import environment_prefixes
from gate.verification.verdict import verify_by_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.model.attachment import Attachment, Attachments, AttachmentSource
    from gate.model.policy_signers import Signer
    from gate.model.statement import VerificationSummary
    from gate.verification.signature import VerifiedSignature

_EVERYWHERE: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStatement:
    """A statement of our own: where it stands, and its payload's digest; `summary` and `at` where it is a verdict.

    `at` is a trusted time where there is one, else our own word. The content is not kept: there may be thousands.
    """

    manifest: Digest
    source: AttachmentSource
    payload: Digest
    summary: VerificationSummary | None = None
    at: datetime | None = None

    @property
    def says(self) -> str:
        """Return what it decided, or that it is evidence."""
        return self.summary.result.value if self.summary is not None else "evidence"

    def others(self, digest: Digest) -> tuple[Digest, ...]:
        """Return the subjects of the verdict other than this one."""
        subjects = self.summary.subjects if self.summary is not None else ()
        return tuple(subject.digest for subject in subjects if subject.digest != digest)


@dataclass(slots=True)
class OwnStatements:
    """All that is our own on one digest."""

    verdicts: list[OwnStatement] = field(default_factory=list)
    others: list[OwnStatement] = field(default_factory=list)

    def superseded(self) -> list[OwnStatement]:
        """Return the verdicts that are not the newest anywhere, then the evidence that only they name."""
        kept = self._kept()
        gone = [found for found in self.verdicts if found.manifest not in kept]
        named = {payload for found in self.verdicts if found.manifest in kept for payload in _inputs(found)}
        unnamed = {payload for found in gone for payload in _inputs(found)} - named
        return gone + [item for item in self.others if item.payload in unnamed]

    def _kept(self) -> frozenset[Digest]:
        """Return those that are the newest of their result in some environment; of equals all stay."""
        newest: dict[tuple[object, ...], datetime] = {}
        for found in self.verdicts:
            for group, at in _groups(found):
                newest[group] = max(at, newest.get(group, at))
        return frozenset(
            found.manifest for found in self.verdicts if any(at >= newest[group] for group, at in _groups(found))
        )


def read_own(pages: Iterable[Attachments], digest: Digest, signers: Iterable[Signer], now: datetime) -> OwnStatements:
    """Return what these signers stated of a digest, out of all that is attached to it."""
    accepted = tuple(VerdictSigner(signer=signer) for signer in signers)
    own = OwnStatements()
    for page in pages:
        for item in page.items:
            found = _own(item, digest, accepted, now)
            if found is not None:
                (own.others if found.summary is None else own.verdicts).append(found)
    return own


def _own(item: Attachment, digest: Digest, signers: tuple[VerdictSigner, ...], now: datetime) -> OwnStatement | None:
    try:
        verified, _ = verify_by_any(parse_attachment(item), signers, now)
    except (RefusedError, EvidenceError):
        return None
    if not verified.statement.names(digest):
        return None
    manifest = item.manifest or Digest.of(item.content)
    payload = Digest.of(verified.signature.payload)
    try:
        summary = parse_summary(verified.statement, extension_prefixes=environment_prefixes(verified.statement))
    except (RefusedError, EvidenceError):
        return OwnStatement(manifest=manifest, source=item.source, payload=payload)
    at = _time_of(verified.signature, summary)
    return OwnStatement(manifest=manifest, source=item.source, payload=payload, summary=summary, at=at)


def _time_of(signature: VerifiedSignature, summary: VerificationSummary) -> datetime:
    return min(signature.times, default=summary.time_verified).replace(microsecond=0)


def _inputs(found: OwnStatement) -> tuple[Digest, ...]:
    return tuple(entry.digest for entry in found.summary.inputs) if found.summary is not None else ()


def _groups(found: OwnStatement) -> Iterator[tuple[tuple[object, ...], datetime]]:
    """Yield what it may be the newest of, with its time: policy, verifier, name, result, and each environment."""
    summary, at = found.summary, found.at
    if summary is None or at is None:
        return
    key = (summary.policy_digest, summary.verifier_id, summary.resource_uri, summary.result)
    for environment in summary.environments or (_EVERYWHERE,):
        yield (*key, environment), at
