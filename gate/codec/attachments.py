"""An attachment becomes a bundle: the one place that knows which bytes are read by which codec.

Media types and tags are unsigned hints: they choose the reader and nothing else. A file tells by its own keys what it
is.

Specification: formats reference, sections 4, 5, 10.6 rule 1 (the media type of FAILED verdicts) and 12.4 (files).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gate.codec.bundle import MAX_BUNDLE_BYTES, parse_bundle
from gate.codec.dsse import parse_envelope
from gate.codec.legacy import parse_legacy_attestation, parse_legacy_signature
from gate.codec.strict_json import Fault, parse_object, printable
from gate.errors import GateError, SignatureError
from gate.model.attachment import (
    BUNDLE_PREFIX,
    DSSE_ENVELOPE,
    FAILED_VERDICT,
    SIMPLE_SIGNING,
    Attachment,
    AttachmentSource,
)
from gate.model.bundle import Bundle, KeyHint, SignatureFormat
from gate.model.digest import Digest

# Attack S23: reaching the limit refuses; the first so many are never taken for all.
MAX_ATTACHMENTS: Final = 500
MAX_FILE_BYTES: Final = 4 * MAX_BUNDLE_BYTES
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the attestation file")


def parse_attachment(attachment: Attachment) -> Bundle:
    """Read one attachment, whatever its format.

    Raises:
        SignatureError, AttestationError: as the format's codec; `SIG_MISSING` for a statement that nobody signed
            (attack A09); `SIG_MALFORMED` for an unknown media type.
    """
    return replace(_parse(attachment), manifest=attachment.manifest)


def _parse(attachment: Attachment) -> Bundle:
    kind, content = attachment.media_type, attachment.content
    if attachment.source is AttachmentSource.FILE:
        return _parse_file(content)
    if kind == SIMPLE_SIGNING:
        return parse_legacy_signature(content, attachment.annotations)
    if kind == DSSE_ENVELOPE:
        return parse_legacy_attestation(content, attachment.annotations)
    if kind == FAILED_VERDICT or kind.startswith(BUNDLE_PREFIX):
        return _parse_file(content)
    raise _FAULT.refuse("has an unknown media type", expected=f"{BUNDLE_PREFIX}...", seen=kind)


def _parse_file(content: bytes) -> Bundle:
    view = parse_object(content, _FAULT, limit_bytes=MAX_BUNDLE_BYTES, limit_code="LIMIT_BUNDLE")
    if "payloadType" in view:
        return Bundle(
            format=SignatureFormat.ENVELOPE,
            content=parse_envelope(content),
            material=KeyHint(),
            digest=Digest.of(content),
        )
    if "_type" in view:
        raise SignatureError(
            "the statement is not signed",
            code="SIG_MISSING",
            expected="a Sigstore bundle or a DSSE envelope",
            seen=printable(view.optional_text("predicateType")),
            next_step="Give the signed file that `gate check --attestation` wrote.",
        )
    return parse_bundle(content)


def split_attestation_file(data: bytes) -> tuple[Attachment, ...]:
    """Return the attachments in a file that the user names: one JSON object, or JSON Lines.

    Raises:
        SignatureError: `SIG_MALFORMED` for an empty file, `LIMIT_BUNDLE` or `LIMIT_SIGNATURES`.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _FAULT.refuse("is too large", code="LIMIT_BUNDLE", expected=f"at most {MAX_FILE_BYTES} bytes")
    lines = [data] if _is_one_object(data) else [line for line in data.split(b"\n") if line.strip()]
    if not lines:
        raise _FAULT.refuse("is empty", expected="a bundle, an envelope, or one a line")
    if len(lines) > MAX_ATTACHMENTS:
        raise _FAULT.refuse(
            "has too many lines", code="LIMIT_SIGNATURES", expected=f"at most {MAX_ATTACHMENTS}", seen=str(len(lines))
        )
    return tuple(Attachment(source=AttachmentSource.FILE, media_type="", content=line) for line in lines)


def _is_one_object(data: bytes) -> bool:
    try:
        parse_object(data, _FAULT, limit_bytes=MAX_BUNDLE_BYTES)
    except GateError:
        return False
    return True
