"""Archives: both forms, never extracted; and what is refused in them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.oci import parse_manifest
from gate.errors import GateError
from gate.images.image_source import ImageSource
from gate.images.open_source import open_source
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_MANIFEST
from gate.model.reference import ArchiveReference
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.support.images import described, small_image
from tests.support.layouts import layout_files, write_archive

IMAGE = small_image(b"layer one", b"layer two")
CONFIG = IMAGE.blobs[0]
CONFIG_NAME = f"{Digest.of(CONFIG).hex}.json"
DOCKER = {
    CONFIG_NAME: CONFIG,
    "a/layer.tar": b"layer one",
    "b/layer.tar": b"layer two",
    "manifest.json": json.dumps(
        [{"Config": CONFIG_NAME, "RepoTags": ["evil/name:latest"], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    ).encode(),
}
OCI = layout_files([described(IMAGE.manifest, OCI_MANIFEST)], IMAGE.manifest, *IMAGE.blobs)
OFFLINE = RegistryClient(RegistryOptions(offline=True), Deadline(0.0))


def source(file: Path, digest: Digest | None = None) -> ImageSource:
    return open_source(ArchiveReference(str(file), digest), OFFLINE)


def code_of(file: Path, digest: Digest | None = None) -> str:
    with pytest.raises(GateError) as caught:
        source(file, digest).root()
    return caught.value.code


def test_oci_archive(tmp_path: Path) -> None:
    opened = source(write_archive(tmp_path / "a.tar", OCI))
    assert opened.root().digest == IMAGE.digest
    assert opened.attestable
    assert opened.writer is None
    manifest = parse_manifest(opened.root().content, media_type=OCI_MANIFEST)
    assert [b"".join(opened.blob(layer)) for layer in manifest.layers] == [b"layer one", b"layer two"]
    assert source(tmp_path / "a.tar", IMAGE.digest).root().digest == IMAGE.digest
    assert code_of(tmp_path / "a.tar", Digest.of(b"no")) == "IMG_UNREADABLE"


def test_an_archive_with_both_forms_has_a_digest(tmp_path: Path) -> None:
    opened = source(write_archive(tmp_path / "a.tar", {**DOCKER, **OCI}))
    assert (opened.attestable, opened.root().digest) == (True, IMAGE.digest)


def test_docker_archive(tmp_path: Path) -> None:
    opened = source(write_archive(tmp_path / "a.tar", DOCKER))
    manifest = parse_manifest(opened.root().content, media_type=OCI_MANIFEST)
    assert not opened.attestable
    assert (manifest.config.media_type, b"".join(opened.blob(manifest.config))) == (OCI_CONFIG, CONFIG)
    assert [b"".join(opened.blob(layer)) for layer in manifest.layers] == [b"layer one", b"layer two"]
    reordered = write_archive(tmp_path / "b.tar", dict(reversed(DOCKER.items())))
    assert source(reordered).root() == opened.root(), "derived from the content alone"
    assert opened.listed(opened.root().digest).referrers == ()
    assert code_of(tmp_path / "a.tar", Digest.of(b"no")) == "IMG_UNREADABLE"


def test_docker_archive_with_linked_and_compressed_layers(tmp_path: Path) -> None:
    squeezed = gzip.compress(b"layer two", mtime=0)
    members = {**DOCKER, "b/layer.tar": squeezed}
    del members["a/layer.tar"]
    file = write_archive(tmp_path / "a.tar", members, {"a/layer.tar": "../b/layer.tar"})
    opened = source(file)
    manifest = parse_manifest(opened.root().content, media_type=OCI_MANIFEST)
    assert [layer.media_type.rpartition("+")[2] for layer in manifest.layers] == ["gzip", "gzip"]
    assert {layer.digest for layer in manifest.layers} == {Digest.of(squeezed)}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "c/layer.tar", "a/layer.tar"])
def test_r09_a_link_out_of_the_archive_leads_nowhere(tmp_path: Path, target: str) -> None:
    members = {name: content for name, content in DOCKER.items() if name != "a/layer.tar"}
    assert code_of(write_archive(tmp_path / "a.tar", members, {"a/layer.tar": target})) == "IMG_UNREADABLE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"manifest.json": b"{"}, "IMG_MALFORMED"), ({"manifest.json": b"{}"}, "IMG_MALFORMED"),
        ({"manifest.json": b"[]"}, "REF_AMBIGUOUS"), ({"manifest.json": b"[{},{}]"}, "REF_AMBIGUOUS"),
        ({"manifest.json": b'[{"Config":"x"}]'}, "IMG_UNREADABLE"), ({CONFIG_NAME: b"{}"}, "IMG_BLOB_MISMATCH"),
        ({"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'}, "IMG_UNREADABLE"),
    ],
)  # fmt: skip
def test_malformed_docker_archives(tmp_path: Path, changes: dict[str, bytes], code: str) -> None:
    assert code_of(write_archive(tmp_path / "a.tar", {**DOCKER, **changes})) == code


def test_what_is_no_archive(tmp_path: Path) -> None:
    assert code_of(tmp_path / "missing.tar") == "REF_PATH"
    file = tmp_path / "a.tar"
    for content in (b"", b"not a tar", gzip.compress(write_archive(tmp_path / "b.tar", OCI).read_bytes())):
        file.write_bytes(content)
        assert code_of(file) == "IMG_MALFORMED"
    assert code_of(write_archive(file, {"readme": b"hello"})) == "IMG_MALFORMED"


def test_half_an_archive(tmp_path: Path) -> None:
    large = small_image(b"x" * 100_000)
    files = layout_files([described(large.manifest, OCI_MANIFEST)], large.manifest, *large.blobs)
    whole = write_archive(tmp_path / "a.tar", files).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) // 2])
    assert code_of(tmp_path / "a.tar") in {"IMG_UNREADABLE", "IMG_MALFORMED"}


def test_a_name_that_comes_twice(tmp_path: Path) -> None:
    file = write_archive(tmp_path / "a.tar", OCI, {"./index.json": "oci-layout"})
    assert code_of(file) == "IMG_AMBIGUOUS"


def test_a_blob_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    name = f"blobs/sha256/{IMAGE.digest.hex}"
    assert code_of(write_archive(tmp_path / "a.tar", {**OCI, name: IMAGE.manifest[:-1] + b" "})) == "IMG_BLOB_MISMATCH"
