"""A key in a hardware module over PKCS #11: a smart card, an HSM, SoftHSM.

The PIN comes from the URI's `pin-source` file, else from where passwords of keys come from; it is tried once, for modules
lock themselves after few wrong ones. Exactly one private key and one public key must fit the URI. The private key is used
by the module alone: ECDSA over a digest, RSA PKCS #1 v1.5 and Ed25519 over the bytes.

Specification: PKCS #11 v2.40 and v3.0 (CKM_ECDSA, CKM_SHA256_RSA_PKCS, CKM_EDDSA); RFC 7512.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gate.disk.named import read_named
from gate.errors import KeyFileError
from gate.model.signer import KeyAlgorithm
from gate.signers.pkcs11_uri import Pkcs11Name, parse_pkcs11_uri
from gate.signers.service_key import (
    ServiceSigner,
    SignRequest,
    der_signature,
    malformed_uri,
    require_extra,
    service_fault,
    unsupported_key,
)

if TYPE_CHECKING:
    from pkcs11 import Key, Session, Token

    from gate.codec.keys import ComputablePublicKey
    from gate.signers.signer import PasswordSource

_PLACE: Final = "the PKCS #11 module"
_MAX_PIN_BYTES: Final = 1024
# CKA_EC_PARAMS in DER -> curve (RFC 5480), and the two ways in which modules name Curve25519 for signing.
_CURVES: Final[Mapping[bytes, ec.EllipticCurve]] = {
    bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("06052b81040022"): ec.SECP384R1(),
    bytes.fromhex("06052b81040023"): ec.SECP521R1(),
}
_EDWARDS: Final = frozenset({bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519"})
_EDWARDS_BYTES: Final = 32


def open_pkcs11_key(uri: str, password: PasswordSource) -> ServiceSigner:
    """Return the signer for a `pkcs11:` URI; `password` gives the PIN where the URI names no file for it.

    Raises:
        KeyFileError: `KEY_URI`, `KEY_UNSUPPORTED`, `KEY_PASSWORD`, `KEY_WEAK`.
        EvidenceError: `KEY_SERVICE`.
    """
    name = parse_pkcs11_uri(uri)
    require_extra("pkcs11", "pkcs11", "pkcs11")
    pin = _read_pin(name.pin_file) if name.pin_file is not None else password()
    return ServiceSigner(Pkcs11Key(name, pin))


def _read_pin(path: Path) -> bytes:
    pin = read_named(path, f"the PIN file {path}", limit_bytes=_MAX_PIN_BYTES, fault=KeyFileError, code="KEY_PASSWORD")
    return pin.removesuffix(b"\n").removesuffix(b"\r")


class Pkcs11Key:
    """One key pair in a token, over a session that stays open as long as this lives."""

    __slots__ = ("_name", "_session")

    def __init__(self, name: Pkcs11Name, pin: bytes) -> None:
        self._name = name
        self._session = _open(name, pin)

    @property
    def place(self) -> str:
        """Name the device."""
        return _PLACE

    def public_key_pem(self) -> bytes:
        """Read the public key object."""
        import pkcs11  # noqa: PLC0415 - an extra

        try:
            public = _public_key(self._only(pkcs11.ObjectClass.PUBLIC_KEY))
        except pkcs11.PKCS11Error as error:
            raise service_fault(_PLACE, type(error).__name__) from error
        except ValueError as error:
            raise service_fault(_PLACE, "a public key that cannot be read") from error
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, request: SignRequest) -> bytes:
        """Have the module sign."""
        import pkcs11  # noqa: PLC0415 - an extra

        try:
            key: Any = self._only(pkcs11.ObjectClass.PRIVATE_KEY)
            match request.algorithm:
                case KeyAlgorithm.ED25519:
                    return bytes(key.sign(request.data, mechanism=pkcs11.Mechanism.EDDSA))
                case KeyAlgorithm.RSA_PKCS1 | KeyAlgorithm.RSA_PSS:
                    return bytes(key.sign(request.data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))
                case KeyAlgorithm.ECDSA_P256 | KeyAlgorithm.ECDSA_P384 | KeyAlgorithm.ECDSA_P521:
                    return der_signature(bytes(key.sign(request.digest, mechanism=pkcs11.Mechanism.ECDSA)), _PLACE)
        except pkcs11.PKCS11Error as error:
            raise service_fault(_PLACE, type(error).__name__) from error

    def _only(self, kind: Any) -> Key:  # noqa: ANN401 - an enumeration of the extra
        """Return the one object of this kind that fits the URI."""
        from pkcs11 import Attribute  # noqa: PLC0415 - an extra

        wanted: dict[Attribute, Any] = {Attribute.CLASS: kind}
        if self._name.label:
            wanted[Attribute.LABEL] = self._name.label
        if self._name.key_id:
            wanted[Attribute.ID] = self._name.key_id
        found: list[Any] = list(self._session.get_objects(wanted))
        if len(found) != 1:
            what = "public" if kind is kind.__class__.PUBLIC_KEY else "private"
            raise malformed_uri("pkcs11", f"one {what} key that fits object and id", f"{len(found)} of them")
        only: Key = found[0]
        return only


def _open(name: Pkcs11Name, pin: bytes) -> Session:
    """Load the module and log in, with the PIN tried once."""
    import pkcs11  # noqa: PLC0415 - an extra
    from pkcs11 import exceptions  # noqa: PLC0415

    wanted: dict[str, Any] = {"token_label": name.token} if name.token else {}
    if name.serial:
        wanted["token_serial"] = name.serial
    try:
        token = pkcs11.lib(str(name.module)).get_token(**wanted)
        return _log_in(token, pin.decode())
    except UnicodeDecodeError as error:
        raise KeyFileError("the PIN is not text", code="KEY_PASSWORD", expected="UTF-8 (PKCS #11)") from error
    except (exceptions.NoSuchToken, exceptions.MultipleTokensReturned) as error:
        raise malformed_uri("pkcs11", "one token of that name", type(error).__name__) from error
    except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange, exceptions.PinLocked) as error:
        raise KeyFileError(
            "the token does not take the PIN",
            code="KEY_PASSWORD",
            expected="the user's PIN of the token",
            seen=type(error).__name__,
            next_step="Do not try again and again: tokens lock themselves.",
        ) from error
    except pkcs11.PKCS11Error as error:
        raise service_fault(_PLACE, type(error).__name__) from error


def _log_in(token: Token, pin: str) -> Session:
    """Open a session; a login is the whole process's (PKCS #11 v2.40, section 2.5), so the second key of a token finds it."""
    from pkcs11 import exceptions  # noqa: PLC0415 - an extra

    try:
        return token.open(user_pin=pin)
    except exceptions.UserAlreadyLoggedIn:
        return token.open()


