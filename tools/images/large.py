"""A larger image for the benchmarks: Debian, real wheels, and varied copies of their files up to a size.

A copy begins with a line of its own, so that no two files are equal while they compress as their originals do. The
package lists stay those of the wheels: copies lie outside `site-packages` and hold no metadata. Layers are written one
by one, so that memory does not grow with the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from tools.images.archive import BLOCK_BYTES, Entry, file, tar
from tools.images.bases import debian_12
from tools.images.catalog import BuiltImage
from tools.images.install import SITE_PACKAGES, wheel_entries, with_parents
from tools.images.layout import Layer, image, layer_of_tar, write_blob, write_layout
from tools.images.parts import Part, Registry, read_part
from tools.images.workshop import Workshop

MEGABYTE: Final = 1_000_000
LAYER_BYTES: Final = 64 * MEGABYTE
# A header, and on average half a block of padding and the directories.
_OVERHEAD_BYTES: Final = BLOCK_BYTES + BLOCK_BYTES // 2
# Fast, and still within a tenth of the usual ratio; the time of a benchmark's set-up is not measured.
_LEVEL: Final = 1
LARGE_PARTS: Final = (
    Part(
        registry=Registry.PYPI,
        name="botocore",
        version="1.35.0",
        file="botocore-1.35.0-py3-none-any.whl",
        sha256="a3c96fe0b6afe7d00bad6ffbe73f2610953065fcdf0ed697eba4e1e5287cc84f",
        licence="Apache-2.0",
    ),
    Part(
        registry=Registry.PYPI,
        name="numpy",
        version="1.26.4",
        file="numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        sha256="666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5",
        licence="BSD-3-Clause",
        tags=("--platform=manylinux2014_x86_64", "--python-version=311", "--implementation=cp", "--abi=cp311"),
    ),
)


def build_large(
    out: Path, created: datetime, parts: Path, *, megabytes: int, wheels: Sequence[Part] = LARGE_PARTS
) -> BuiltImage:
    """Write an image whose inflated layers have about that many megabytes to `out/large-<megabytes>`.

    Raises PartError where the wheels were never fetched and their registry cannot be reached.
    """
    shop = Workshop(created=created, parts=parts)
    name = f"large-{megabytes}"
    folder = out / name
    layers = [_stored(folder, part) for part in _layers(shop, wheels, megabytes * MEGABYTE)]
    root = image(layers, shop.config(name))
    write_layout(folder, root)
    return BuiltImage(name=name, layout=folder, digest=root.digest, expected="nothing but its size")


def _layers(shop: Workshop, wheels: Sequence[Part], total_bytes: int) -> Iterator[Layer]:
    yield shop.layer(debian_12(), "ADD debian-12.tar /")
    for batch in _batches(_files(shop.parts, wheels), total_bytes):
        archive = tar(with_parents(batch), mtime=int(shop.created.timestamp()))
        yield layer_of_tar(archive, created_by="RUN /bin/sh -c make install # buildkit", level=_LEVEL)


def _files(parts: Path, wheels: Sequence[Part]) -> Iterator[Entry]:
    installed = [entry for part in wheels for entry in wheel_entries(read_part(part, parts))]
    yield from installed
    originals = [entry for entry in installed if ".dist-info/" not in entry.name]
    for number in count(1):
        for entry in originals:
            data = f"copy {number}\n".encode() + entry.data
            yield file(f"opt/copies/{number:03}/{entry.name.removeprefix(SITE_PACKAGES + '/')}", data)


def _batches(entries: Iterable[Entry], total_bytes: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size, left = 0, total_bytes
    for entry in entries:
        batch.append(entry)
        size += len(entry.data) + _OVERHEAD_BYTES
        if size >= min(LAYER_BYTES, left):
            yield batch
            left -= size
            batch, size = [], 0
        if left <= 0:
            return


def _stored(folder: Path, part: Layer) -> Layer:
    return replace(part, blob=write_blob(folder, part.blob))
