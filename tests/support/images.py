"""Small images and attachments as bytes, for tests of parts that do not look into layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gate.codec.strict_json import JsonValue, canonical_json
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor

TAR = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallImage:
    """An image: its manifest's bytes, and its blobs, configuration first."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> Digest:
        """Return the manifest's digest."""
        return Digest.of(self.manifest)

    @property
    def descriptor(self) -> Descriptor:
        """Describe the manifest."""
        return Descriptor(media_type=OCI_MANIFEST, digest=self.digest, size=len(self.manifest))


def described(content: bytes, media_type: str, **more: JsonValue) -> dict[str, JsonValue]:
    """Return the JSON of a descriptor of these bytes."""
    return {"mediaType": media_type, "digest": Digest.of(content).text, "size": len(content), **more}


def describe(content: bytes, media_type: str = TAR) -> Descriptor:
    """Return the descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


def small_image(*layers: bytes, architecture: str = "amd64") -> SmallImage:
    """Make an image of these layers, which are taken for plain tars."""
    diff_ids: list[JsonValue] = [Digest.of(layer).text for layer in layers]
    config = canonical_json(
        {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    )
    listed: list[JsonValue] = [described(layer, TAR) for layer in layers]
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described(config, OCI_CONFIG),
            "layers": listed,
        }
    )
    return SmallImage(manifest=manifest, blobs=(config, *layers))


def attachment_manifest(
    subject: Descriptor, *layers: bytes, media_type: str, annotations: dict[str, JsonValue] | None = None
) -> bytes:
    """Make a referrer of `subject` whose layers have this media type."""
    listed: list[JsonValue] = [described(layer, media_type, annotations=annotations or {}) for layer in layers]
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": media_type,
            "config": described(b"{}", OCI_EMPTY),
            "layers": listed,
            "subject": {
                "mediaType": subject.media_type,
                "digest": subject.digest.text,
                "size": subject.size,
            },
        }
    )


def index_of(*entries: dict[str, JsonValue]) -> bytes:
    """Make an index of these descriptors."""
    listed: list[JsonValue] = list(entries)
    return canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})


def resized(descriptor: Descriptor, by: int) -> Descriptor:
    """Return a descriptor that lies about the size."""
    return replace(descriptor, size=descriptor.size + by)
