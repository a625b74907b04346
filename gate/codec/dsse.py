"""DSSE envelopes: the wrapper of every signed statement.

Refuses every number of signatures but one (attack S18), and reads payload and signature as bytes that are never
serialised again. It does not look into the payload: what `payload_type` must be is a step of verification.

Specification: DSSE v1.0; formats reference, section 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.encodings import decode_base64, encode_base64
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.errors import AttestationError
from gate.model.bundle import Envelope

if TYPE_CHECKING:
    from gate.errors import GateError

IN_TOTO_PAYLOAD: Final = "application/vnd.in-toto+json"
# Formats 7: caps before any work per item. An envelope is the larger part of a bundle.
MAX_ENVELOPE_BYTES: Final = 4 * 1024 * 1024
_FAULT: Final = Fault(AttestationError, "ATT_MALFORMED", "the DSSE envelope")
# DSSE allows either alphabet; after translation one strict reader decides.
_URL_ALPHABET: Final = str.maketrans("-_", "+/")


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a DSSE signature covers; lengths are decimal byte lengths."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_envelope(data: bytes) -> Envelope:
    """Parse a whole envelope from untrusted bytes.

    Raises:
        AttestationError: `ATT_MALFORMED`, `ATT_SIG_COUNT`, or `LIMIT_BUNDLE` where it is too large.
    """
    return read_envelope(parse_object(data, _FAULT, limit_bytes=MAX_ENVELOPE_BYTES, limit_code="LIMIT_BUNDLE"))


def read_envelope(view: ObjectView) -> Envelope:
    """Read an envelope from an object that was parsed already; raises as the object's own fault says.

    Unknown fields are ignored, as DSSE demands. `keyid` is never read: it is unsigned and would choose the key.
    """
    signatures = view.objects("signatures") if view.has("signatures") else ()
    if len(signatures) != 1:
        raise _count(len(signatures))
    return Envelope(
        payload_type=view.text("payloadType"),
        payload=_decode(view, "payload"),
        signature=_decode(signatures[0], "sig"),
    )


def _count(seen: int) -> GateError:
    return AttestationError(
        "the DSSE envelope does not carry exactly one signature",
        code="ATT_SIG_COUNT",
        expected="one signature",
        seen=str(seen),
    )


def _decode(view: ObjectView, field: str) -> bytes:
    return decode_base64(view.text(field).translate(_URL_ALPHABET), view.fault, field)


def envelope_fields(envelope: Envelope) -> dict[str, JsonValue]:
    """Return the envelope as JSON values.

    No `keyid`: with any other value than "" Cosign and slsa-verifier find no valid signature (formats 6.1).
    """
    return {
        "payload": encode_base64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": encode_base64(envelope.signature)}],
    }


def render_envelope(envelope: Envelope) -> bytes:
    """Write the envelope in the gate's canonical form, without a final newline."""
    return canonical_json(envelope_fields(envelope))
