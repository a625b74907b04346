"""Shapes of layers that the gate reads because everyone does: both real scanners see the same packages in each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import zstandard

from gate.errors import ScannerError
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_MANIFEST
from gate.scanners.scanning import ScanTarget
from tests.support.images import described
from tests.support.layers import GZIP, PLAIN, ZSTD, facts_of, raw_header, raw_tar
from tests.support.layouts import write_layout
from tests.support.scan_bench import Bench
from tests.support.scanners import BOOKWORM, debian_files
from tools.images.archive import gzip

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

FILES: Final = {entry.name.encode(): entry.data for entry in debian_files()}


def tar_of(name: Callable[[bytes], bytes] = bytes, *, end: bytes = bytes(1024), magic: bytes = b"ustar\x0000") -> bytes:
    """Return the files of a small Debian, each under the name that `name` makes of it."""
    blocks = [
        part
        for path, content in FILES.items()
        for part in (raw_header(name(path), size=len(content), magic=magic), content)
    ]
    return raw_tar(*blocks, end=end)


SHAPES: Final = {
    "names from the root on": tar_of(lambda path: b"/" + path),
    "names that begin with ./": tar_of(lambda path: b"./" + path),
    "names with empty parts": tar_of(lambda path: path.replace(b"/", b"//")),
    "names with single dots": tar_of(lambda path: path.replace(b"/", b"/./")),
    "no end blocks": tar_of(end=b""),
    "one end block": tar_of(end=bytes(512)),
    "version 7": tar_of(magic=bytes(8)),
}


def write_image(folder: Path, *tars: bytes, media_type: str = PLAIN, blobs: tuple[bytes, ...] = ()) -> ScanTarget:
    layers = blobs or tars
    diff_ids = [Digest.of(tar) for tar in tars]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(one) for one in diff_ids]},
        }
    ).encode()
    # Without `mediaType`, as umoci writes it.
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": described(config, OCI_CONFIG),
            "layers": [described(layer, media_type) for layer in layers],
        }
    ).encode()
    write_layout(folder, [described(manifest, OCI_MANIFEST)], config, manifest, *layers)
    return ScanTarget(
        layout=folder,
        manifest=Digest.of(manifest),
        config=Digest.of(config),
        diff_ids=tuple(diff_ids),
        distribution=BOOKWORM,
    )


def assert_read(bench: Bench, target: ScanTarget, *tars: bytes) -> None:
    packages = facts_of(*tars).os_packages
    assert len(packages) == 3
    for name in ("trivy", "grype"):
        report = bench.scan(name, target=target)
        assert report.os_packages == packages, name
        assert report.distribution is not None, name


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_both_scanners_read_the_shape(bench: Bench, shape: str, tmp_path: Path) -> None:
    assert_read(bench, write_image(tmp_path / "image", SHAPES[shape]), SHAPES[shape])


@pytest.mark.parametrize("media_type", [PLAIN, GZIP, ZSTD])
def test_a_layer_of_no_bytes_is_empty_for_all(bench: Bench, media_type: str, tmp_path: Path) -> None:
    tar = tar_of()
    packed = {PLAIN: tar, GZIP: gzip(tar), ZSTD: zstandard.ZstdCompressor().compress(tar)}[media_type]
    target = write_image(tmp_path / "image", tar, b"", media_type=media_type, blobs=(packed, b""))
    assert_read(bench, target, tar, b"")


def test_a_hard_link_with_a_size_and_an_absolute_target_has_no_body(bench: Bench, tmp_path: Path) -> None:
    link = raw_header(b"opt/twin", flag=b"1", size=700, link=b"/opt/app")
    tar = raw_tar(
        raw_header(b"opt/app", size=3), b"abc", link,
        *(part for path in FILES for part in (raw_header(path, size=len(FILES[path])), FILES[path])),
    )  # fmt: skip
    assert_read(bench, write_image(tmp_path / "image", tar), tar)


def test_a_zstd_layer_that_begins_with_a_skippable_frame_is_read_by_neither(bench: Bench, tmp_path: Path) -> None:
    tar = tar_of()
    frame = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + bytes(4) + zstandard.ZstdCompressor().compress(tar)
    target = write_image(tmp_path / "image", tar, media_type=ZSTD, blobs=(frame,))
    for name in ("trivy", "grype"):
        with pytest.raises(ScannerError, match="did not run to its end"):
            bench.scan(name, target=target)
