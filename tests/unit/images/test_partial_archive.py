"""Layouts and archives of an index of which only some platforms are there, as `docker save` of Docker 29 writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.codec.strict_json import JsonValue
from gate.errors import EvidenceError
from gate.images.archive_source import open_archive
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor, Platform
from gate.pipeline.collect.platforms import ResolvedImage, resolve_platforms
from tests.support.images import attachment_manifest, described, index_of, small_image
from tests.support.layouts import layout_files, write_archive

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
HERE, GONE = small_image(b"layer"), small_image(b"other", architecture="arm64")


def attestation_of(image: Descriptor) -> bytes:
    return attachment_manifest(image, b"{}", media_type="application/vnd.in-toto+json")


def child(content: bytes, architecture: str, **more: JsonValue) -> dict[str, JsonValue]:
    platform: JsonValue = {"os": "unknown" if architecture == "unknown" else "linux", "architecture": architecture}
    return described(content, OCI_MANIFEST, platform=platform, **more)


ATTESTATION = attestation_of(HERE.descriptor)
INDEX = index_of(
    child(HERE.manifest, "amd64"),
    child(GONE.manifest, "arm64"),
    child(
        ATTESTATION,
        "unknown",
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": HERE.digest.text,
        },
    ),
)


def family(archive: Path, *wanted: Platform) -> ResolvedImage:
    source = open_archive(archive, None)
    return resolve_platforms(source, source.root(), wanted)


def saved(tmp_path: Path, *blobs: bytes) -> Path:
    return write_archive(tmp_path / "save.tar", layout_files([described(INDEX, OCI_INDEX)], INDEX, *blobs))


def test_the_platform_that_is_there_is_judged_without_its_attestation(tmp_path: Path) -> None:
    read = family(saved(tmp_path, HERE.manifest, *HERE.blobs), AMD64)
    assert [one.digest for one in read.judged] == [HERE.digest]
    assert read.attestations == ()
    assert {one.reason for one in read.skipped} == {"platform"}


def test_an_attestation_that_is_there_is_read(tmp_path: Path) -> None:
    read = family(saved(tmp_path, HERE.manifest, *HERE.blobs, ATTESTATION), AMD64)
    assert [one.about for one in read.attestations] == [HERE.digest.text]


def test_without_a_platform_what_is_not_there_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as caught:
        family(saved(tmp_path, HERE.manifest, *HERE.blobs))
    assert caught.value.code == "IMG_UNREADABLE"
    assert "--platform linux/amd64" in caught.value.next_step


@pytest.mark.parametrize("kept", [(), HERE.blobs[:1]])
def test_a_platform_whose_blobs_are_not_all_there_is_not_named(tmp_path: Path, kept: tuple[bytes, ...]) -> None:
    source = open_archive(saved(tmp_path, HERE.manifest, *kept), None)
    source.root()
    with pytest.raises(EvidenceError) as caught:
        source.manifest(GONE.descriptor)
    assert "`--platform linux" not in caught.value.next_step
    assert "docker save --platform" in caught.value.next_step


def test_a_platform_that_is_asked_for_and_not_there_cannot_be_judged(tmp_path: Path) -> None:
    source = open_archive(saved(tmp_path, HERE.manifest, *HERE.blobs), None)
    (wanted,) = resolve_platforms(source, source.root(), (ARM64,)).judged
    with pytest.raises(EvidenceError) as caught:
        source.manifest(wanted)
    assert caught.value.code == "IMG_UNREADABLE"
