"""Layouts: which image is meant, what is refused, and attachments written so that nothing else changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.strict_json import JsonValue
from gate.errors import GateError, ImageError, ReferenceRefusedError
from gate.images.attachments import collect_attachments
from gate.images.image_source import ImageSource
from gate.images.open_source import open_source
from gate.model.attachment import BUNDLE_V03, SIMPLE_SIGNING, AttachmentSource
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST
from gate.model.reference import LayoutReference, parse_reference
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.support.images import SmallImage, attachment_manifest, described, index_of, small_image
from tests.support.layouts import MARK, write_layout

IMAGE = small_image(b"layer")
OTHER = small_image(b"other")
ENTRY = described(IMAGE.manifest, OCI_MANIFEST)
BUNDLE = b'{"bundle":1}'
ATTACHMENT = attachment_manifest(IMAGE.descriptor, BUNDLE, media_type=BUNDLE_V03)
OFFLINE = RegistryClient(RegistryOptions(offline=True), Deadline(0.0))
REF_NAME = "org.opencontainers.image.ref.name"


def image_blobs(*images: SmallImage) -> list[bytes]:
    return [blob for image in images for blob in (image.manifest, *image.blobs)]


def source(folder: Path, digest: Digest | None = None) -> ImageSource:
    return open_source(LayoutReference(str(folder), digest), OFFLINE)


def code_of(folder: Path, digest: Digest | None = None) -> str:
    with pytest.raises(GateError) as caught:
        source(folder, digest).root()
    return caught.value.code


def tagged(content: bytes, name: str, media_type: str = OCI_MANIFEST) -> dict[str, JsonValue]:
    return described(content, media_type, annotations={REF_NAME: name})


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "layout", [ENTRY], *image_blobs(IMAGE))


def test_the_only_image(layout: Path) -> None:
    opened = source(layout)
    root = opened.root()
    assert (root.digest, root.media_type, root.content) == (IMAGE.digest, OCI_MANIFEST, IMAGE.manifest)
    assert opened.manifest(IMAGE.descriptor) == IMAGE.manifest
    assert opened.attestable
    layer = json.loads(root.content)["layers"][0]
    assert layer["size"] == 5


def of_build(about: str, layers: str = "application/vnd.in-toto+json") -> tuple[dict[str, JsonValue], bytes]:
    manifest = json.loads(OTHER.manifest)
    manifest["layers"] = [{**layer, "mediaType": layers} for layer in manifest["layers"]]
    content = json.dumps(manifest).encode()
    names: dict[str, JsonValue] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": about,
    }
    entry = described(content, OCI_MANIFEST, annotations=names)
    return {**entry, "platform": {"os": "unknown", "architecture": "unknown"}}, content


def test_what_a_build_attached_beside_the_image_is_no_second_image(tmp_path: Path) -> None:
    entry, content = of_build(str(IMAGE.digest))
    for number, entries in enumerate(([ENTRY, entry], [entry, ENTRY])):
        layout = write_layout(tmp_path / f"layout{number}", entries, content, *image_blobs(IMAGE, OTHER))
        assert source(layout).root().digest == IMAGE.digest


@pytest.mark.parametrize(
    "entry",
    [of_build(str(OTHER.digest)), of_build(str(IMAGE.digest), "application/vnd.oci.image.layer.v1.tar+gzip")],
    ids=["about nothing here", "with layers that run"],
)
def test_what_only_claims_to_be_attached_is_a_second_image(
    entry: tuple[dict[str, JsonValue], bytes], tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", [ENTRY, entry[0]], entry[1], *image_blobs(IMAGE, OTHER))
    assert code_of(layout) == "REF_AMBIGUOUS"


def test_several_images_need_a_digest(tmp_path: Path) -> None:
    entries = [ENTRY, described(OTHER.manifest, OCI_MANIFEST)]
    layout = write_layout(tmp_path / "layout", entries, *image_blobs(IMAGE, OTHER))
    assert code_of(layout) == "REF_AMBIGUOUS"
    assert source(layout, OTHER.digest).root().digest == OTHER.digest


def test_one_image_under_two_tags_is_one(tmp_path: Path) -> None:
    entries = [tagged(IMAGE.manifest, "latest"), tagged(IMAGE.manifest, "v1")]
    assert source(write_layout(tmp_path, entries, *image_blobs(IMAGE))).root().digest == IMAGE.digest


def test_attachments_are_no_candidates(tmp_path: Path) -> None:
    listing = index_of(described(ATTACHMENT, OCI_MANIFEST))
    entries = [
        described(ATTACHMENT, OCI_MANIFEST), ENTRY, tagged(listing, f"sha256-{IMAGE.digest.hex}", OCI_INDEX),
        tagged(OTHER.manifest, f"sha256-{IMAGE.digest.hex}.sig"),
    ]  # fmt: skip
    layout = write_layout(tmp_path, entries, ATTACHMENT, BUNDLE, b"{}", listing, *image_blobs(IMAGE, OTHER))
    assert source(layout).root().digest == IMAGE.digest


def test_a_child_of_an_index_is_found_by_digest(tmp_path: Path) -> None:
    index = index_of(ENTRY, described(OTHER.manifest, OCI_MANIFEST))
    layout = write_layout(tmp_path, [described(index, OCI_INDEX)], index, *image_blobs(IMAGE, OTHER))
    assert source(layout).root().digest == Digest.of(index)
    assert source(layout, OTHER.digest).root().content == OTHER.manifest
    assert code_of(layout, Digest.of(b"no")) == "IMG_UNREADABLE"


def test_what_is_not_there(tmp_path: Path) -> None:
    assert code_of(tmp_path / "missing") == "REF_PATH"
    assert code_of(tmp_path) == "REF_PATH"
    (tmp_path / "index.json").write_text("{}")
    assert code_of(tmp_path) == "IMG_MALFORMED"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.json", b"{"), ("index.json", b"[]"), ("index.json", b""), ("index.json", index_of()),
        ("index.json", b'{"schemaVersion":2,"manifests":[],"manifests":[]}'), ("oci-layout", b"{}"),
        ("oci-layout", b'{"imageLayoutVersion":"2.0.0"}'),
    ],
)  # fmt: skip
def test_what_is_no_layout(layout: Path, name: str, content: bytes) -> None:
    (layout / name).write_bytes(content)
    assert code_of(layout) == "IMG_MALFORMED"


def test_an_index_that_is_too_large(layout: Path) -> None:
    (layout / "index.json").write_bytes(index_of(*([ENTRY] * 2001)))
    assert code_of(layout) == "LIMIT_INDEX"
    (layout / "index.json").write_bytes(index_of(ENTRY) + b" " * (5 << 20))
    assert code_of(layout) == "LIMIT_INDEX"


def test_half_an_image(layout: Path) -> None:
    blob = layout / "blobs" / "sha256" / IMAGE.digest.hex
    content = blob.read_bytes()
    blob.write_bytes(content[:-1])
    assert code_of(layout) == "IMG_BLOB_MISMATCH"
    blob.unlink()
    assert code_of(layout) == "IMG_UNREADABLE"


def test_a_size_that_lies(tmp_path: Path) -> None:
    layout = write_layout(tmp_path, [{**ENTRY, "size": len(IMAGE.manifest) + 1}], *image_blobs(IMAGE))
    assert code_of(layout) == "IMG_SIZE"


def test_r09_links_are_not_followed(layout: Path, tmp_path: Path) -> None:
    blob = layout / "blobs" / "sha256" / IMAGE.digest.hex
    moved = shutil.move(blob, tmp_path / "moved")
    blob.symlink_to(moved)
    assert code_of(layout) == "IMG_UNREADABLE"
    blob.unlink()
    shutil.move(layout / "blobs", tmp_path / "blobs")
    shutil.move(moved, tmp_path / "blobs" / "sha256" / IMAGE.digest.hex)
    (layout / "blobs").symlink_to(tmp_path / "blobs")
    assert code_of(layout) == "IMG_UNREADABLE"


def test_attach_and_read_back(layout: Path) -> None:
    opened = source(layout)
    assert opened.writer is not None
    before = (layout / "index.json").read_bytes()
    entries = [opened.writer.attach(IMAGE.descriptor, ATTACHMENT, (BUNDLE, b"{}")) for _ in range(2)]
    assert {entry.digest for entry in entries} == {Digest.of(ATTACHMENT)}
    assert opened.root().digest == IMAGE.digest, "the image is still the only candidate"
    found = collect_attachments(opened, IMAGE.digest)
    assert [(item.source, item.content) for item in found.items] == [(AttachmentSource.REFERRER, BUNDLE)]
    index = json.loads((layout / "index.json").read_bytes())
    assert index["manifests"][0] == json.loads(before)["manifests"][0]
    assert len(index["manifests"]) == 3, "the image, the referrer, the list under the fallback tag"
    tag = index["manifests"][2]
    assert tag["annotations"] == {REF_NAME: f"sha256-{IMAGE.digest.hex}"}
    listing = json.loads((layout / "blobs" / "sha256" / tag["digest"].removeprefix("sha256:")).read_bytes())
    assert [item["digest"] for item in listing["manifests"]] == [Digest.of(ATTACHMENT).text]
    opened.writer.confirm(IMAGE.descriptor, ATTACHMENT)
    assert json.loads((layout / "index.json").read_bytes()) == index


def test_attach_keeps_what_others_wrote(layout: Path) -> None:
    document = json.loads((layout / "index.json").read_bytes())
    document["manifests"][0]["unknown"] = {"kept": [1]}
    document["annotations"] = {"kept": "too"}
    (layout / "index.json").write_text(json.dumps(document), encoding="utf-8")
    opened = source(layout)
    assert opened.writer is not None
    opened.writer.attach(IMAGE.descriptor, ATTACHMENT, (BUNDLE,))
    after = json.loads((layout / "index.json").read_bytes())
    assert after["manifests"][0] == document["manifests"][0]
    assert after["annotations"] == {"kept": "too"}


def test_something_else_under_the_fallback_tag_is_not_overwritten(tmp_path: Path) -> None:
    entries = [ENTRY, tagged(OTHER.manifest, f"sha256-{IMAGE.digest.hex}")]
    opened = source(write_layout(tmp_path, entries, *image_blobs(IMAGE, OTHER)))
    assert opened.writer is not None
    before = (tmp_path / "index.json").read_bytes()
    with pytest.raises(ImageError):
        opened.writer.attach(IMAGE.descriptor, ATTACHMENT, (BUNDLE,))
    assert (tmp_path / "index.json").read_bytes() == before


def test_a_legacy_tag_is_replaced(layout: Path) -> None:
    opened = source(layout)
    assert opened.writer is not None
    tag = f"sha256-{IMAGE.digest.hex}.sig"
    for content in (b"one", b"two"):
        opened.writer.put_tagged(tag, small_image(content).manifest, (content,))
    found = opened.tagged(tag)
    assert found is not None
    assert found.content == small_image(b"two").manifest
    assert collect_attachments(opened, IMAGE.digest).ignored == (("application/vnd.oci.image.layer.v1.tar", 1),)


def test_a_legacy_signature_is_collected(layout: Path) -> None:
    opened = source(layout)
    assert opened.writer is not None
    manifest = attachment_manifest(IMAGE.descriptor, b"payload", media_type=SIMPLE_SIGNING, annotations={"sig": "x"})
    opened.writer.put_tagged(f"sha256-{IMAGE.digest.hex}.sig", manifest, (b"payload", b"{}"))
    items = collect_attachments(opened, IMAGE.digest).items
    assert [(item.source, dict(item.annotations)) for item in items] == [
        (AttachmentSource.LEGACY_SIGNATURE, {"sig": "x"})
    ]


def test_a_layout_that_cannot_be_written(layout: Path) -> None:
    opened = source(layout)
    assert opened.writer is not None
    shutil.rmtree(layout / "blobs")
    (layout / "blobs").write_bytes(MARK)
    with pytest.raises(GateError) as caught:
        opened.writer.attach(IMAGE.descriptor, ATTACHMENT, (BUNDLE,))
    assert caught.value.code == "OUT_WRITE"


def test_d01_a_tag_alone_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ReferenceRefusedError) as caught:
        open_source(parse_reference("registry.example/shop/web:latest"), OFFLINE)
    assert caught.value.code == "REF_NOT_DIGEST"


def test_a_registry_offline() -> None:
    opened = open_source(parse_reference(f"registry.example/shop/web@{IMAGE.digest}"), OFFLINE)
    with pytest.raises(GateError) as caught:
        opened.root()
    assert caught.value.code == "REG_OFFLINE"