def _public_key(found: Any) -> ComputablePublicKey:  # noqa: ANN401 - attributes of every kind
    from pkcs11 import Attribute, KeyType  # noqa: PLC0415 - an extra

    kind = found.key_type
    if kind is KeyType.RSA:
        numbers = [int.from_bytes(found[name], "big") for name in (Attribute.PUBLIC_EXPONENT, Attribute.MODULUS)]
        return rsa.RSAPublicNumbers(*numbers).public_key()
    if kind not in (KeyType.EC, KeyType.EC_EDWARDS):
        raise unsupported_key(_PLACE, getattr(kind, "name", str(kind)), "ECDSA, RSA or Ed25519")
    parameters, point = bytes(found[Attribute.EC_PARAMS]), bytes(found[Attribute.EC_POINT])
    if parameters in _EDWARDS:
        return ed25519.Ed25519PublicKey.from_public_bytes(_octets(point, _EDWARDS_BYTES))
    curve = _CURVES.get(parameters)
    if curve is None:
        raise unsupported_key(_PLACE, "another curve", "P-256, P-384, P-521 or Ed25519")
    size = 1 + 2 * ((curve.key_size + 7) // 8)
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, _octets(point, size))


def _octets(value: bytes, size: int) -> bytes:
    """Return the point inside a DER OCTET STRING; some modules leave the wrapping away (PKCS #11 v2.40 errata)."""
    head = bytes([4, size]) if size < 0x80 else bytes([4, 0x81, size])
    return value.removeprefix(head) if len(value) == len(head) + size else value
