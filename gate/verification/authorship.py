"""Who signed a claim, and nothing more: no log, no timestamp, no window of a key.

Two users. Before the numbered steps are run for a signer it is asked whether the signature is that signer's at all, so that
500 foreign attachments cost 500 cheap answers. And a FAILED verdict needs no more than this (DESIGN rule 12): whatever
disqualifies a PASSED one, its key's end or an unknown log, is no reason to admit an image that the gate refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.bundle import key_hint
from gate.errors import EvidenceError, RefusedError, SignatureError
from gate.model.bundle import KeyHint
from gate.model.policy_signers import KeySigner
from gate.verification.raw_signature import verify_bytes

if TYPE_CHECKING:
    from gate.codec.signed_claim import SignedClaim
    from gate.model.bundle import Bundle
    from gate.model.policy_signers import KeylessSigner, Signer
    from gate.model.signer import PublicKey


def require_author(claim: SignedClaim, signer: Signer, *, anchored: bool) -> None:
    """Raise unless one of the claim's signatures is this signer's.

    `anchored` demands that a certificate leads to the signer's trusted root, at its own first moment: without a trusted
    time nothing says when it was used.

    Raises:
        SignatureError: the code of what does not hold.
    """
    if isinstance(signer, KeySigner):
        _require_signature(claim, signer.key)
    else:
        _require_certificate(claim, signer, anchored=anchored)


def require_own(claim: SignedClaim, bundle: Bundle, signer: Signer) -> None:
    """Raise before the costly steps if the signature is not this signer's; a broken one of its own is told apart.

    Raises:
        SignatureError: `SIG_INVALID` where it claims to be by this key; `ID_MISMATCH` and others where it does not.
    """
    try:
        require_author(claim, signer, anchored=False)
    except SignatureError as error:
        ours = isinstance(signer, KeySigner) and hint_of(bundle) == key_hint(signer.key)
        if error.code != "SIG_INVALID" or ours:
            raise
        raise SignatureError(
            "the signature is by another signer", code="ID_MISMATCH", expected=str(signer), seen="another signer"
        ) from error


def hint_of(bundle: Bundle) -> str:
    """Return the unsigned word of a bundle about its key, or ""."""
    return bundle.material.hint if isinstance(bundle.material, KeyHint) else ""


def is_author(claim: SignedClaim, signer: Signer) -> bool:
    """Say whether one of the claim's signatures is this signer's, anchored."""
    try:
        require_author(claim, signer, anchored=True)
    except (RefusedError, EvidenceError):
        return False
    return True


def _require_signature(claim: SignedClaim, key: PublicKey) -> None:
    covered = claim.covered
    refusals: list[SignatureError] = []
    for signature in claim.signatures:
        try:
            return verify_bytes(key, signature, covered)
        except SignatureError as error:
            refusals.append(error)
    raise refusals[-1] if refusals else SignatureError("the envelope carries no signature", code="SIG_INVALID")


def _require_certificate(claim: SignedClaim, signer: KeylessSigner, *, anchored: bool) -> None:
    # Only identities pay for reading certificates.
    from gate.verification.certificates import signing_leaf, verify_chain  # noqa: PLC0415
    from gate.verification.identity import verify_identity  # noqa: PLC0415

    if claim.certificate is None:
        raise SignatureError(
            "the signature was made with a key, and another signer is demanded",
            code="ID_MISMATCH",
            expected="a signature with a certificate",
            seen="a key",
        )
    leaf, key = signing_leaf(claim.certificate)
    verify_identity(leaf, signer.identity)
    _require_signature(claim, key)
    if anchored:
        verify_chain(leaf, signer.trust.root, (leaf.not_valid_before_utc,))
