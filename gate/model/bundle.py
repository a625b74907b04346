"""One internal form for every signature format: Cosign's tags, Sigstore bundles, bare DSSE envelopes.

Values only, made by `gate.codec` from untrusted bytes; nothing in them is verified. Verification reads this form
alone, so that every step runs for every format (attack S02: a check that was missing on one path).

Specification: formats reference, sections 4, 6.1 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gate.model.digest import Digest


class SignatureFormat(StrEnum):
    """Where the signature was written; reported, and decides how it is parsed."""

    BUNDLE = "bundle"
    LEGACY_SIGNATURE = "cosign-signature-tag"
    LEGACY_ATTESTATION = "cosign-attestation-tag"
    ENVELOPE = "dsse-envelope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A DSSE envelope with its one signature; `payload` is the exact signed content (attack S26)."""

    payload_type: str
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSignature:
    """A signature over an artifact that is not in the bundle; `digest` is what the bundle says of it, if it says so."""

    signature: bytes
    digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleSigning:
    """Cosign's signed JSON from the legacy tag, and the signature from the layer's annotation."""

    payload: bytes
    signature: bytes


Content = Envelope | MessageSignature | SimpleSigning


@dataclass(frozen=True, slots=True)
class KeyHint:
    """The bundle says that a key signed; the hint is free text and never a key. Formats without a field for it: ""."""

    hint: str = ""


@dataclass(frozen=True, slots=True)
class CertificateMaterial:
    """The bundle brings certificates (DER, leaf first); never a source of trust (attack S19)."""

    certificates: tuple[bytes, ...]


Material = KeyHint | CertificateMaterial


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """What the log says about where the entry is in its tree; `checkpoint` is a signed note, possibly empty."""

    log_index: int
    root_hash: bytes
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An entry of a transparency log. `body` is the leaf's bytes; `integrated_time` is 0 where there is none."""

    log_id: bytes
    log_index: int
    kind: str
    version: str
    integrated_time: int
    body: bytes
    promise: bytes = b""
    proof: InclusionProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One signature with its verification material.

    `version` is 0.1, 0.2 or 0.3 for a Sigstore bundle and "" for other formats. `timestamps` are RFC 3161 responses in
    DER. `digest` is that of the attachment's bytes, `manifest` that of the manifest which holds it. `raw` holds the bytes of
    a `.att` layer, which its log entry and timestamps are about; empty for other formats.
    """

    format: SignatureFormat
    content: Content
    material: Material
    digest: Digest
    version: str = ""
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    manifest: Digest | None = None
    raw: bytes = b""
