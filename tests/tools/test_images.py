"""The images of the demo are what their README says, byte for byte the same, and valid layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tools.images import planted
from tools.images.__main__ import main
from tools.images.archive import Entry, Kind, directory, file, hardlink, opaque, pax_record, symlink, tar, whiteout
from tools.images.bases import DEBIAN_12_0, STATIC_PACKAGES
from tools.images.catalog import WRONG, BuiltImage, build_images
from tools.images.large import MEGABYTE, build_large
from tools.images.layout import (
    AMD64,
    CONFIG_TYPE,
    IN_TOTO_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Compression,
    ImageConfig,
    image,
    index,
    layer,
    write_layout,
)
from tools.images.parts import RECORDED, SIX, SMALL_PARTS, PartError, read_part

ROOT = Path(__file__).parents[2]
CREATED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
SECRETS = {"index-bad-child", "secret-deleted", "secret-env", "secret-history"}

Document = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuiltImage]:
    return build_images(tmp_path_factory.mktemp("images"), CREATED, tmp_path_factory.mktemp("parts"))


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def document(layout: Path, digest: str) -> Document:
    parsed: Document = json.loads(blob(layout, digest))
    return parsed


def children(item: BuiltImage) -> list[Document]:
    listed: list[Document] = document(item.layout, item.digest).get("manifests", [])
    return listed


def manifests(item: BuiltImage) -> list[Document]:
    """Return the image manifests: the root, or the runnable children of an index."""
    listed = children(item)
    if not listed:
        return [document(item.layout, item.digest)]
    return [document(item.layout, child["digest"]) for child in listed if child["platform"]["os"] != "unknown"]


def members(item: BuiltImage, manifest: Document) -> Iterator[tuple[int, tarfile.TarInfo, bytes]]:
    for number, part in enumerate(manifest["layers"]):
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(item.layout, part["digest"])))) as archive:
            for member in archive:
                body = archive.extractfile(member) if member.isreg() else None
                yield number, member, body.read() if body else b""


def packages(item: BuiltImage) -> dict[str, str]:
    status = next(body for _, member, body in members(item, manifests(item)[0]) if member.name.endswith("dpkg/status"))
    rows = [row for row in status.decode().split("\n\n") if row]
    return {row.split("\n")[0].removeprefix("Package: "): re.findall(r"(?m)^Version: (.+)$", row)[0] for row in rows}


def config_of(item: BuiltImage) -> Document:
    return document(item.layout, manifests(item)[0]["config"]["digest"])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_readme_builder_and_what_is_wrong_name_the_same_images(built: dict[str, BuiltImage]) -> None:
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \| (.+) \|$", (ROOT / "tools/images/README.md").read_text())
    assert dict(rows) == dict(WRONG)
    assert len(rows) == len(WRONG)
    assert {name: item.expected for name, item in built.items()} == dict(WRONG)


def test_same_time_gives_the_same_bytes(built: dict[str, BuiltImage], tmp_path: Path) -> None:
    again = build_images(tmp_path, CREATED, tmp_path / "parts")
    for name, item in built.items():
        assert files(again[name].layout) == files(item.layout), name


def test_another_time_gives_another_digest(built: dict[str, BuiltImage], tmp_path: Path) -> None:
    later = build_images(tmp_path, CREATED.replace(day=30), tmp_path, only=["clean"])
    assert later["clean"].digest != built["clean"].digest


def test_digests_differ_between_images(built: dict[str, BuiltImage]) -> None:
    assert len({item.digest for item in built.values()}) == len(WRONG)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_layout_is_valid(built: dict[str, BuiltImage], name: str) -> None:
    item = built[name]
    assert not {":", "@"} & set(str(item.layout))
    assert json.loads((item.layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((item.layout / "index.json").read_text())["manifests"]
    assert entry["digest"] == item.digest
    seen = set()
    queue: list[Document] = [entry]
    while queue:
        descriptor = queue.pop()
        data = blob(item.layout, descriptor["digest"])
        seen.add(descriptor["digest"].removeprefix("sha256:"))
        assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"]
        assert len(data) == descriptor["size"]
        if descriptor["mediaType"] in {INDEX_TYPE, MANIFEST_TYPE}:
            parsed = json.loads(data)
            assert (parsed["schemaVersion"], parsed["mediaType"]) == (2, descriptor["mediaType"])
            queue += parsed.get("manifests") or [parsed["config"], *parsed["layers"]]
    assert {path.name for path in (item.layout / "blobs" / "sha256").iterdir()} == seen


@pytest.mark.parametrize("name", sorted(WRONG))
def test_configuration_fits_the_layers(built: dict[str, BuiltImage], name: str) -> None:
    item = built[name]
    for manifest in manifests(item):
        assert manifest["config"]["mediaType"] == CONFIG_TYPE
        assert {part["mediaType"] for part in manifest["layers"]} == {LAYER_TYPE + "+gzip"}
        config = document(item.layout, manifest["config"]["digest"])
        inflated = [gzip.decompress(blob(item.layout, part["digest"])) for part in manifest["layers"]]
        assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(data).hexdigest() for data in inflated]
        assert config["created"] == "2026-01-31T12:00:00Z"
        assert sum(not line.get("empty_layer", False) for line in config["history"]) == len(inflated)
        labels = config["config"]["Labels"]
        assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
        assert labels["org.opencontainers.image.source"].startswith("https://")


@pytest.mark.parametrize("name", sorted(WRONG))
def test_layers_are_plain(built: dict[str, BuiltImage], name: str) -> None:
    """One time, root as owner, sorted, no name twice, and each entry's directory before it."""
    item = built[name]
    for manifest in manifests(item):
        seen: dict[int, list[str]] = {}
        for number, member, _ in members(item, manifest):
            assert (member.uid, member.gid, member.mtime) == (0, 0, int(CREATED.timestamp()))
            above = member.name.rpartition("/")[0]
            assert not above or above in seen.get(number, []), member.name
            seen.setdefault(number, []).append(member.name)
        for names in seen.values():
            assert names == sorted(set(names), key=str.encode)


