"""The manifests that carry signatures and verdicts, written byte for byte: bytes in, bytes out.

A FAILED verdict's manifest names the gate's own media type as layer and artifact type, and so does that of its
evidence, because Cosign takes every bundle on a digest for a signature of the image (formats 4.3 and 10.6 rule 1).
Nothing here pushes.

Specification: OCI image-spec 1.1 (`subject`); formats reference, sections 4, 5, 12.2 to 12.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.dsse import render_envelope
from gate.codec.encodings import encode_base64
from gate.codec.legacy import SIGNATURE
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_object
from gate.codec.times import format_time
from gate.errors import RegistryError
from gate.model.attachment import BUNDLE_V03, DSSE_ENVELOPE, FAILED_VERDICT, SIMPLE_SIGNING
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gate.model.bundle import Envelope
    from gate.model.image import Descriptor

EMPTY_CONFIG: Final = b"{}"
_CONTENT: Final = "dev.sigstore.bundle.content"
_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
_CREATED: Final = "org.opencontainers.image.created"
MAX_LEGACY_LAYERS: Final = 500
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "Cosign's tag")


def render_referrer_manifest(
    bundle: bytes, *, subject: Descriptor, predicate_type: str, created: datetime, failed: bool = False
) -> bytes:
    """Write the manifest of one DSSE bundle that hangs on `subject` (type, digest and size as served).

    `failed` says that the bundle belongs to a FAILED verdict, be it the verdict itself or its evidence. The blobs that
    it names are `bundle` and `EMPTY_CONFIG`.
    """
    kind = FAILED_VERDICT if failed else BUNDLE_V03
    return canonical_json(
        {
            "annotations": {
                _CONTENT: "dsse-envelope",
                _PREDICATE: predicate_type,
                _CREATED: format_time(created),
            },
            "artifactType": kind,
            "config": _descriptor(OCI_EMPTY, EMPTY_CONFIG),
            "layers": [_descriptor(kind, bundle)],
            "mediaType": OCI_MANIFEST,
            "schemaVersion": 2,
            "subject": {
                "digest": str(subject.digest),
                "mediaType": subject.media_type,
                "size": subject.size,
            },
        }
    )


def _descriptor(media_type: str, content: bytes) -> dict[str, JsonValue]:
    return {"digest": str(Digest.of(content)), "mediaType": media_type, "size": len(content)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyLayer:
    """One layer of a `.sig` or `.att` tag; annotations are unsigned."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyManifest:
    """A legacy tag's manifest with the configuration that it names; the layer's blob is pushed beside them."""

    manifest: bytes
    config: bytes


def signature_layer(payload: bytes, signature: bytes) -> LegacyLayer:
    """Return the layer of a `.sig` tag: Cosign's signed JSON, and the signature as an annotation."""
    return LegacyLayer(media_type=SIMPLE_SIGNING, content=payload, annotations={SIGNATURE: encode_base64(signature)})


def attestation_layer(envelope: Envelope, predicate_type: str) -> LegacyLayer:
    """Return the layer of a `.att` tag: the whole envelope; Cosign wants an empty signature annotation (formats 4)."""
    return LegacyLayer(
        media_type=DSSE_ENVELOPE,
        content=render_envelope(envelope),
        annotations={SIGNATURE: "", "predicateType": predicate_type},
    )


def append_legacy_layer(layer: LegacyLayer, *, existing: LegacyManifest | None = None) -> LegacyManifest:
    """Write a legacy tag's manifest with one more layer; layers of others stay as they are, in their order.

    `existing` is what the tag names now, untrusted but equal to its digests. A layer that is there already with the
    same annotations is not added again, so that a repeated run changes nothing.

    Raises:
        RegistryError: `REG_MALFORMED` where the tag is not in Cosign's form, or holds 500 layers.
    """
    layers, diff_ids = _existing(existing) if existing is not None else ([], [])
    added = _layer(layer)
    if existing is not None and added in layers:
        return existing
    if len(layers) >= MAX_LEGACY_LAYERS:
        raise _FAULT.refuse("is full", expected=f"fewer than {MAX_LEGACY_LAYERS} layers", seen=str(len(layers)))
    config = _config([*diff_ids, added["digest"]])
    manifest: dict[str, JsonValue] = {
        "config": _descriptor(OCI_CONFIG, config),
        "layers": [*layers, added],
        "mediaType": OCI_MANIFEST,
        "schemaVersion": 2,
    }
    return LegacyManifest(manifest=canonical_json(manifest), config=config)


def _layer(layer: LegacyLayer) -> dict[str, JsonValue]:
    return {**_descriptor(layer.media_type, layer.content), "annotations": dict(layer.annotations)}


def _config(diff_ids: list[JsonValue]) -> bytes:
    """Write the configuration that Cosign writes: no platform, no time, one diff id a layer."""
    return canonical_json(
        {
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in diff_ids],
            "os": "",
            "rootfs": {"diff_ids": diff_ids, "type": "layers"},
        }
    )


def _existing(existing: LegacyManifest) -> tuple[list[JsonValue], list[JsonValue]]:
    view = _object(existing.manifest)
    layers: list[JsonValue] = [dict(layer.fields) for layer in view.objects("layers")]
    diff_ids: list[JsonValue] = [*_object(existing.config).object("rootfs").texts("diff_ids")]
    if len(layers) != len(diff_ids):
        raise _FAULT.refuse(
            "has layers and diff_ids out of step", expected=f"{len(layers)} diff_ids", seen=str(len(diff_ids))
        )
    return layers, diff_ids


def _object(data: bytes) -> ObjectView:
    return parse_object(data, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)


def render_envelope_file(envelope: Envelope) -> bytes:
    """Write the bare DSSE file that slsa-verifier reads: the envelope and a newline."""
    return render_envelope(envelope) + b"\n"
