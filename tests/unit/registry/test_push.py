"""Pushing, and being listed where anybody may overwrite the list; attacks R04, R05."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.codec.strict_json import JsonValue, canonical_json
from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.image import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST
from gate.model.reference import Repository
from gate.registry.attach import Attachable
from gate.registry.client import RegistryClient
from gate.registry.tags import parse_single_tag, single_tag
from tests.support.hostile import Exchange, HostileRegistry, answer, sequence
from tests.support.images import attachment_manifest, described, index_of, small_image

IMAGE = small_image(b"layer")
BLOB = b"a signature"
MANIFEST = attachment_manifest(IMAGE.descriptor, BLOB, media_type="application/x-test")
UPLOADS = "/v2/shop/web/blobs/uploads/"
TAG = f"/v2/shop/web/manifests/sha256-{IMAGE.digest.hex}"
PUT = f"/v2/shop/web/manifests/{Digest.of(MANIFEST)}"


def take_blobs(server: HostileRegistry, location: str = "/upload/1?_state=abc") -> None:
    server.serve(UPLOADS, b"", {"Location": location}, status=202, method="POST")
    server.serve("/upload/1", b"", status=201, method="PUT")
    server.serve(PUT, MANIFEST, {"Content-Type": OCI_MANIFEST})


def keep_tag(server: HostileRegistry, content: bytes | None = None, media_type: str = OCI_INDEX) -> list[bytes]:
    """Serve the fallback tag as a registry does, and give all that was ever written to it."""
    written: list[bytes] = [] if content is None else [content]

    def get(exchange: Exchange) -> None:
        exchange.reply(200, written[-1], {"Content-Type": media_type}) if written else exchange.reply(404)

    def put(exchange: Exchange) -> None:
        written.append(exchange.seen.body)
        exchange.reply(201)

    server.on("GET", TAG, get)
    server.on("PUT", TAG, put)
    return written


def code_of(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,))
    return caught.value.code


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/upload/1?_state=abc", f"/upload/1?_state=abc&digest={Digest.of(BLOB)}"),
        ("/upload/1", f"/upload/1?digest={Digest.of(BLOB)}"),
    ],
)
def test_blob(
    server: HostileRegistry, client: RegistryClient, repository: Repository, tmp_path: Path, location: str, asked: str
) -> None:
    take_blobs(server, location)
    file = tmp_path / "blob"
    file.write_bytes(BLOB)
    client.push_blob(repository, Digest.of(BLOB), BLOB)
    client.push_blob(repository, Digest.of(BLOB), file)
    sent = server.asked("PUT", "/upload/1")
    assert [(seen.path, seen.body, seen.headers["content-length"]) for seen in sent] == [(asked, BLOB, "11")] * 2


def test_a_blob_that_is_there_is_not_sent(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(f"/v2/shop/web/blobs/{Digest.of(BLOB)}", b"", method="HEAD")
    client.push_blob(repository, Digest.of(BLOB), BLOB)
    assert [seen.method for seen in server.requests] == ["HEAD"]


def test_a_broken_upload_begins_anew(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    take_blobs(server)
    server.on("PUT", "/upload/1", sequence(answer(503), answer(201)))
    client.push_blob(repository, Digest.of(BLOB), BLOB)
    assert len(server.asked("POST", UPLOADS)) == 2


@pytest.mark.parametrize(
    ("location", "code"),
    [("http://127.0.0.1:1/x", "REG_SSRF"), ("https://8.8.8.8/x", "REG_AUTH_LEAK"), ("", "REG_MALFORMED")],
)
def test_r04_an_upload_elsewhere(
    server: HostileRegistry, client: RegistryClient, repository: Repository, location: str, code: str
) -> None:
    take_blobs(server, location)
    assert code_of(client, repository) == code


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "REG_PUSH"), (401, "REG_AUTH"), (403, "REG_DENIED"), (413, "REG_PUSH"), (500, "REG_ERROR")],
)
def test_a_push_that_is_refused(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int, code: str
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=status, method="PUT")
    assert code_of(client, repository) == code


def test_the_api_lists_it(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    take_blobs(server)
    server.serve(PUT, b"", {"OCI-Subject": IMAGE.digest.text}, status=201, method="PUT")
    attached = client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,))
    assert (attached.manifest.digest, attached.by_fallback_tag) == (Digest.of(MANIFEST), False)
    assert server.asked("PUT", TAG) == []


def test_the_api_lists_it_without_saying_so(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    listed = index_of(described(MANIFEST, "application/vnd.oci.image.manifest.v1+json"))
    server.serve(f"/v2/shop/web/referrers/{IMAGE.digest}", listed, {"Content-Type": OCI_INDEX})
    assert not client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,)).by_fallback_tag


def test_what_was_pushed_may_need_a_moment(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", {"OCI-Subject": IMAGE.digest.text}, status=201, method="PUT")
    there = answer(200, MANIFEST, {"Content-Type": OCI_MANIFEST})
    server.on("GET", PUT, sequence(answer(404), answer(404), there))
    client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,))
    server.serve(PUT, b"", status=404)
    assert code_of(client, repository) == "REG_READ_BACK"
    assert len(server.asked("GET", PUT)) == 6


def test_fallback_keeps_what_others_wrote(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    foreign = described(b"other", "application/vnd.oci.image.manifest.v1+json", unknownField={"kept": True})
    written = keep_tag(server, index_of(foreign))
    for _ in range(2):
        assert client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,)).by_fallback_tag
    assert len(written) == 2, "the second time there is nothing to write"
    ours = described(MANIFEST, "application/vnd.oci.image.manifest.v1+json", artifactType="application/x-test")
    assert written[-1] == index_of(foreign, ours)


@pytest.mark.parametrize(
    ("content", "media_type"), [(IMAGE.manifest, "application/vnd.oci.image.manifest.v1+json"), (b"{}", DOCKER_INDEX)]
)
def test_fallback_overwrites_nothing_else(
    server: HostileRegistry, client: RegistryClient, repository: Repository, content: bytes, media_type: str
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    written = keep_tag(server, content, media_type)
    assert code_of(client, repository) == "REG_PUSH"
    assert written == [content]


def test_another_writer_wins_twice(
    server: HostileRegistry, client: RegistryClient, repository: Repository, pauses: list[float]
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    written = keep_tag(server)
    empty = canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    lost = 2

    def put(exchange: Exchange) -> None:
        nonlocal lost
        lost -= 1
        written.append(exchange.seen.body if lost < 0 else empty)
        exchange.reply(201)

    server.on("PUT", TAG, put)
    client.attach(repository, IMAGE.descriptor, MANIFEST, (BLOB,))
    assert Digest.of(MANIFEST).text.encode() in written[-1]
    assert all(0.0 <= pause <= 0.5 for pause in pauses)


def test_another_writer_always_wins(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    server.serve(TAG, b"", status=201, method="PUT")
    assert code_of(client, repository) == "REG_PUSH"
    assert len(server.asked("PUT", TAG)) == 8


def test_delete(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    path = f"/v2/shop/web/manifests/{IMAGE.digest}"
    server.serve(path, b"", status=202, method="DELETE")
    client.delete_manifest(repository, IMAGE.digest)
    server.serve(path, b"", status=405, method="DELETE")
    with pytest.raises(GateError) as caught:
        client.delete_manifest(repository, IMAGE.digest)
    assert caught.value.code == "REG_PUSH"


TAGS = "/v2/shop/web/tags/list"
OWN = single_tag(IMAGE.digest, Digest.of(MANIFEST))


def keep_tags(server: HostileRegistry, *refused: str) -> list[str]:
    """Serve a registry that lists its tags and takes every new one but those refused; return the tags that it has."""
    tags = ["latest", f"sha256-{IMAGE.digest.hex}.sig"]

    def put(exchange: Exchange) -> None:
        tags.append(OWN)
        exchange.reply(201)

    def listed(exchange: Exchange) -> None:
        exchange.reply(200, canonical_json({"name": "shop/web", "tags": [*tags]}))

    server.on("PUT", f"/v2/shop/web/manifests/{OWN}", put)
    server.on("GET", TAGS, listed)
    for path in refused:
        server.serve(
            path, b'{"errors":[{"code":"TAG_INVALID","message":"tags are immutable"}]}', status=400, method="PUT"
        )
    return tags


def test_without_the_api_an_attachment_has_a_tag_of_its_own(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    written = keep_tag(server)
    keep_tags(server)
    (item,) = (Attachable(subject=IMAGE.descriptor, manifest=MANIFEST, blobs=(BLOB,)),)
    assert client.attach_all(repository, (item,)).notices == ()
    assert len(written) == 1
    assert [found.digest for found in client.single_attachments(repository, IMAGE.digest)] == [Digest.of(MANIFEST)]
    assert client.single_attachments(repository, Digest.of(b"another image")) == ()


def test_a_list_that_cannot_be_moved_loses_nothing_where_tags_are_listed(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    keep_tag(server, index_of())
    keep_tags(server, TAG)
    item = Attachable(subject=IMAGE.descriptor, manifest=MANIFEST, blobs=(BLOB,))
    (notice,) = client.attach_all(repository, (item,)).notices
    assert "tags are immutable" in notice
    assert [found.digest for found in client.single_attachments(repository, IMAGE.digest)] == [Digest.of(MANIFEST)]


def test_where_nothing_can_be_listed_the_way_out_is_named(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    keep_tag(server)
    item = Attachable(subject=IMAGE.descriptor, manifest=MANIFEST, blobs=(BLOB,))
    (notice,) = client.attach_all(repository, (item,)).notices
    assert "attestationsIn" in notice
    keep_tag(server, index_of())
    server.serve(TAG, b"", status=400, method="PUT")
    with pytest.raises(GateError) as caught:
        client.attach_all(repository, (item,))
    assert caught.value.code == "REG_PUSH"
    assert "attestationsIn" in caught.value.next_step


@pytest.mark.parametrize("status", [500, 503])
def test_tags_that_cannot_be_asked_are_no_empty_list(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int
) -> None:
    server.serve(TAGS, b"", status=status)
    with pytest.raises(GateError) as caught:
        client.single_attachments(repository, IMAGE.digest)
    assert caught.value.code == "REG_ERROR"


def test_tags_are_read_to_their_last_page(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    def listed(exchange: Exchange) -> None:
        last = "last=b" in exchange.seen.path
        tags: list[JsonValue] = [OWN] if last else ["a", "b"]
        link = {} if last else {"Link": '</v2/shop/web/tags/list?n=1000&last=b>; rel="next"'}
        exchange.reply(200, canonical_json({"name": "shop/web", "tags": tags}), link)

    server.on("GET", TAGS, listed)
    assert [found.digest for found in client.single_attachments(repository, IMAGE.digest)] == [Digest.of(MANIFEST)]


@pytest.mark.parametrize("name", ["", "!", "aa", OWN.rpartition(".g")[2][:-1], OWN.rpartition(".g")[2] + "a"])
def test_a_tag_that_names_no_digest_is_no_attachment(name: str) -> None:
    assert parse_single_tag(OWN, IMAGE.digest) is not None
    assert parse_single_tag(f"sha256-{IMAGE.digest.hex}.g{name}", IMAGE.digest) is None
    assert parse_single_tag(OWN, Digest.of(b"another")) is None


def test_a_tag_fits_into_128_characters() -> None:
    assert len(OWN) <= 128
    assert OWN.lower() == OWN


@pytest.mark.parametrize("how", ["platform", "another subject", "no subject"])
def test_the_index_of_an_image_under_the_fallback_tag_is_left_alone(
    server: HostileRegistry, client: RegistryClient, repository: Repository, how: str
) -> None:
    take_blobs(server)
    server.serve(PUT, b"", status=201, method="PUT")
    other = small_image(b"another")
    child = (
        attachment_manifest(other.descriptor, b"x", media_type="a/b") if how == "another subject" else other.manifest
    )
    server.serve(f"/v2/shop/web/manifests/{Digest.of(child)}", child, {"Content-Type": OCI_MANIFEST})
    more: dict[str, JsonValue] = {"platform": {"os": "linux", "architecture": "amd64"}} if how == "platform" else {}
    written = keep_tag(server, index_of(described(child, OCI_MANIFEST, **more)))
    assert code_of(client, repository) == "REG_PUSH"
    assert len(written) == 1


def test_an_upload_session_that_is_gone_is_begun_again(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    take_blobs(server)
    server.on("PUT", "/upload/1", sequence(answer(404), answer(201)))
    client.push_blob(repository, Digest.of(BLOB), BLOB)
    assert len(server.asked("POST", UPLOADS)) == 2