def test_index_has_two_platforms_and_skippable_attestations(built: dict[str, BuiltImage]) -> None:
    item = built["index-good"]
    listed = children(item)
    platforms = [(child["platform"]["os"], child["platform"]["architecture"]) for child in listed]
    assert platforms == [("linux", "amd64"), ("linux", "arm64"), ("unknown", "unknown"), ("unknown", "unknown")]
    for subject, child in zip(listed[:2], listed[2:], strict=True):
        assert child["annotations"] == {
            "vnd.docker.reference.digest": subject["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        manifest = document(item.layout, child["digest"])
        config = document(item.layout, manifest["config"]["digest"])
        assert (config["os"], config["architecture"]) == ("unknown", "unknown")
        assert config["rootfs"]["diff_ids"] == [part["digest"] for part in manifest["layers"]]
        for part in manifest["layers"]:
            assert part["mediaType"] == IN_TOTO_TYPE
            statement = document(item.layout, part["digest"])
            assert statement["predicateType"] == part["annotations"]["in-toto.io/predicate-type"]
            assert statement["subject"][0]["digest"]["sha256"] == subject["digest"].removeprefix("sha256:")


def test_children_say_the_platform_of_the_index(built: dict[str, BuiltImage]) -> None:
    for name in ("index-good", "index-bad-child"):
        item = built[name]
        for child, manifest in zip(children(item), manifests(item), strict=False):
            config = document(item.layout, manifest["config"]["digest"])
            assert (config["os"], config["architecture"]) == ("linux", child["platform"]["architecture"])


def test_what_is_wrong_with_the_configuration(built: dict[str, BuiltImage]) -> None:
    users = {name: config_of(item)["config"].get("User", "") for name, item in built.items()}
    assert {name for name, user in users.items() if user != "10001:10001"} == {"root-user"}
    assert users["root-user"] == ""
    ports = {name for name, item in built.items() if "22/tcp" in config_of(item)["config"]["ExposedPorts"]}
    assert ports == {"exposed-ssh"}


def test_only_one_image_has_a_setuid_file(built: dict[str, BuiltImage]) -> None:
    found = {
        (name, member.name)
        for name, item in built.items()
        for manifest in manifests(item)
        for _, member, _ in members(item, manifest)
        if member.isreg() and member.mode & 0o6000
    }
    assert found == {("setuid", "usr/local/bin/clear")}


def test_whiteouts_remove_what_a_lower_layer_holds(built: dict[str, BuiltImage]) -> None:
    for name, hidden in (("secret-deleted", "srv/app/.env"), ("old-packagedb-removed", "var/lib/dpkg/status")):
        found = {member.name: number for number, member, _ in members(built[name], manifests(built[name])[0])}
        folder, _, base = hidden.rpartition("/")
        assert found[hidden] < found[f"{folder}/.wh.{base}"]


def test_debian_rows_are_recorded_ones(built: dict[str, BuiltImage]) -> None:
    assert set(packages(built["clean"])) == STATIC_PACKAGES
    whole = packages(built["vulnerable-debian"])
    assert len(whole) == 97
    assert {name: whole[name] for name in DEBIAN_12_0} == DEBIAN_12_0


def secret_values(label: str) -> list[str]:
    return [planted.github_token(label), *planted.aws_pair(label)]


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_secrets_are_where_the_readme_says(built: dict[str, BuiltImage], name: str) -> None:
    token = planted.github_token(name)
    holders = []
    for manifest in manifests(built[name]):
        config = document(built[name].layout, manifest["config"]["digest"])
        holders += ["env" for value in config["config"]["Env"] if token in value]
        holders += ["history" for line in config["history"] if token in line["created_by"]]
        holders += [member.name for _, member, body in members(built[name], manifest) if token.encode() in body]
    where = {"secret-env": "env", "secret-history": "history"}.get(name, "srv/app/.env")
    assert holders == [where]


def test_tokens_have_a_right_checksum() -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for label in SECRETS:
        token = planted.github_token(label)
        assert re.fullmatch("ghp_[0-9A-Za-z]{36}", token)
        value = 0
        for character in token[-6:]:
            value = value * 62 + alphabet.index(character)
        assert value == zlib.crc32(token[4:-6].encode())
        key_id, key = planted.aws_pair(label)
        assert re.fullmatch("AKIA[A-Z2-7]{16}", key_id)
        assert re.fullmatch("[A-Za-z0-9/+]{40}", key)


def test_no_secret_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    values = [value.encode() for label in SECRETS for value in secret_values(label)]
    assert paths
    for path in paths:
        if path.is_file():
            content = path.read_bytes()
            assert not any(value in content for value in values), path


def test_recorded_parts_are_the_pinned_ones() -> None:
    readme = (RECORDED / "README.md").read_text()
    for part in SMALL_PARTS:
        assert hashlib.sha256((RECORDED / part.file).read_bytes()).hexdigest() == part.sha256
        assert f"`{part.file}`" in readme
        assert f"`{part.sha256}`" in readme
    assert {path.name for path in RECORDED.iterdir()} == {"README.md", *(part.file for part in SMALL_PARTS)}


def test_a_part_of_other_bytes_is_refused(tmp_path: Path) -> None:
    wanted = replace(SIX, file="not-recorded.whl")
    kept = tmp_path / SIX.sha256
    kept.write_bytes(b"other")
    with pytest.raises(PartError, match=SIX.sha256):
        read_part(wanted, tmp_path)
    kept.write_bytes(read_part(SIX, tmp_path))
    assert read_part(wanted, tmp_path) == kept.read_bytes()


def test_large_image_has_its_size_and_copies_no_package(tmp_path: Path) -> None:
    item = build_large(tmp_path, CREATED, tmp_path, megabytes=1, wheels=[SIX])
    (manifest,) = manifests(item)
    inflated = [len(gzip.decompress(blob(item.layout, part["digest"]))) for part in manifest["layers"]]
    assert MEGABYTE <= sum(inflated) < 2 * MEGABYTE
    names = [member.name for _, member, _ in members(item, manifest)]
    assert sum(name.endswith("/METADATA") for name in names) == 1
    assert sum(name.endswith("/six.py") for name in names) > 10


def test_command_builds_the_images_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = ["--wheels-cache", str(tmp_path / "cache")]
    options = ["build", "--out", str(tmp_path / "out"), "--created", "2026-01-31T12:00:00Z", "--only", "clean", *cache]
    assert main(options) == 0
    digest = json.loads((tmp_path / "out/clean/index.json").read_text())["manifests"][0]["digest"]
    assert capsys.readouterr().out.split()[:2] == ["clean", digest]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clean"]


def test_an_unknown_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="clena"):
        build_images(tmp_path, CREATED, tmp_path, only=["clena"])


ENTRIES = [
    directory("a", mode=0o1777),
    file("a/" + "n" * 120, b"long"),
    file("é", "accent"),
    symlink("link", "t" * 130),
    hardlink("z", "é"),
    whiteout("gone/file"),
    opaque("gone"),
    Entry(name="cap", mode=0o4755, uid=2**31, xattrs=(("security.capability", b"\x01\x00\x00\x02"),)),
    Entry(name="null", kind=Kind.CHARACTER_DEVICE, device=(1, 3)),
]


def test_tar_is_read_back_as_it_was_meant() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar(ENTRIES, mtime=7))) as archive:
        found = {member.name: member for member in archive}
    assert {"a", "a/" + "n" * 120, "é", "link", "z", "gone/.wh.file", "gone/.wh..wh..opq", "cap", "null"} == set(found)
    assert (found["a"].type, found["a"].mode) == (tarfile.DIRTYPE, 0o1777)
    assert found["link"].linkname == "t" * 130
    assert (found["z"].type, found["z"].linkname) == (tarfile.LNKTYPE, "é")
    assert (found["cap"].uid, found["cap"].mode) == (2**31, 0o4755)
    assert found["cap"].pax_headers["SCHILY.xattr.security.capability"] == "\x01\x00\x00\x02"
    assert (found["null"].devmajor, found["null"].devminor) == (1, 3)
    assert {member.mtime for member in found.values()} == {7}


