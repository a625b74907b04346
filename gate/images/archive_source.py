"""Images in a tar archive: an OCI layout in a tar, or what `docker save` writes. Nothing is extracted.

Docker's own form has no manifest, so there is no digest that a statement could be bound to: the gate derives one, in
canonical bytes from the configuration and layers alone, and judges under it, and the source is not attestable.
The tags that an archive names are its author's word and are not read.

Specification: OCI image-layout; moby `image/spec` v1.2; formats reference, section 2.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.oci_config import MAX_CONFIG_BYTES
from gate.codec.strict_json import Fault, JsonValue, ObjectView, canonical_json, parse_objects
from gate.disk.blob_files import read_chunks
from gate.errors import EvidenceError, ImageError, UsageError
from gate.images.blobs import ArchiveMembers, BlobReader, unreadable
from gate.images.image_source import AttachmentWriter, FetchedManifest, ImageSource, ListedAttachments
from gate.images.layout_source import LayoutSource
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor

_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the archive", single=True)
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_MAGIC: Final = ((b"\x1f\x8b", f"{_LAYER}+gzip"), (b"\x28\xb5\x2f\xfd", f"{_LAYER}+zstd"))
_MAX_LAYERS: Final = 127


def open_archive(file: Path, digest: Digest | None) -> ImageSource:
    """Open an archive of either form; one that has both (Docker 25 and later) is read as a layout, which has a digest.

    Raises:
        ImageError: `IMG_MALFORMED` for what is neither.
        EvidenceError: `IMG_UNREADABLE`.
    """
    members = ArchiveMembers(file)
    if "index.json" in members.names and "oci-layout" in members.names:
        return LayoutSource(BlobReader(members), digest)
    return DockerArchiveSource(members, digest)


class DockerArchiveSource:
    """What `docker save` wrote: a configuration and layers, under a manifest that the gate derives."""

    attestable = False
    writer: AttachmentWriter | None = None

    def __init__(self, members: ArchiveMembers, digest: Digest | None) -> None:
        self._members = members
        self._reader = BlobReader(members)
        self._names: dict[Digest, str] = {}
        self._root = self._derive()
        if digest is not None and digest != self._root.digest:
            raise EvidenceError(
                "an archive of docker save holds no manifest digests", code="IMG_UNREADABLE",
                expected="archive:FILE without a digest, or an OCI archive", seen=str(digest),
            )  # fmt: skip

    def root(self) -> FetchedManifest:
        """Return the derived manifest: the same archive gives the same bytes."""
        return self._root

    def manifest(self, descriptor: Descriptor) -> bytes:
        """Return the derived manifest; there is no other."""
        if descriptor.digest != self._root.digest:
            raise EvidenceError(
                "the archive holds no such manifest", code="IMG_UNREADABLE", seen=str(descriptor.digest)
            )
        return self._root.content

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream the configuration or a layer."""
        name = self._names.get(descriptor.digest)
        if name is None:
            raise EvidenceError("the archive holds no such blob", code="IMG_UNREADABLE", seen=str(descriptor.digest))
        return self._reader.member(name, descriptor)

    def listed(self, digest: Digest) -> ListedAttachments:
        """Return nothing: nothing can hang on a digest that only the gate knows."""
        del digest
        return ListedAttachments()

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Return the derived manifest, or None."""
        return self._root if digest == self._root.digest else None

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Return None: tags are not read."""
        del tag
        return None

    def _derive(self) -> FetchedManifest:
        images = parse_objects(self._reader.file("manifest.json"), _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
        if len(images) != 1:
            raise UsageError("the archive holds several images, or none", code="REF_AMBIGUOUS", expected="one image")
        manifest: JsonValue = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._config(images[0].text("Config")),
            "layers": self._layers(images[0]),
        }
        content = canonical_json(manifest)
        return FetchedManifest(media_type=OCI_MANIFEST, digest=Digest.of(content), content=content)

    def _config(self, name: str) -> JsonValue:
        digest, size, _ = self._measure(name)
        claimed = name.rpartition("/")[2].removesuffix(".json")
        if size > MAX_CONFIG_BYTES:
            raise ImageError("the configuration is too large", code="LIMIT_BLOB", expected=f"{MAX_CONFIG_BYTES} bytes")
        if len(claimed) == 64 and claimed != digest.hex:
            raise EvidenceError(
                "the configuration is not what its name says", code="IMG_BLOB_MISMATCH", seen=str(digest)
            )
        return {"mediaType": OCI_CONFIG, "digest": digest.text, "size": size}

    def _layers(self, image: ObjectView) -> list[JsonValue]:
        names = image.texts("Layers")
        if len(names) > _MAX_LAYERS:
            raise ImageError("the image has too many layers", code="LIMIT_LAYER", expected=f"at most {_MAX_LAYERS}")
        layers: list[JsonValue] = []
        for name in names:
            digest, size, media_type = self._measure(name)
            layers.append({"mediaType": media_type, "digest": digest.text, "size": size})
        return layers

    def _measure(self, name: str) -> tuple[Digest, int, str]:
        """Return digest, size and, by its first bytes, the media type of a layer under this name."""
        hasher, seen, start = hashlib.sha256(), 0, b""
        try:
            stream, size = self._members.open(name)
            for chunk in read_chunks(stream, size):
                start = start or chunk[:4]
                hasher.update(chunk)
                seen += len(chunk)
        except OSError as error:
            raise unreadable(name, error) from error
        digest = Digest.from_hex(hasher.hexdigest())
        self._names[digest] = name
        return digest, seen, next((kind for magic, kind in _MAGIC if start.startswith(magic)), _LAYER)
