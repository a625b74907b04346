"""Bodies of log entries: what the log says was signed, by whom, with which signature.

A body is read for its claims only; its bytes are the leaf and are never written again. Kinds that are not known refuse
before anything in them is believed (attack S12). Each list of signatures must hold exactly one: a second could be the one
that somebody else compares (attack S18).

Specification: rekor `pkg/types`, rekor-tiles `entry.proto`; formats reference, section 7.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.encodings import decode_base64, decode_hex
from gate.codec.strict_json import Fault, ObjectView, parse_object, printable
from gate.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the log entry's body")
_PEM: Final = re.compile(rb"\s*-----BEGIN (CERTIFICATE|PUBLIC KEY)-----\r?\n([A-Za-z0-9+/=\r\n]+?)-----END \1-----\s*")
_SIZES: Final[Mapping[str, int]] = {"sha256": 32, "sha384": 48, "sha512": 64}
_WORDS: Final[Mapping[str, str]] = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedHash:
    """A hash with the name that `hashlib` knows it by."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSignature:
    """What an entry says: hashes of the signed bytes, of the statement in them, of the whole envelope as it was uploaded.

    None: this kind does not say it. `verifier` is the DER of the certificate or of the key's SubjectPublicKeyInfo.
    """

    kind: str
    version: str
    verifier: bytes
    signature: bytes | None = None
    signed: LoggedHash | None = None
    payload: LoggedHash | None = None
    envelope: LoggedHash | None = None


def parse_log_body(body: bytes) -> LoggedSignature:
    """Parse the untrusted body of a log entry.

    Raises:
        SignatureError: `SIG_MALFORMED`, or `SIG_TLOG_KIND` for a kind that is not known.
    """
    view = parse_object(body, _FAULT, limit_bytes=MAX_BODY_BYTES, limit_code="LIMIT_BUNDLE")
    kind, version = view.text("kind"), view.text("apiVersion")
    read = _KINDS.get((kind, version))
    if read is None:
        raise SignatureError(
            "the log entry is of a kind that is not accepted",
            code="SIG_TLOG_KIND",
            expected=", ".join(" ".join(known) for known in _KINDS),
            seen=printable(f"{kind} {version}"),
        )
    return read(view.object("spec"))


def _hashedrekord(spec: ObjectView) -> LoggedSignature:
    signature = spec.object("signature")
    return LoggedSignature(
        kind="hashedrekord",
        version="0.0.1",
        signed=_hex_hash(spec.object("data"), "hash"),
        signature=decode_base64(signature.text("content"), _FAULT, "signature.content"),
        verifier=_pem(signature.object("publicKey").text("content"), "signature.publicKey.content"),
    )


def _hashedrekord_v2(spec: ObjectView) -> LoggedSignature:
    inner = spec.object("hashedRekordV002")
    signature = inner.object("signature")
    return LoggedSignature(
        kind="hashedrekord",
        version="0.0.2",
        signed=_named_hash(inner.object("data")),
        signature=decode_base64(signature.text("content"), _FAULT, "signature.content"),
        verifier=_verifier(signature.object("verifier")),
    )


def _dsse(spec: ObjectView) -> LoggedSignature:
    signature = _only_one(spec, "signatures")
    return LoggedSignature(
        kind="dsse",
        version="0.0.1",
        payload=_hex_hash(spec, "payloadHash"),
        envelope=_hex_hash(spec, "envelopeHash"),
        signature=decode_base64(signature.text("signature"), _FAULT, "signatures.signature"),
        verifier=_pem(signature.text("verifier"), "signatures.verifier"),
    )


def _dsse_v2(spec: ObjectView) -> LoggedSignature:
    inner = spec.object("dsseV002")
    signature = _only_one(inner, "signatures")
    return LoggedSignature(
        kind="dsse",
        version="0.0.2",
        payload=_named_hash(inner.object("payloadHash")),
        signature=decode_base64(signature.text("content"), _FAULT, "signatures.content"),
        verifier=_verifier(signature.object("verifier")),
    )


def _intoto(spec: ObjectView) -> LoggedSignature:
    content = spec.object("content")
    return LoggedSignature(
        kind="intoto",
        version="0.0.1",
        payload=_hex_hash(content, "payloadHash") if content.has("payloadHash") else None,
        envelope=_hex_hash(content, "hash"),
        verifier=_pem(spec.text("publicKey"), "publicKey"),
    )


def _intoto_v2(spec: ObjectView) -> LoggedSignature:
    content = spec.object("content")
    signature = _only_one(content.object("envelope"), "signatures")
    # The field holds the base64 of the base64 text that the envelope holds (formats 7.1).
    inner = decode_base64(signature.text("sig"), _FAULT, "signatures.sig")
    return LoggedSignature(
        kind="intoto",
        version="0.0.2",
        payload=_hex_hash(content, "payloadHash"),
        envelope=_hex_hash(content, "hash") if content.has("hash") else None,
        signature=decode_base64(inner.decode("latin-1"), _FAULT, "signatures.sig"),
        verifier=_pem(signature.text("publicKey"), "signatures.publicKey"),
    )


_KINDS: Final[Mapping[tuple[str, str], Callable[[ObjectView], LoggedSignature]]] = {
    ("hashedrekord", "0.0.1"): _hashedrekord,
    ("hashedrekord", "0.0.2"): _hashedrekord_v2,
    ("dsse", "0.0.1"): _dsse,
    ("dsse", "0.0.2"): _dsse_v2,
    ("intoto", "0.0.1"): _intoto,
    ("intoto", "0.0.2"): _intoto_v2,
}


def _only_one(view: ObjectView, field: str) -> ObjectView:
    items = view.objects(field)
    if len(items) != 1:
        raise view.refuse(field, "has not exactly one signature", code="SIG_TLOG_MISMATCH", seen=str(len(items)))
    return items[0]


def _hex_hash(view: ObjectView, field: str) -> LoggedHash:
    found = view.object(field)
    return _hash(found, found.text("algorithm"), decode_hex(found.text("value"), _FAULT, field))


def _named_hash(view: ObjectView) -> LoggedHash:
    word = view.text("algorithm")
    return _hash(view, _WORDS.get(word, word), decode_base64(view.text("digest"), _FAULT, "digest"))


def _hash(view: ObjectView, algorithm: str, value: bytes) -> LoggedHash:
    if _SIZES.get(algorithm) != len(value):
        raise view.refuse("algorithm", "has a hash of another kind", expected="SHA-256, 384 or 512", seen=algorithm)
    return LoggedHash(algorithm=algorithm, value=value)


def _verifier(view: ObjectView) -> bytes:
    given = [name for name in ("publicKey", "x509Certificate") if view.has(name)]
    if len(given) != 1:
        raise view.refuse("", "has not exactly one key", expected="publicKey or x509Certificate")
    return decode_base64(view.object(given[0]).text("rawBytes"), _FAULT, "rawBytes")


def _pem(text: str, field: str) -> bytes:
    """Return the DER in the one PEM block that a field holds in base64."""
    match = _PEM.fullmatch(decode_base64(text, _FAULT, field))
    if match is None:
        raise _FAULT.refuse(f"has no certificate or key in {field}", expected="one PEM block")
    try:
        return base64.b64decode(b"".join(match.group(2).split()), validate=True)
    except binascii.Error as error:
        raise _FAULT.refuse(f"has a malformed PEM block in {field}") from error
