"""The manifest of an image whose layers are not compressed: what both scanners are given instead of the image's own.

The same configuration and the same tars, by their diff ids. A pure function of what the gate read, so that whoever has the
facts of the layers can say which manifest a scanner's report must name. Specification: OCI image-spec 1.1, `manifest.md`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import JsonValue, canonical_json
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor, ImageManifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.model.evidence import LayerSummary

PLAIN_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


def plain_manifest(manifest: ImageManifest, layers: Iterable[LayerSummary]) -> ImageManifest:
    """Return the manifest with the same configuration, and the layers as the tars that they hold."""
    tars = tuple(
        Descriptor(media_type=PLAIN_LAYER, digest=layer.diff_id, size=layer.uncompressed_bytes) for layer in layers
    )
    return ImageManifest(media_type=OCI_MANIFEST, config=replace(manifest.config, media_type=OCI_CONFIG), layers=tars)


def render_plain_manifest(manifest: ImageManifest) -> bytes:
    """Return the bytes of such a manifest."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": manifest.media_type,
            "config": _describe(manifest.config),
            "layers": [_describe(layer) for layer in manifest.layers],
        }
    )


def plain_manifest_digest(manifest: ImageManifest, layers: Iterable[LayerSummary]) -> Digest:
    """Return the digest of the manifest that the scanners are given of this image."""
    return Digest.of(render_plain_manifest(plain_manifest(manifest, layers)))


def _describe(item: Descriptor) -> dict[str, JsonValue]:
    return {"mediaType": item.media_type, "digest": str(item.digest), "size": item.size}
