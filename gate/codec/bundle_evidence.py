"""What stands beside a signature, written into its bundle: certificate or key hint, log entries, timestamps.

Specification: protobuf-specs `sigstore_bundle.proto`, in protobuf JSON, defaults left out; formats reference, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.bundle import key_hint, render_bundle
from gate.codec.encodings import encode_base64
from gate.codec.strict_json import JsonValue

if TYPE_CHECKING:
    from gate.model.bundle import Envelope, InclusionProof, LogEntry
    from gate.model.signer import PublicKey
    from gate.model.signing import SigningEvidence


def render_evidenced_bundle(envelope: Envelope, evidence: SigningEvidence, key: PublicKey) -> bytes:
    """Write a bundle v0.3 for an envelope that this key signed; of a certificate's key it holds the certificate instead."""
    material: dict[str, JsonValue] = (
        {"publicKey": {"hint": key_hint(key)}}
        if evidence.certificate is None
        else {"certificate": {"rawBytes": encode_base64(evidence.certificate)}}
    )
    if evidence.entries:
        material["tlogEntries"] = [_entry(entry) for entry in evidence.entries]
    if evidence.timestamps:
        stamps: list[JsonValue] = [{"signedTimestamp": encode_base64(stamp)} for stamp in evidence.timestamps]
        material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    return render_bundle(envelope, material)


def _entry(entry: LogEntry) -> JsonValue:
    fields: dict[str, JsonValue] = {
        "canonicalizedBody": encode_base64(entry.body),
        "kindVersion": {"kind": entry.kind, "version": entry.version},
        "logId": {"keyId": encode_base64(entry.log_id)},
        "logIndex": str(entry.log_index),
    }
    if entry.integrated_time:
        fields["integratedTime"] = str(entry.integrated_time)
    if entry.promise:
        fields["inclusionPromise"] = {"signedEntryTimestamp": encode_base64(entry.promise)}
    if entry.proof is not None:
        fields["inclusionProof"] = _proof(entry.proof)
    return fields


def _proof(proof: InclusionProof) -> JsonValue:
    return {
        "checkpoint": {"envelope": proof.checkpoint},
        "hashes": [encode_base64(item) for item in proof.hashes],
        "logIndex": str(proof.log_index),
        "rootHash": encode_base64(proof.root_hash),
        "treeSize": str(proof.tree_size),
    }
