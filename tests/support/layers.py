"""Images of layers in memory, and their facts: what a test of the layer reader writes and asks."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import zstandard

from gate.layers.entry import BodyReader
from gate.model.digest import Digest
from gate.model.evidence import LayerFacts
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layers import collect_layers
from tools.images.archive import gzip

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PLAIN = "application/vnd.oci.image.layer.v1.tar"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


def compressed(tar: bytes, media_type: str) -> bytes:
    """Return a tar as the media type says."""
    if media_type == GZIP:
        return gzip(tar)
    return zstandard.ZstdCompressor(write_checksum=True).compress(tar) if media_type == ZSTD else tar


def descriptor(blob: bytes, media_type: str) -> Descriptor:
    """Describe a layer blob truly."""
    return Descriptor(media_type=media_type, digest=Digest.of(blob), size=len(blob))


def facts_of(*tars: bytes, limits: LayerLimits | None = None, readers: Sequence[BodyReader] = ()) -> LayerFacts:
    """Read an image whose layers are these plain tars, base first."""
    layers = [(descriptor(tar, PLAIN), tar) for tar in tars]
    return read_blobs(layers, [Digest.of(tar) for tar in tars], limits=limits, readers=readers)


def read_blob(blob: bytes, media_type: str, diff_id: Digest, *, limits: LayerLimits | None = None) -> LayerFacts:
    """Read an image of one layer from the blob as it is."""
    return read_blobs([(descriptor(blob, media_type), blob)], [diff_id], limits=limits)


def read_blobs(
    layers: Sequence[tuple[Descriptor, bytes]],
    diff_ids: Sequence[Digest],
    *,
    limits: LayerLimits | None = None,
    readers: Sequence[BodyReader] = (),
    chunk_bytes: int = 100_000,
) -> LayerFacts:
    """Read an image whose registry serves these bytes for these descriptors."""
    served: Mapping[Digest, bytes] = {described.digest: blob for described, blob in layers}

    def open_blob(wanted: Descriptor) -> Iterator[bytes]:
        blob = served[wanted.digest]
        return (blob[start : start + chunk_bytes] for start in range(0, len(blob), chunk_bytes))

    config = descriptor(b"{}", OCI_CONFIG)
    manifest = ImageManifest(media_type=OCI_MANIFEST, config=config, layers=tuple(described for described, _ in layers))
    return collect_layers(
        open_blob,
        manifest,
        ImageConfig(platform=Platform("linux", "amd64"), diff_ids=tuple(diff_ids)),
        limits or LayerLimits(),
        now=NOW,
        check_deadline=lambda: None,
        readers=readers,
    )


def raw_header(
    name: bytes,
    *,
    flag: bytes = b"0",
    size: int = 0,
    mode: bytes = b"0000644\0",
    size_field: bytes | None = None,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    tail: bytes = b"",
    checksum: int | None = None,
) -> bytes:
    """Return one header block, every field as it is told."""
    numbers = (mode, b"0000000\0", b"0000000\0", size_field or b"%011o\0" % size, b"00000000000\0", b" " * 8)
    start = name.ljust(100, b"\0") + b"".join(numbers) + flag + link.ljust(100, b"\0") + magic + bytes(80)
    block = (start + prefix.ljust(155, b"\0") + tail).ljust(512, b"\0")
    total = sum(block) if checksum is None else checksum
    return block[:148] + b"%06o\0 " % total + block[156:]


def raw_tar(*blocks: bytes, end: bytes = bytes(1024)) -> bytes:
    """Return blocks, each padded, and the end."""
    return b"".join(block + bytes(-len(block) % 512) for block in blocks) + end


def rpm_header(tags: Mapping[int, str | int | Sequence[str] | Sequence[int]]) -> bytes:
    """Return an rpm header blob as rpm writes it into its database, without region tag."""
    index, store = b"", b""
    for tag, value in tags.items():
        values = [value] if isinstance(value, (int, str)) else list(value)
        numbers = [one for one in values if isinstance(one, int)]
        if numbers:
            store += bytes(-len(store) % 4)
            index += struct.pack(">IIII", tag, 4, len(store), len(numbers))
            store += struct.pack(f">{len(numbers)}I", *numbers)
        else:
            # Type 6 is one text, 8 a list of them.
            index += struct.pack(">IIII", tag, 6 if isinstance(value, str) else 8, len(store), len(values))
            store += b"".join(str(one).encode() + b"\0" for one in values)
    return struct.pack(">II", len(tags), len(store)) + index + store
