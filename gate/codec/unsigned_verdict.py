"""The file between a scanning and a signing job: a line with the digest of what follows, and the verdict as one JSON value.

Refuses a file that was cut or changed, and one whose reports are not those that it names. The digest inside tells an accident;
against somebody who can write the file stands the digest that the scanning job prints, handed on beside it. Nobody should take
the file for an attestation, so it has no form of one.
"""

from __future__ import annotations

from typing import Final

from gate.codec.strict_json import Fault, canonical_json, parse_object
from gate.codec.values import decode_value, encode_value
from gate.errors import AttestationError, StorageError
from gate.model.digest import Digest
from gate.model.unsigned import UnsignedVerdict

KIND: Final = "gate-unsigned-verdict"
SCHEMA_VERSION: Final = "1.0"
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
_MAX_HEAD_BYTES: Final = 1024
_FAULT: Final = Fault(AttestationError, "ATT_MALFORMED", "the unsigned verdict")


def render_unsigned(verdict: UnsignedVerdict) -> bytes:
    """Write the file. Same verdict, same bytes."""
    body = encode_value(verdict)
    head = canonical_json({"kind": KIND, "schemaVersion": SCHEMA_VERSION, "sha256": Digest.of(body).hex})
    return head + b"\n" + body + b"\n"


def parse_unsigned(data: bytes) -> UnsignedVerdict:
    """Read the file.

    Raises:
        AttestationError: `ATT_MALFORMED` for another file; `ATT_BYTES` for one that was changed, or whose reports were;
            `LIMIT_BUNDLE` for more than 256 MiB.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _FAULT.refuse("is too large", code="LIMIT_BUNDLE", expected=f"at most {MAX_FILE_BYTES} bytes")
    head, _, body = data.partition(b"\n")
    view = parse_object(head, _FAULT, limit_bytes=_MAX_HEAD_BYTES)
    if view.optional_text("kind") != KIND or view.text("schemaVersion") != SCHEMA_VERSION:
        raise _FAULT.refuse(
            "is no unsigned verdict of this release",
            expected=f"{KIND} {SCHEMA_VERSION}",
            seen=view.optional_text("kind"),
        )
    body = body.removesuffix(b"\n")
    if view.text("sha256") != Digest.of(body).hex:
        raise _changed("the file was changed or cut", view.text("sha256")[:12], Digest.of(body).hex[:12])
    verdict = _decoded(body)
    for report in verdict.reports:
        if Digest.of(report.content) != report.digest:
            raise _changed("a report in the file was changed", report.digest.short, Digest.of(report.content).short)
    return verdict


def _decoded(body: bytes) -> UnsignedVerdict:
    try:
        return decode_value(UnsignedVerdict, body)
    except StorageError as error:
        raise _FAULT.refuse("is of another form", expected="what this release wrote", seen="another form") from error


def _changed(message: str, expected: str, seen: str) -> AttestationError:
    return AttestationError(
        message, code="ATT_BYTES", expected=expected, seen=seen, next_step="Let the scanning job write it again."
    )
