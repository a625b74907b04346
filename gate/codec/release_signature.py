"""What a publisher puts beside its releases: a file of checksums, and its signature in files of their own.

All of it is untrusted until the signature over the checksum file's bytes is verified. A detached signature (`.pem` and
`.sig`, as `cosign sign-blob --output-certificate --output-signature` writes them) says nothing of its time: its log entry
is asked for, and what the log answers is verified with the trusted root like an entry that came along.

Specification: coreutils `sha256sum` output; Rekor v1 OpenAPI, `/api/v1/log/entries/retrieve`; formats reference, section 7.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate.codec.encodings import decode_base64, encode_base64
from gate.codec.sigstore_api import MAX_ANSWER_BYTES, read_entry_v1
from gate.codec.strict_json import Fault, JsonValue, canonical_json, parse_objects
from gate.errors import ScannerError
from gate.model.bundle import Bundle, CertificateMaterial, LogEntry, MessageSignature, SignatureFormat
from gate.model.digest import Digest

MAX_CHECKSUMS_BYTES: Final = 1 << 20
MAX_SIGNATURE_BYTES: Final = 64 * 1024
_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[!-~]{1,255})")
_FAULT: Final = Fault(ScannerError, "TOOL_SIGNATURE", "the release's signature")
_CHECKSUMS: Final = Fault(ScannerError, "TOOL_CHECKSUM", "the file of checksums")


def parse_checksums(data: bytes) -> dict[str, Digest]:
    """Return file name -> digest; raises ScannerError `TOOL_CHECKSUM`, also for a name that is there twice."""
    if len(data) > MAX_CHECKSUMS_BYTES:
        raise _CHECKSUMS.refuse("is too large", expected=f"at most {MAX_CHECKSUMS_BYTES} bytes")
    found: dict[str, Digest] = {}
    for line in data.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match["name"] in found:
            raise _CHECKSUMS.refuse("holds a line that is none", expected="DIGEST  NAME, each name once")
        found[match["name"]] = Digest.from_hex(match["digest"])
    return found


def parse_detached_signature(certificate: bytes, signature: bytes) -> Bundle:
    """Return the signature as a bundle that has no log entry yet; raises ScannerError `TOOL_SIGNATURE`."""
    text = signature.decode("ascii", "replace").strip()
    decoded = decode_base64(text, _FAULT, "the signature")
    return Bundle(
        format=SignatureFormat.BUNDLE,
        # The version whose rules are demanded: the log entry must be proven, not only promised.
        version="0.3",
        content=MessageSignature(signature=decoded),
        material=CertificateMaterial((_certificate(certificate),)),
        digest=Digest.of(signature),
    )


def _certificate(data: bytes) -> bytes:
    """Return the DER of the one certificate; Cosign writes its PEM in base64 once more."""
    pem = data.strip()
    if not pem.startswith(b"-----BEGIN "):
        try:
            pem = base64.b64decode(pem, validate=True)
        except binascii.Error as error:
            raise _FAULT.refuse("has a certificate that cannot be read") from error
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _FAULT.refuse("has not one certificate", expected="one PEM block") from error
    return certificate.public_bytes(serialization.Encoding.DER)


def render_entry_lookup(artifact: Digest, bundle: Bundle) -> bytes:
    """Write the question for the entry of this very signature, certificate and artifact (`hashedrekord` 0.0.1)."""
    content, material = bundle.content, bundle.material
    if not isinstance(content, MessageSignature) or not isinstance(material, CertificateMaterial):
        raise _FAULT.refuse("is of another form", expected="a detached signature by certificate")
    pem = x509.load_der_x509_certificate(material.certificates[0]).public_bytes(serialization.Encoding.PEM)
    entry: JsonValue = {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": artifact.hex}},
            "signature": {
                "content": encode_base64(content.signature),
                "publicKey": {"content": encode_base64(pem)},
            },
        },
    }
    return canonical_json({"entries": [entry]})


def parse_entries_found(data: bytes) -> tuple[LogEntry, ...]:
    """Read what the log answered (untrusted), possibly nothing; raises ScannerError `TOOL_SIGNATURE`."""
    return tuple(read_entry_v1(view) for view in parse_objects(data, _FAULT, limit_bytes=MAX_ANSWER_BYTES))
