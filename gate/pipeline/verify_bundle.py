"""`verify-bundle`: verify any Sigstore bundle over a file or a digest, offline, on the one path of verification.

The signer and the trusted root are the caller's; a bundle says nothing about either. For an identity one transparency log and
a proof that the certificate is logged are demanded; for a key nothing, but a log entry or timestamp that is there must
verify.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.codec.bundle import parse_bundle
from gate.codec.statement import parse_statement
from gate.codec.strict_json import printable
from gate.errors import RefusedError
from gate.model.bundle import SignatureFormat
from gate.model.digest import Digest
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE
from gate.model.signer import PublicKey
from gate.model.statement import VERIFICATION_SUMMARY, VerificationResult
from gate.pipeline.inputs import read_input
from gate.verification.signature import verify_artifact

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.identity import Identity
    from gate.model.policy_signers import Signer
    from gate.model.trust import Trust
    from gate.verification.countersignatures import Artifact
    from gate.verification.signature import VerifiedSignature

# A larger artifact is verified by its digest, which any program computes.
MAX_ARTIFACT_BYTES = 1 << 30
# Predicates that are verdicts: the field with the result. The first drafts of the summary wrote it in another form.
_RESULTS: Final = MappingProxyType(
    {
        VERIFICATION_SUMMARY: "verificationResult",
        "https://slsa.dev/verification_summary/v0.2": "verification_result",
        "https://slsa.dev/verification_summary/v0.1": "verification_result",
        DEFAULT_EVIDENCE_TYPE: "verdict",
    }
)


def verify_bundle(
    bundle: bytes,
    artifact: Artifact,
    *,
    signer: PublicKey | Identity,
    trusted_root: bytes | None = None,
    demand: EvidenceDemand | None = None,
    now: datetime,
) -> VerifiedSignature:
    """Verify a bundle over an artifact's bytes, or over its digest; `trusted_root` None is the public instance's.

    `demand` is what must stand beside an identity's signature under a given root; None: one log, and a logged certificate.

    Raises:
        SignatureError, AttestationError: the code of the first step that does not hold.
        UsageError: `ROOT_MALFORMED`.
        EvidenceError: `ROOT_EMPTY`, `ROOT_MISSING`.
    """
    parsed = parse_bundle(bundle)
    who: Signer
    if isinstance(signer, PublicKey):
        # A key alone needs no root; what stands beside its signature does.
        vouched = bool(parsed.entries or parsed.timestamps)
        who = KeySigner(key=signer, trust=_trust(trusted_root) if vouched or trusted_root is not None else None)
    else:
        who = KeylessSigner(identity=signer, trust=_trust(trusted_root, demand))
    return verify_artifact(parsed, signer=who, artifact=artifact, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a verified signature is about: the predicate's type, and of a verdict what it says, both printable.

    `admits` is False for a verdict, or evidence of one, that does not literally say PASSED: that it is well signed is no pass.
    """

    predicate_type: str = ""
    says: str = ""
    admits: bool = True


def claimed(verified: VerifiedSignature) -> Claim:
    """Return what a verified statement claims; a signature over an artifact claims nothing more."""
    if not verified.payload or verified.format is SignatureFormat.LEGACY_SIGNATURE:
        return Claim()
    statement = parse_statement(verified.payload)
    kind = statement.predicate_type
    field = _RESULTS.get(kind, "")
    if not field:
        return Claim(predicate_type=printable(kind))
    try:
        says = statement.view.object("predicate").optional_text(field)
    except RefusedError:
        says = ""
    admits = says == VerificationResult.PASSED.value
    return Claim(predicate_type=printable(kind), says=printable(says, 16), admits=admits)


def _trust(trusted_root: bytes | None, demand: EvidenceDemand | None = None) -> Trust:
    # Imported where a root is asked for: keys need none, and reading certificates takes longer than verifying by a key.
    from gate.pipeline.trust import given_trust  # noqa: PLC0415

    return given_trust(trusted_root, demand)


def read_artifact(text: str, path: Path) -> Artifact:
    """Return what a text names: the digest that it is, or the bytes of a file; a digest is never a file's name."""
    return Digest(text) if text.startswith("sha256:") else read_input(path, limit_bytes=MAX_ARTIFACT_BYTES)
