"""Cosign's legacy tags: signed JSON in `.sig` layers, envelopes in `.att` layers, and the annotations beside them.

Annotations are unsigned: they bring the signature, certificates that are never a source of trust, and log evidence
that is verified or refuses. A certificate field that holds anything but certificates is refused (GHSA-fx35-mq7g-6g98).

Specification: Cosign SIGNATURE_SPEC; formats reference, section 4.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.dsse import MAX_ENVELOPE_BYTES, parse_envelope
from gate.codec.encodings import decode_base64, decode_hex
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object, printable
from gate.errors import SignatureError, UsageError
from gate.model.bundle import (
    Bundle,
    CertificateMaterial,
    KeyHint,
    LogEntry,
    Material,
    SignatureFormat,
    SimpleSigning,
)
from gate.model.digest import Digest
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.model.reference import Repository

SIGNATURE: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
CHAIN: Final = "dev.sigstore.cosign/chain"
LOG_BUNDLE: Final = "dev.sigstore.cosign/bundle"
TIMESTAMP: Final = "dev.sigstore.cosign/rfc3161timestamp"
PAYLOAD_TYPE: Final = "cosign container image signature"

MAX_ANNOTATION_BYTES: Final = 1024 * 1024
MAX_CERTIFICATES: Final = 8
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "Cosign's annotation")
_ENTRY_FAULT: Final = Fault(SignatureError, "SIG_TLOG_INVALID", "the log entry")
# Attack S20: whatever the payload is, if it does not name the asked digest in Cosign's form it is about something else.
_PAYLOAD_FAULT: Final = Fault(SignatureError, "SIG_SUBJECT_MISMATCH", "the signed payload")
_CERTIFICATE: Final = re.compile(
    r"\s*-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+?)-----END CERTIFICATE-----\s*", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleClaims:
    """What Cosign's signed JSON says: digest, signed annotations (texts only), and a name that nobody checked."""

    digest: Digest
    docker_reference: str
    annotations: StringMap


def parse_legacy_signature(content: bytes, annotations: Mapping[str, str]) -> Bundle:
    """Read one layer of a `.sig` tag; the payload is not looked into.

    Raises:
        SignatureError: `SIG_MALFORMED`, `SIG_TLOG_INVALID`, or `LIMIT_BUNDLE` for a payload that is too large.
    """
    if len(content) > MAX_ENVELOPE_BYTES:
        raise SignatureError(
            "the signed payload is too large",
            code="LIMIT_BUNDLE",
            expected=f"at most {MAX_ENVELOPE_BYTES} bytes",
            seen=f"{len(content)} bytes",
        )
    signature = decode_base64(_annotation(annotations, SIGNATURE), _FAULT, SIGNATURE)
    if not signature:
        raise _FAULT.refuse("holds no signature", expected=SIGNATURE)
    return Bundle(
        format=SignatureFormat.LEGACY_SIGNATURE,
        content=SimpleSigning(payload=content, signature=signature),
        material=_material(annotations),
        entries=_entries(annotations),
        timestamps=_timestamps(annotations),
        digest=Digest.of(content),
    )


def parse_legacy_attestation(content: bytes, annotations: Mapping[str, str]) -> Bundle:
    """Read one layer of a `.att` tag: an envelope.

    Raises:
        SignatureError, AttestationError: as `parse_envelope` and `parse_legacy_signature`.
    """
    return Bundle(
        format=SignatureFormat.LEGACY_ATTESTATION,
        content=parse_envelope(content),
        material=_material(annotations),
        entries=_entries(annotations),
        timestamps=_timestamps(annotations),
        digest=Digest.of(content),
        raw=content,
    )


def _annotation(annotations: Mapping[str, str], name: str) -> str:
    text = annotations.get(name, "")
    if len(text) > MAX_ANNOTATION_BYTES:
        raise _FAULT.refuse(
            f"{name} is too large", code="LIMIT_BUNDLE", expected=f"at most {MAX_ANNOTATION_BYTES} bytes"
        )
    return text


def _material(annotations: Mapping[str, str]) -> Material:
    leaf = _certificates(_annotation(annotations, CERTIFICATE))
    if len(leaf) > 1:
        raise _FAULT.refuse(f"{CERTIFICATE} holds several certificates", expected="one")
    chain = _certificates(_annotation(annotations, CHAIN))
    return CertificateMaterial(leaf + chain) if leaf else KeyHint()


