"""The arithmetic of signatures: does this key's signature cover these bytes.

The algorithm comes from the trusted key alone, never from the signature or the bundle (attack S28). Nothing here knows
formats, times or identities.

Specification: formats reference, section 8.1 (algorithms); RFC 8032 for Ed25519 and Ed25519ph; RFC 8017 for RSA.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from gate.codec.keys import load_spki
from gate.errors import SignatureError
from gate.model.signer import KeyAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gate.model.digest import Digest
    from gate.model.signer import PublicKey

_CURVE_HASHES: Final[Mapping[KeyAlgorithm, tuple[hashes.HashAlgorithm, ...]]] = {
    KeyAlgorithm.ECDSA_P256: (hashes.SHA256(),),
    # Cosign signs with SHA-256 or the curve's own hash, depending on its version (formats 4.3).
    KeyAlgorithm.ECDSA_P384: (hashes.SHA384(), hashes.SHA256()),
    KeyAlgorithm.ECDSA_P521: (hashes.SHA512(), hashes.SHA256()),
}
# The longest is RSA of 16384 bits; anything longer is no signature, and need not be computed with.
_MAX_SIGNATURE_BYTES: Final = 2048


def verify_bytes(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Return if the signature by this key covers the message.

    Raises:
        SignatureError: `SIG_INVALID`.
    """
    if len(signature) > _MAX_SIGNATURE_BYTES or not _covers(key, signature, message):
        raise _invalid(key)


def verify_digest(key: PublicKey, signature: bytes, digest: Digest) -> None:
    """Return if the signature by this key covers an artifact of which only the SHA-256 is known.

    Raises:
        SignatureError: `SIG_INVALID`; `SIG_ALG` for Ed25519, which needs the bytes themselves.
    """
    prehashed = utils.Prehashed(hashes.SHA256())
    data = bytes.fromhex(digest.hex)
    good = False
    match load_spki(key):
        case ec.EllipticCurvePublicKey() as curve_key:
            good = _holds(partial(curve_key.verify, signature, data, ec.ECDSA(prehashed)))
        case rsa.RSAPublicKey() as rsa_key:
            good = _holds(partial(rsa_key.verify, signature, data, _padding(key.algorithm), prehashed))
        case ed25519.Ed25519PublicKey():
            raise SignatureError(
                "a signature by this key cannot be verified from a digest alone",
                code="SIG_ALG",
                expected="ECDSA or RSA, or a signed statement",
                seen=key.algorithm.value,
            )
    if len(signature) > _MAX_SIGNATURE_BYTES or not good:
        raise _invalid(key)


def _covers(key: PublicKey, signature: bytes, message: bytes) -> bool:
    match load_spki(key):
        case ec.EllipticCurvePublicKey() as curve_key:
            schemes = [ec.ECDSA(chosen) for chosen in _CURVE_HASHES[key.algorithm]]
            return any(_holds(partial(curve_key.verify, signature, message, scheme)) for scheme in schemes)
        case rsa.RSAPublicKey() as rsa_key:
            return _holds(partial(rsa_key.verify, signature, message, _padding(key.algorithm), hashes.SHA256()))
        case ed25519.Ed25519PublicKey() as edwards_key:
            pure = _holds(partial(edwards_key.verify, signature, message))
            return pure or _covers_prehashed(edwards_key, signature, message)


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


def _padding(algorithm: KeyAlgorithm) -> padding.AsymmetricPadding:
    if algorithm is KeyAlgorithm.RSA_PSS:
        return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    return padding.PKCS1v15()


def _covers_prehashed(key: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Verify Ed25519ph (SHA-512, empty context), which `cryptography` does not have and Rekor v1 needs."""
    from nacl import bindings, exceptions  # noqa: PLC0415 - 9 ms that only users of Ed25519 pay

    if len(signature) != bindings.crypto_sign_BYTES:
        return False
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, message)
    try:
        return bool(bindings.crypto_sign_ed25519ph_final_verify(state, signature, key.public_bytes_raw()))
    except exceptions.BadSignatureError:
        return False


def _invalid(key: PublicKey) -> SignatureError:
    return SignatureError(
        "the signature does not verify",
        expected=f"a signature by {key.key_id[:19]} over these bytes",
        seen="one by another key, or over other bytes",
    )