def test_order_and_end_are_the_callers_when_asked() -> None:
    forward = tar([file("a", "1"), file("b", "2")])
    assert tar([file("b", "2"), file("a", "1")]) == forward
    assert tar([file("b", "2"), file("a", "1")], sort=False) != forward
    assert tar([file("a", "1"), file("b", "2")], end=False) == forward[:-1024]


@pytest.mark.parametrize("size", [1, 92, 93, 94, 993, 994, 995])
def test_a_pax_record_counts_itself(size: int) -> None:
    record = pax_record("key", b"v" * size)
    assert int(record.split(b" ")[0]) == len(record)


@pytest.mark.parametrize("compression", list(Compression))
def test_a_layer_has_the_digest_of_its_tar(compression: Compression) -> None:
    made = layer([file("a", "1")], compression=compression)
    assert made.diff_id == "sha256:" + hashlib.sha256(tar([file("a", "1")])).hexdigest()
    assert made.blob.media_type == LAYER_TYPE + compression.value
    magic = {Compression.NONE: b"a\0", Compression.GZIP: b"\x1f\x8b", Compression.ZSTD: b"\x28\xb5"}[compression]
    assert made.blob.data is not None
    assert made.blob.data.startswith(magic)


def test_a_lying_blob_lies_in_every_descriptor(tmp_path: Path) -> None:
    honest = layer([file("a", "1")])
    liar = replace(honest, blob=replace(honest.blob, size_bytes=1))
    root = index([image([liar], ImageConfig(created=CREATED, platform=AMD64))])
    write_layout(tmp_path, root, ref_name="v1")
    entry = json.loads((tmp_path / "index.json").read_text())["manifests"][0]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    child = document(tmp_path, document(tmp_path, entry["digest"])["manifests"][0]["digest"])
    assert child["layers"][0]["size"] == 1
    assert len(blob(tmp_path, child["layers"][0]["digest"])) > 1
