"""What scanners are given: the tars whose digests were compared, whole or not at all, and nothing of what was refused."""

from __future__ import annotations

import errno
import gzip
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gate.clock import Deadline
from gate.codec.plain_manifest import PLAIN_LAYER, plain_manifest, render_plain_manifest
from gate.errors import GateError, ImageError, StorageError
from gate.images.plain_layers import PlainLayers
from gate.model.digest import Digest
from gate.model.evidence import LayerFacts
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.context import CollectContext
from gate.pipeline.collect.layers import collect_layers
from gate.pipeline.collect.read_image import ReadImage
from gate.pipeline.collect.scan_layout import scan_layout
from tests.support.layers import GZIP, descriptor
from tools.images.archive import file, tar

TARS = (tar([file("etc/os-release", "ID=none\n")]), tar([file("app/data", "x" * 100_000)]))
CONFIG = b"{}"


class Image:
    """An image of compressed layers, served from memory, and what was asked of it."""

    def __init__(self, *tars: bytes) -> None:
        self.blobs = [gzip.compress(content, mtime=0) for content in tars]
        self.served = 0
        self.manifest = ImageManifest(
            media_type=OCI_MANIFEST,
            config=descriptor(CONFIG, OCI_CONFIG),
            layers=tuple(descriptor(blob, GZIP) for blob in self.blobs),
        )
        self.config = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=tuple(map(Digest.of, tars)))

    def chunks(self, wanted: Descriptor) -> Iterator[bytes]:
        self.served += 1
        yield self.blobs[[layer.digest for layer in self.manifest.layers].index(wanted.digest)]

    def read(self, layout: PlainLayers, limits: LayerLimits | None = None) -> LayerFacts:
        return collect_layers(
            self.chunks, self.manifest, self.config, limits or LayerLimits(),
            now=datetime.now(UTC), check_deadline=lambda: None, keep=layout.keep,
        )  # fmt: skip

    def image(self) -> ReadImage:
        described = descriptor(b"manifest", OCI_MANIFEST)
        return ReadImage(descriptor=described, manifest=self.manifest, config=self.config, content=CONFIG)

    def context(self, scratch: Path) -> CollectContext:
        deadline = Deadline.after(datetime.resolution * 10**8)
        found = SimpleNamespace(store=self, scratch=scratch, now=datetime.now(UTC), deadline=deadline)
        return cast("CollectContext", found)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs" / "sha256").iterdir())


def test_the_layout_holds_the_tars_under_a_manifest_that_follows_from_the_facts(tmp_path: Path) -> None:
    image, layers = Image(*TARS), PlainLayers(tmp_path / "image")
    facts = image.read(layers)
    manifest = plain_manifest(image.manifest, facts.layers)
    folder = layers.write_layout(manifest, CONFIG)
    (entry,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    content = (folder / "blobs" / "sha256" / Digest(entry["digest"]).hex).read_bytes()
    assert content == render_plain_manifest(manifest)
    said = json.loads(content)
    assert said["config"]["digest"] == str(Digest.of(CONFIG))
    assert [(layer["mediaType"], layer["digest"], layer["size"]) for layer in said["layers"]] == [
        (PLAIN_LAYER, str(Digest.of(one)), len(one)) for one in TARS
    ]
    for layer, expected in zip(manifest.layers, TARS, strict=True):
        assert b"".join(layers.chunks(layer)) == expected
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2 + 2 + len(TARS)


def _whole(_: Image) -> None:
    """Leave it as it is."""


def _cut(image: Image) -> None:
    image.blobs[1] = image.blobs[1][:-9]


def _named_otherwise(image: Image) -> None:
    image.config = ImageConfig(platform=image.config.platform, diff_ids=(Digest.of(TARS[0]), Digest.of(b"")))


@pytest.mark.parametrize(
    ("break_it", "limits", "code"),
    [
        (_whole, LayerLimits(uncompressed_bytes=50_000), "LIMIT_LAYER"),
        (_cut, LayerLimits(), "IMG_LAYER_MALFORMED"),
        (_named_otherwise, LayerLimits(), "IMG_DIFFID"),
    ],
)
def test_l14_nothing_is_kept_of_a_layer_that_is_refused(
    break_it: Callable[[Image], object], limits: LayerLimits, code: str, tmp_path: Path
) -> None:
    image, layers = Image(*TARS), PlainLayers(tmp_path / "image")
    break_it(image)
    image.manifest = ImageManifest(
        media_type=OCI_MANIFEST,
        config=image.manifest.config,
        layers=tuple(descriptor(blob, GZIP) for blob in image.blobs),
    )
    with pytest.raises(ImageError) as refused:
        image.read(layers, limits)
    assert refused.value.code == code
    assert kept(tmp_path / "image") == [Digest.of(TARS[0]).hex]


def test_a_disk_that_is_full_is_an_error_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, layers = Image(*TARS), PlainLayers(tmp_path / "image")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError) as refused:
        image.read(layers)
    assert refused.value.code == "CACHE_UNAVAILABLE"
    assert "No space" in refused.value.seen
    assert kept(tmp_path / "image") == []


def test_a_layer_that_stands_twice_is_kept_once(tmp_path: Path) -> None:
    image, layers = Image(TARS[0], TARS[0]), PlainLayers(tmp_path / "image")
    facts = image.read(layers)
    assert kept(tmp_path / "image") == [Digest.of(TARS[0]).hex]
    assert layers.has(plain_manifest(image.manifest, facts.layers))


def test_layers_whose_facts_were_kept_are_read_again_for_a_scan(tmp_path: Path) -> None:
    image = Image(*TARS)
    facts = image.read(PlainLayers(tmp_path / "first"))
    assert image.served == len(TARS)
    with scan_layout(image.image(), LayerLimits(), image.context(tmp_path)) as layout:
        folder = layout.path(facts)
        assert image.served == 2 * len(TARS)
        assert layout.path(facts) == folder
        assert image.served == 2 * len(TARS)
        assert layout.original(facts) == dict(zip(image.config.diff_ids, map(Digest.of, image.blobs), strict=True))
    assert not folder.exists()


def test_what_was_exchanged_meanwhile_reaches_no_scanner(tmp_path: Path) -> None:
    image = Image(*TARS)
    facts = image.read(PlainLayers(tmp_path / "first"))
    image.blobs[1] = gzip.compress(tar([file("app/other", "y")]), mtime=0)
    with (
        scan_layout(image.image(), LayerLimits(), image.context(tmp_path)) as layout,
        pytest.raises(GateError) as error,
    ):
        layout.path(facts)
    assert error.value.code in {"REG_DIGEST_MISMATCH", "IMG_SIZE", "IMG_DIFFID"}


def test_a_folder_that_cannot_be_made_is_an_error_of_the_cache(tmp_path: Path) -> None:
    image = Image(*TARS)
    (tmp_path / "file").touch()
    made: Any = scan_layout(image.image(), LayerLimits(), image.context(tmp_path / "file"))
    with pytest.raises(StorageError) as refused, made:
        pass
    assert refused.value.code == "CACHE_UNAVAILABLE"
