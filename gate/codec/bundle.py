"""Sigstore bundles v0.1, v0.2 and v0.3, read into the internal form; v0.3 with a key is written.

Refuses unknown fields (as Cosign does), two or no key materials, two or no contents, and lists over their caps before
it looks at an item. The version only says how to parse: what evidence is demanded is policy (attack S11).

Specification: protobuf-specs `sigstore_bundle.proto`, in protobuf JSON with lowerCamelCase names; formats reference,
section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.dsse import envelope_fields, read_envelope
from gate.codec.encodings import decode_base64, encode_base64, parse_integer
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.errors import SignatureError
from gate.model.attachment import BUNDLE_V03
from gate.model.bundle import (
    Bundle,
    CertificateMaterial,
    Content,
    Envelope,
    InclusionProof,
    KeyHint,
    LogEntry,
    Material,
    MessageSignature,
    SignatureFormat,
)
from gate.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gate.model.signer import PublicKey

MAX_BUNDLE_BYTES: Final = 4 * 1024 * 1024
MAX_ENTRIES: Final = 8
MAX_TIMESTAMPS: Final = 8
MAX_CERTIFICATES: Final = 8
MAX_PROOF_HASHES: Final = 64

_VERSIONS: Final = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": "0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2": "0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3": "0.3",
    BUNDLE_V03: "0.3",
}
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the bundle")
_MATERIALS: Final = ("certificate", "publicKey", "x509CertificateChain")
_CONTENTS: Final = ("dsseEnvelope", "messageSignature")


def parse_bundle(data: bytes) -> Bundle:
    """Parse a bundle from untrusted bytes.

    Raises:
        SignatureError: `SIG_MALFORMED`, `SIG_BUNDLE_VERSION`, `SIG_NO_KEY_MATERIAL` or `LIMIT_BUNDLE`.
        AttestationError: `ATT_SIG_COUNT`.
    """
    view = parse_object(data, _FAULT, limit_bytes=MAX_BUNDLE_BYTES, limit_code="LIMIT_BUNDLE")
    version = _version(view)
    view.only(("mediaType", "verificationMaterial", *_CONTENTS))
    material = view.object("verificationMaterial")
    material.only((*_MATERIALS, "tlogEntries", "timestampVerificationData"))
    return Bundle(
        format=SignatureFormat.BUNDLE,
        version=version,
        content=_content(view),
        material=_material(material, version),
        entries=_entries(material),
        timestamps=_timestamps(material),
        digest=Digest.of(data),
    )


def _version(view: ObjectView) -> str:
    media_type = view.optional_text("mediaType")
    if media_type not in _VERSIONS:
        raise view.refuse(
            "mediaType",
            "is of no known version",
            code="SIG_BUNDLE_VERSION",
            expected="a Sigstore bundle 0.1, 0.2 or 0.3",
            seen=media_type,
        )
    return _VERSIONS[media_type]


def _content(view: ObjectView) -> Content:
    given = [name for name in _CONTENTS if view.has(name)]
    if len(given) != 1:
        raise view.refuse("", "has not exactly one content", expected=" or ".join(_CONTENTS), seen=", ".join(given))
    content = view.object(given[0])
    return _envelope(content) if given[0] == "dsseEnvelope" else _message(content)


def _envelope(view: ObjectView) -> Envelope:
    view.only(("payload", "payloadType", "signatures"))
    for signature in view.optional_objects("signatures"):
        signature.only(("sig", "keyid"))
    return read_envelope(view)


def _message(view: ObjectView) -> MessageSignature:
    view.only(("messageDigest", "signature"))
    return MessageSignature(signature=_bytes(view, "signature"), digest=_message_digest(view))


def _message_digest(view: ObjectView) -> Digest | None:
    digest = view.optional_object("messageDigest")
    if digest is None:
        return None
    digest.only(("algorithm", "digest"))
    value = _bytes(digest, "digest")
    # No signature covers the word: a verifier that skips it accepts a changed one (formats 7).
    if digest.text("algorithm") != "SHA2_256" or len(value) != 32:
        raise digest.refuse("", "has a digest of another kind", expected="SHA2_256 and 32 bytes")
    return Digest.from_hex(value.hex())


def _material(view: ObjectView, version: str) -> Material:
    given = [name for name in _MATERIALS if view.has(name)]
    if not given:
        raise view.refuse("", "names neither certificate nor key", code="SIG_NO_KEY_MATERIAL")
    if len(given) > 1:
        raise view.refuse("", "has several key materials", expected="one", seen=", ".join(given))
    material = view.object(given[0])
    if given[0] == "publicKey":
        material.only(("hint",))
        return KeyHint(material.optional_text("hint"))
    if given[0] == "certificate":
        return CertificateMaterial((_certificate(material),))
    return _chain(material, version)


def _chain(view: ObjectView, version: str) -> CertificateMaterial:
    if version == "0.3":
        raise view.refuse("", "has a certificate chain", expected="one `certificate` in a bundle 0.3")
    view.only(("certificates",))
    certificates = _capped(view, "certificates", MAX_CERTIFICATES)
    if not certificates:
        raise view.refuse("certificates", "has an empty chain", code="SIG_NO_KEY_MATERIAL")
    return CertificateMaterial(tuple(_certificate(certificate) for certificate in certificates))


def _certificate(view: ObjectView) -> bytes:
    view.only(("rawBytes",))
    return _bytes(view, "rawBytes")


def _entries(view: ObjectView) -> tuple[LogEntry, ...]:
    entries = tuple(read_log_entry(entry) for entry in _capped(view, "tlogEntries", MAX_ENTRIES))
    if len({(entry.log_id, entry.log_index) for entry in entries}) != len(entries):
        raise view.refuse("tlogEntries", "has one log entry twice")
    return entries


def read_log_entry(view: ObjectView) -> LogEntry:
    """Read a `TransparencyLogEntry`, as bundles hold it and logs of version 2 answer with it."""
    view.only(
        (
            "canonicalizedBody",
            "inclusionPromise",
            "inclusionProof",
            "integratedTime",
            "kindVersion",
            "logId",
            "logIndex",
        )
    )
    kind = view.object("kindVersion")
    kind.only(("kind", "version"))
    log_id = view.object("logId")
    log_id.only(("keyId",))
    return LogEntry(
        log_id=_bytes(log_id, "keyId"),
        log_index=_number(view, "logIndex"),
        kind=kind.text("kind"),
        version=kind.text("version"),
        integrated_time=_number(view, "integratedTime"),
        body=_bytes(view, "canonicalizedBody"),
        promise=_promise(view),
        proof=_proof(view),
    )


def _promise(view: ObjectView) -> bytes:
    promise = view.optional_object("inclusionPromise")
    if promise is None:
        return b""
    promise.only(("signedEntryTimestamp",))
    return _bytes(promise, "signedEntryTimestamp")


def _proof(view: ObjectView) -> InclusionProof | None:
    proof = view.optional_object("inclusionProof")
    if proof is None:
        return None
    proof.only(("checkpoint", "hashes", "logIndex", "rootHash", "treeSize"))
    hashes = proof.optional_texts("hashes")
    if len(hashes) > MAX_PROOF_HASHES:
        raise _over(proof, "hashes", MAX_PROOF_HASHES, len(hashes))
    index, size = _number(proof, "logIndex"), _number(proof, "treeSize")
    if index >= size:
        raise proof.refuse("logIndex", "is not below the tree's size", expected=f"below {size}", seen=str(index))
    return InclusionProof(
        log_index=index,
        tree_size=size,
        root_hash=_bytes(proof, "rootHash"),
        hashes=tuple(decode_base64(text, proof.fault, "hashes") for text in hashes),
        checkpoint=_checkpoint(proof),
    )


def _checkpoint(view: ObjectView) -> str:
    checkpoint = view.optional_object("checkpoint")
    if checkpoint is None:
        return ""
    checkpoint.only(("envelope",))
    return checkpoint.optional_text("envelope")


def _timestamps(view: ObjectView) -> tuple[bytes, ...]:
    data = view.optional_object("timestampVerificationData")
    if data is None:
        return ()
    data.only(("rfc3161Timestamps",))
    tokens = tuple(_timestamp(item) for item in _capped(data, "rfc3161Timestamps", MAX_TIMESTAMPS))
    if len(set(tokens)) != len(tokens):
        raise data.refuse("rfc3161Timestamps", "has one timestamp twice")
    return tokens


def _timestamp(view: ObjectView) -> bytes:
    view.only(("signedTimestamp",))
    return _bytes(view, "signedTimestamp")


def _bytes(view: ObjectView, field: str) -> bytes:
    value = decode_base64(view.text(field), view.fault, field)
    if not value:
        raise view.refuse(field, "has an empty value", expected="base64 of at least one byte")
    return value


def _number(view: ObjectView, field: str) -> int:
    """Read a protobuf 64-bit integer: a text, absent where it is 0."""
    number = parse_integer(view.text(field), view.fault, field) if view.has(field) else 0
    if not 0 <= number < 2**63:
        raise view.refuse(field, "is out of range", expected="0 to 2^63-1", seen=str(number))
    return number


def _capped(view: ObjectView, field: str, cap: int) -> Sequence[ObjectView]:
    items = view.optional_objects(field)
    if len(items) > cap:
        raise _over(view, field, cap, len(items))
    return items


def _over(view: ObjectView, field: str, cap: int, seen: int) -> Exception:
    return view.refuse(field, "has too many items", code="LIMIT_BUNDLE", expected=f"at most {cap}", seen=str(seen))


def key_hint(key: PublicKey) -> str:
    """Return the hint that Cosign writes for a key: base64 of the SHA-256 of its SPKI."""
    return encode_base64(key.fingerprint)


def render_key_bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """Write a bundle v0.3 for an envelope that this key signed, without log entries: the form of formats 12.2."""
    return render_bundle(envelope, {"publicKey": {"hint": key_hint(key)}})


def render_bundle(envelope: Envelope, material: Mapping[str, JsonValue]) -> bytes:
    """Write a bundle v0.3 for an envelope with this verification material."""
    return canonical_json(
        {
            "dsseEnvelope": envelope_fields(envelope),
            "mediaType": BUNDLE_V03,
            "verificationMaterial": {**material},
        }
    )
