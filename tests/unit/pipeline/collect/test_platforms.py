"""What a build attached is read with the image that it speaks of, or with the first one, and never left unread (attack X02)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.codec.platforms import parse_platform
from gate.images.blobs import BlobReader, FolderMembers
from gate.images.layout_source import LayoutSource
from gate.model.image import Platform
from gate.pipeline.collect.platforms import ResolvedImage, resolve_platforms
from tools.images.layout import (
    AMD64,
    ARM64,
    Blob,
    ImageConfig,
    attestation_child,
    image,
    image_of_document,
    index,
    layer,
    write_layout,
)
from tools.images.layout import Platform as Listed

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
AMD64_IMAGE, ARM64_IMAGE = (
    image([layer([], mtime=0)], ImageConfig(created=CREATED, platform=platform)) for platform in (AMD64, ARM64)
)


def attestation(subject: Blob) -> Blob:
    return attestation_child(subject, [("https://slsa.dev/provenance/v1", {"about": subject.digest})])


OF_ARM64 = attestation(ARM64_IMAGE)
OF_ATTESTATION = attestation(OF_ARM64)


def family(folder: Path, *children: Blob, wanted: tuple[Platform, ...] = ()) -> ResolvedImage:
    source = LayoutSource(BlobReader(FolderMembers(write_layout(folder, index(children)))), None)
    return resolve_platforms(source, source.root(), wanted)


def attached(found: ResolvedImage) -> list[tuple[str, list[str]]]:
    return [
        (str(child.platform), [str(one.child.digest) for one in found.attached_to(child)]) for child in found.judged
    ]


def test_an_attestation_is_read_with_its_image(tmp_path: Path) -> None:
    found = family(tmp_path / "image", AMD64_IMAGE, ARM64_IMAGE, OF_ARM64)
    assert attached(found) == [("linux/amd64", []), ("linux/arm64/v8", [OF_ARM64.digest])]


def test_what_speaks_of_no_image_is_read_with_the_first(tmp_path: Path) -> None:
    found = family(tmp_path / "image", AMD64_IMAGE, ARM64_IMAGE, OF_ARM64, OF_ATTESTATION)
    assert attached(found) == [("linux/amd64", [OF_ATTESTATION.digest]), ("linux/arm64/v8", [OF_ARM64.digest])]
    assert [one.reason for one in found.skipped] == ["attestation", "attestation"]


def test_what_speaks_of_a_platform_that_was_not_asked_for_is_not_read(tmp_path: Path) -> None:
    found = family(tmp_path / "image", AMD64_IMAGE, ARM64_IMAGE, OF_ARM64, wanted=(Platform("linux", "amd64"),))
    assert attached(found) == [("linux/amd64", [])]


def test_d09_an_attestation_that_is_listed_as_an_image_too_is_judged(tmp_path: Path) -> None:
    found = family(
        tmp_path / "image",
        AMD64_IMAGE,
        ARM64_IMAGE,
        OF_ARM64,
        replace(OF_ARM64, platform=Listed(os="windows"), annotations=()),
    )
    assert [str(child.platform) for child in found.judged] == ["linux/amd64", "linux/arm64/v8", "windows/amd64"]


def listed(blob: Blob, platform: Listed | None) -> Blob:
    return replace(blob, platform=platform)


def judged(found: ResolvedImage) -> list[str]:
    return [str(child.digest) for child in found.judged]


@pytest.mark.parametrize(
    ("platform", "taken"),
    [
        (None, True),
        (Listed(variant="v2"), True),
        (Listed(variant="v3"), True),
        (Listed(architecture="x86_64"), True),
        (Listed(architecture="arm64"), False),
        (Listed(architecture="386"), False),
        (Listed(os="windows"), False),
    ],
)
def test_what_a_runtime_could_pick_is_judged(tmp_path: Path, platform: Listed | None, taken: bool) -> None:  # noqa: FBT001
    found = family(
        tmp_path / "image", ARM64_IMAGE, listed(AMD64_IMAGE, platform), wanted=(parse_platform("linux/amd64"),)
    )
    assert judged(found) == ([AMD64_IMAGE.digest] if taken else [])
    assert [child.reason for child in found.skipped] == ["platform"] * (1 if taken else 2)


def test_a_child_without_platform_is_of_the_one_in_its_configuration(tmp_path: Path) -> None:
    found = family(tmp_path / "image", AMD64_IMAGE, listed(ARM64_IMAGE, None), wanted=(parse_platform("linux/amd64"),))
    assert judged(found) == [AMD64_IMAGE.digest]
    assert [child.platform for child in found.skipped] == ["linux/arm64/v8"]


def test_a_child_whose_platform_nobody_can_tell_is_judged(tmp_path: Path) -> None:
    nameless = listed(image_of_document([layer([], mtime=0)], {"rootfs": {"type": "layers", "diff_ids": []}}), None)
    found = family(tmp_path / "image", AMD64_IMAGE, nameless, wanted=(parse_platform("linux/amd64"),))
    assert judged(found) == [AMD64_IMAGE.digest, nameless.digest]


@pytest.mark.parametrize(
    ("asked", "taken"), [("linux/arm", 2), ("linux/arm/v7", 2), ("linux/arm/v6", 1), ("linux/arm64", 0)]
)
def test_an_older_variant_of_arm_serves_a_newer_one(tmp_path: Path, asked: str, taken: int) -> None:
    children = [
        listed(AMD64_IMAGE, Listed(architecture="arm", variant="v7")),
        listed(ARM64_IMAGE, Listed(architecture="arm", variant="v6")),
    ]
    assert len(family(tmp_path / "image", *children, wanted=(parse_platform(asked),)).judged) == taken