def signing_certificate_of(annotations: Mapping[str, str]) -> bytes | None:
    """Return the signer's certificate (DER) that the annotations bring, or None: for readers that need nothing else."""
    try:
        return next(iter(_certificates(_annotation(annotations, CERTIFICATE))), None)
    except SignatureError:
        return None


def _certificates(pem: str) -> tuple[bytes, ...]:
    found: list[bytes] = []
    place = 0
    while place < len(pem):
        match = _CERTIFICATE.match(pem, place)
        if match is None or len(found) == MAX_CERTIFICATES:
            raise _FAULT.refuse("holds something else than certificates", expected=f"at most {MAX_CERTIFICATES}")
        found.append(_der(match.group(1)))
        place = match.end()
    return tuple(found)


def _der(body: str) -> bytes:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error as error:
        raise _FAULT.refuse("holds a malformed certificate") from error


def _entries(annotations: Mapping[str, str]) -> tuple[LogEntry, ...]:
    text = _annotation(annotations, LOG_BUNDLE)
    if not text:
        return ()
    view = parse_object(text.encode("utf-8", "surrogatepass"), _ENTRY_FAULT, limit_bytes=MAX_ANNOTATION_BYTES)
    payload = view.object("Payload")
    body = decode_base64(payload.text("body"), _ENTRY_FAULT, "body")
    entry = parse_object(body, _ENTRY_FAULT, limit_bytes=MAX_ANNOTATION_BYTES)
    return (
        LogEntry(
            log_id=decode_hex(payload.text("logID"), _ENTRY_FAULT, "logID"),
            log_index=payload.integer("logIndex"),
            kind=entry.text("kind"),
            version=entry.text("apiVersion"),
            integrated_time=payload.integer("integratedTime"),
            body=body,
            promise=decode_base64(view.text("SignedEntryTimestamp"), _ENTRY_FAULT, "SignedEntryTimestamp"),
        ),
    )


def _timestamps(annotations: Mapping[str, str]) -> tuple[bytes, ...]:
    text = _annotation(annotations, TIMESTAMP)
    if not text:
        return ()
    view = parse_object(text.encode("utf-8", "surrogatepass"), _FAULT, limit_bytes=MAX_ANNOTATION_BYTES)
    return (decode_base64(view.text("SignedRFC3161Timestamp"), _FAULT, TIMESTAMP),)


def parse_simple_signing(payload: bytes) -> SimpleClaims:
    """Read Cosign's signed JSON from bytes whose signature was verified.

    Raises:
        SignatureError: `SIG_SUBJECT_MISMATCH` for everything that does not name a digest in Cosign's form (attack S20).
    """
    view = parse_object(payload, _PAYLOAD_FAULT, limit_bytes=MAX_ENVELOPE_BYTES)
    critical = view.object("critical")
    if critical.text("type") != PAYLOAD_TYPE:
        raise critical.refuse("type", "is of another type", expected=PAYLOAD_TYPE, seen=critical.text("type"))
    image, identity = critical.object("image"), critical.optional_object("identity")
    optional = view.optional_object("optional")
    return SimpleClaims(
        digest=_claimed_digest(image),
        docker_reference=printable(identity.optional_text("docker-reference")) if identity is not None else "",
        annotations=_texts(optional) if optional is not None else StringMap(),
    )


def _claimed_digest(image: ObjectView) -> Digest:
    text = image.text("docker-manifest-digest")
    try:
        return Digest(text)
    except UsageError as error:
        raise image.refuse("docker-manifest-digest", "is malformed", expected="sha256:...", seen=text) from error


def _texts(view: ObjectView) -> StringMap:
    """Keep the texts: Cosign itself writes numbers beside them, which no policy can ask for."""
    return StringMap.of({name: value for name, value in view.fields.items() if isinstance(value, str)})


def render_simple_signing(repository: Repository, digest: Digest, annotations: Mapping[str, str]) -> bytes:
    """Write Cosign's signed JSON; `optional` is `null` without annotations, as Cosign writes it."""
    optional: JsonValue = dict(annotations) or None
    return canonical_json(
        {
            "critical": {
                "identity": {"docker-reference": str(repository)},
                "image": {"docker-manifest-digest": str(digest)},
                "type": PAYLOAD_TYPE,
            },
            "optional": optional,
        }
    )
