"""`verify-bundle`: verify any Sigstore bundle over a file or a digest, offline, on the one path of verification.

The signer and the trusted root are the caller's; a bundle says nothing about either. For an identity one transparency log and
a proof that the certificate is logged are demanded; for a key nothing, but a log entry or timestamp that is there must
verify.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.bundle import parse_bundle
from gate.model.digest import Digest
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.signer import PublicKey
from gate.pipeline.inputs import read_input
from gate.verification.signature import verify_artifact

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gate.model.identity import Identity
    from gate.model.policy_signers import Signer
    from gate.model.trust import Trust
    from gate.verification.signature import VerifiedSignature
    from gate.verification.vouchers import Artifact

# A larger artifact is verified by its digest, which any program computes.
MAX_ARTIFACT_BYTES = 1 << 30


def verify_bundle(
    bundle: bytes,
    artifact: Artifact,
    *,
    signer: PublicKey | Identity,
    trusted_root: bytes | None = None,
    now: datetime,
) -> VerifiedSignature:
    """Verify a bundle over an artifact's bytes, or over its digest; `trusted_root` None is the public instance's.

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
        who = KeylessSigner(identity=signer, trust=_trust(trusted_root))
    return verify_artifact(parsed, signer=who, artifact=artifact, now=now)


def _trust(trusted_root: bytes | None) -> Trust:
    # Imported where a root is asked for: keys need none, and reading certificates takes longer than verifying by a key.
    from gate.pipeline.trust import given_trust  # noqa: PLC0415

    return given_trust(trusted_root)


def read_artifact(text: str, path: Path) -> Artifact:
    """Give what a text names: the digest that it is, or the bytes of a file; a digest is never a file's name."""
    return Digest(text) if text.startswith("sha256:") else read_input(path, limit_bytes=MAX_ARTIFACT_BYTES)
