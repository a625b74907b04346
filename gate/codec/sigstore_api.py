"""What a Sigstore instance is asked for when something is signed, and what it answers: bytes to values and back.

Answers are untrusted: they are read strictly here, and the finished signature is verified as everybody else's before it is
used. A log of version 1 gets the envelope (kind `dsse`), one of version 2 the digest of what was signed (`hashedrekord`).

Specification: Fulcio `fulcio.proto` (`/api/v2/signingCert`), Rekor v1 OpenAPI (`/api/v1/log/entries`), Rekor v2
`rekor_service.proto` (`/api/v2/log/entries`); formats reference, sections 7.1 and 9.2.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate.codec.bundle import read_log_entry
from gate.codec.dsse import envelope_fields, pre_authentication_encoding
from gate.codec.encodings import decode_base64, decode_hex, encode_base64
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.errors import EvidenceError
from gate.model.bundle import Envelope, InclusionProof, LogEntry

MAX_ANSWER_BYTES: Final = 1024 * 1024
MAX_CERTIFICATES: Final = 8
_CERTIFICATE: Final = Fault(EvidenceError, "KEY_SIGSTORE", "the certificate authority's answer", single=True)
_LOG: Final = Fault(EvidenceError, "KEY_SIGSTORE", "the log's answer", single=True)


def render_certificate_request(request: x509.CertificateSigningRequest) -> bytes:
    """Write what Fulcio is asked; the token goes beside it, in a header."""
    pem = request.public_bytes(serialization.Encoding.PEM)
    return canonical_json({"certificateSigningRequest": encode_base64(pem)})


def parse_certificate_answer(data: bytes) -> bytes:
    """Return the DER of the certificate that was issued; the ones above it come from the trusted root alone (attack S19).

    Raises:
        EvidenceError: `KEY_SIGSTORE`.
    """
    view = parse_object(data, _CERTIFICATE, limit_bytes=MAX_ANSWER_BYTES)
    chain = view.object("signedCertificateEmbeddedSct").object("chain").texts("certificates")
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise view.refuse("", "has no chain", expected=f"1 to {MAX_CERTIFICATES} certificates", seen=str(len(chain)))
    try:
        leaf = x509.load_pem_x509_certificate(chain[0].encode())
    except ValueError as error:
        raise view.refuse("", "has a certificate that cannot be read") from error
    return leaf.public_bytes(serialization.Encoding.DER)


def render_entry_v1(envelope: Envelope, certificate: bytes) -> bytes:
    """Write the entry that a log of version 1 is asked to keep; `certificate` is DER."""
    pem = x509.load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM)
    uploaded = canonical_json(envelope_fields(envelope)).decode()
    content: JsonValue = {"envelope": uploaded, "verifiers": [encode_base64(pem)]}
    return canonical_json({"apiVersion": "0.0.1", "kind": "dsse", "spec": {"proposedContent": content}})


def parse_entry_v1(data: bytes) -> LogEntry:
    """Read the one entry of a log of version 1; raises EvidenceError `KEY_SIGSTORE`."""
    return read_entry_v1(parse_object(data, _LOG, limit_bytes=MAX_ANSWER_BYTES))


def read_entry_v1(answer: ObjectView) -> LogEntry:
    """Read an entry under its id, as logs of version 1 write it; raises the error of the view."""
    if len(answer.fields) != 1:
        raise answer.refuse("", "has not exactly one entry", seen=str(len(answer.fields)))
    entry = answer.object(next(iter(answer.fields)))
    body = decode_base64(entry.text("body"), _LOG, "body")
    said = parse_object(body, _LOG, limit_bytes=MAX_ANSWER_BYTES)
    verification = entry.object("verification")
    return LogEntry(
        log_id=decode_hex(entry.text("logID"), _LOG, "logID"),
        log_index=entry.integer("logIndex"),
        kind=said.text("kind"),
        version=said.text("apiVersion"),
        integrated_time=entry.integer("integratedTime"),
        body=body,
        promise=decode_base64(verification.text("signedEntryTimestamp"), _LOG, "signedEntryTimestamp"),
        proof=_proof(verification.object("inclusionProof")),
    )


def _proof(view: ObjectView) -> InclusionProof:
    return InclusionProof(
        log_index=view.integer("logIndex"),
        root_hash=decode_hex(view.text("rootHash"), _LOG, "rootHash"),
        tree_size=view.integer("treeSize"),
        hashes=tuple(decode_hex(item, _LOG, "hashes") for item in view.optional_texts("hashes")),
        checkpoint=view.text("checkpoint"),
    )


def render_entry_v2(envelope: Envelope, certificate: bytes) -> bytes:
    """Write the entry that a log of version 2 is asked to keep: the digest is that of the PAE."""
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    verifier: JsonValue = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": encode_base64(certificate)},
    }
    return canonical_json(
        {
            "hashedRekordRequestV002": {
                "digest": encode_base64(hashlib.sha256(signed).digest()),
                "signature": {"content": encode_base64(envelope.signature), "verifier": verifier},
            }
        }
    )


def parse_entry_v2(data: bytes) -> LogEntry:
    """Read the entry of a log of version 2; raises EvidenceError `KEY_SIGSTORE`."""
    return read_log_entry(parse_object(data, _LOG, limit_bytes=MAX_ANSWER_BYTES))
