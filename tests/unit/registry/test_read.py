"""Reading manifests and blobs from a registry that may lie: attacks D03, D11, R01, R02, R03, R11."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST
from gate.model.reference import Repository, parse_repository
from gate.registry.client import RegistryClient
from tests.support.certificates import write_server_certificate
from tests.support.hostile import Exchange, HostileRegistry, answer, sequence
from tests.support.images import describe, resized, small_image
from tests.unit.registry.conftest import MakeClient

IMAGE = small_image(b"layer")
PATH = f"/v2/shop/web/manifests/{IMAGE.digest}"
TYPE = {"Content-Type": f"{OCI_MANIFEST}; charset=utf-8"}
BLOB = b"0123456789" * 50_000
DESCRIPTOR = describe(BLOB)
BLOB_PATH = f"/v2/shop/web/blobs/{DESCRIPTOR.digest}"


def refused(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        client.manifest(repository, IMAGE.digest)
    return caught.value.code


def blob_refused(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        list(client.blob(repository, DESCRIPTOR))
    return caught.value.code


def test_manifest_is_served(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(PATH, IMAGE.manifest, TYPE)
    fetched = client.manifest(repository, IMAGE.digest)
    assert (fetched.media_type, fetched.digest, fetched.content) == (OCI_MANIFEST, IMAGE.digest, IMAGE.manifest)
    asked = server.asked("GET", PATH)[0]
    assert OCI_MANIFEST in asked.headers["accept"]
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers


def test_d03_other_bytes_under_the_right_header(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(PATH, IMAGE.manifest + b" ", {**TYPE, "Docker-Content-Digest": IMAGE.digest.text})
    assert refused(client, repository) == "REG_DIGEST_MISMATCH"
    assert len(server.requests) == 1, "wrong bytes are not asked for again"


def test_d03_d14_a_tag_is_hashed_whatever_the_header_says(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    headers = {**TYPE, "Docker-Content-Digest": Digest.of(b"another").text}
    server.serve("/v2/shop/web/manifests/latest", IMAGE.manifest, headers)
    assert client.manifest(repository, "latest").digest == IMAGE.digest


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "REG_AUTH"), (403, "REG_DENIED"), (404, "REG_NOT_FOUND"), (418, "REG_ERROR"), (204, "REG_MALFORMED"),
        (408, "REG_TIMEOUT"), (429, "REG_RATE_LIMIT"), (500, "REG_ERROR"), (501, "REG_ERROR"), (503, "REG_ERROR"),
    ],
)  # fmt: skip
def test_every_status_has_its_code(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int, code: str
) -> None:
    server.serve(PATH, b"" if status == 204 else b'{"errors":[{"code":"X","message":"y"}]}', status=status)
    assert refused(client, repository) == code
    assert len(server.requests) == (4 if status in {408, 429, 500, 503} else 1)


def test_the_registrys_own_words_are_told_and_escaped(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(PATH, b'{"errors":[{"code":"DENIED","message":"no\\u001b[31m entry"}]}', status=403)
    with pytest.raises(GateError) as caught:
        client.manifest(repository, IMAGE.digest)
    assert "DENIED: no\\x1b[31m entry" in caught.value.seen


@pytest.mark.parametrize("body", [b"", b"<html>please log in</html>"])
def test_a_page_or_nothing_is_malformed(
    server: HostileRegistry, client: RegistryClient, repository: Repository, body: bytes
) -> None:
    server.serve(PATH, body, {"Content-Type": "text/html"} if body else TYPE)
    assert refused(client, repository) == "REG_MALFORMED"
    server.serve(BLOB_PATH, body, {"Content-Type": "text/html"} if body else {})
    assert blob_refused(client, repository) == "REG_MALFORMED"


def test_a_manifest_without_type_is_malformed(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(PATH, IMAGE.manifest)
    assert refused(client, repository) == "REG_MALFORMED"


@pytest.mark.parametrize("status", [200, 403, 500])
def test_r01_a_body_without_end(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int
) -> None:
    server.on("GET", PATH, lambda exchange: exchange.endless(status, TYPE))
    assert refused(client, repository) == "LIMIT_RESPONSE"


def test_r01_an_announced_giant(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    giant = {**TYPE, "Content-Length": str(4 * 1024**3)}
    server.on("GET", PATH, lambda exchange: exchange.raw(exchange.head(200, giant)))
    assert refused(client, repository) == "LIMIT_RESPONSE"


def test_r02_a_body_that_drips(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.raw(exchange.head(200, {**TYPE, "Content-Length": str(len(IMAGE.manifest))}))
        exchange.drip(IMAGE.manifest)

    server.on("GET", PATH, drip)
    assert refused(make_client(request_seconds=0.3, tries=1), repository) == "REG_TIMEOUT"


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 500, b"HTTP/1.1 100 Continue\r\n\r\n" * 50], ids=["header", "100"]
)
def test_r02_headers_that_drip(
    server: HostileRegistry, make_client: MakeClient, repository: Repository, head: bytes
) -> None:
    server.on("GET", PATH, lambda exchange: exchange.drip(head, every=0.02))
    assert refused(make_client(request_seconds=0.3, stall_seconds=0.3, tries=1), repository) == "REG_TIMEOUT"


def test_r02_silence(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    server.on("GET", PATH, lambda exchange: exchange.drip(b"H", every=30))
    assert refused(make_client(stall_seconds=0.2, tries=1), repository) == "REG_TIMEOUT"


def test_r02_a_wait_beyond_the_deadline_is_not_begun(
    server: HostileRegistry, client: RegistryClient, repository: Repository, pauses: list[float]
) -> None:
    server.serve(PATH, b"", {"Retry-After": "999999"}, status=429)
    assert refused(client, repository) == "REG_RATE_LIMIT"
    assert pauses == []


def test_r02_retry_after_is_obeyed(
    server: HostileRegistry, client: RegistryClient, repository: Repository, pauses: list[float]
) -> None:
    later = answer(429, b"", {"Retry-After": "3"})
    server.on("GET", PATH, sequence(later, later, answer(200, IMAGE.manifest, TYPE)))
    assert client.manifest(repository, IMAGE.digest).content == IMAGE.manifest
    assert pauses == [3.0, 3.0]


def test_r02_challenges_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    challenge = f'Bearer realm="{server.url}/token",service="x",error="insufficient_scope"'
    server.serve(PATH, b"", {"WWW-Authenticate": challenge}, status=401)
    server.serve("/token", b'{"token":"abc"}')
    assert refused(client, repository) == "REG_AUTH"
    assert len(server.asked("GET", PATH)) <= 3


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip, gzip", "br"])
def test_r03_compressed_answers(
    server: HostileRegistry, client: RegistryClient, repository: Repository, coding: str
) -> None:
    server.serve(PATH, b"\x1f\x8b" + b"\0" * 100, {**TYPE, "Content-Encoding": coding})
    assert refused(client, repository) == "REG_DIGEST_MISMATCH"
    server.serve(PATH.replace(IMAGE.digest.text, "tag"), IMAGE.manifest, {**TYPE, "Content-Encoding": coding})
    with pytest.raises(GateError) as by_tag:
        client.manifest(repository, "tag")
    assert by_tag.value.code == "LIMIT_RESPONSE", "no digest decides there"


@pytest.mark.parametrize("coding", ["gzip", "aws-chunked", "zstd"])
def test_a_label_decides_nothing_where_a_digest_does(
    server: HostileRegistry, client: RegistryClient, repository: Repository, coding: str
) -> None:
    server.serve(PATH, IMAGE.manifest, {**TYPE, "Content-Encoding": coding})
    server.serve(BLOB_PATH, BLOB, {"Content-Encoding": coding})
    assert client.manifest(repository, IMAGE.digest).content == IMAGE.manifest
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB


@pytest.mark.parametrize(
    "answered",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://user@127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="x\r\nContent-Length: 0\r\n\r\n',
    ],
    ids=["status", "two-lengths", "negative", "hex", "long-line", "many", "chunk", "nowhere", "user", "quote"],
)  # fmt: skip
def test_r11_malformed_http(
    server: HostileRegistry, client: RegistryClient, repository: Repository, answered: bytes
) -> None:
    server.on("GET", PATH, lambda exchange: exchange.raw(answered))
    assert refused(client, repository) == "REG_MALFORMED"


def test_a_closed_port_is_unreachable(make_client: MakeClient) -> None:
    client = make_client(connect_seconds=0.5, tries=2)
    assert refused(client, parse_repository("127.0.0.1:9/shop/web")) == "REG_UNREACHABLE"


def test_plain_http_where_tls_was_expected(
    server: HostileRegistry, make_client: MakeClient, repository: Repository, tmp_path: Path
) -> None:
    # With an authority of its own, loopback is asked by TLS as well.
    client = make_client(ca_file=write_server_certificate(tmp_path).authority)
    assert refused(client, repository) == "REG_INSECURE"
    assert server.requests == []


def test_offline_opens_no_socket(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    server.serve(PATH, IMAGE.manifest, TYPE)
    assert refused(make_client(offline=True), repository) == "REG_OFFLINE"
    assert server.requests == []


def test_blob_is_streamed(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(BLOB_PATH, BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB
    assert client.read_blob(repository, DESCRIPTOR, len(BLOB)) == BLOB


def test_d03_other_blob(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(BLOB_PATH, BLOB[:-1] + b"x")
    assert blob_refused(client, repository) == "REG_DIGEST_MISMATCH"


@pytest.mark.parametrize("by", [-1, 1])
def test_d11_a_descriptor_that_lies_about_the_size(
    server: HostileRegistry, client: RegistryClient, repository: Repository, by: int
) -> None:
    server.serve(BLOB_PATH, BLOB)
    got: list[bytes] = []
    with pytest.raises(GateError) as caught:
        got.extend(client.blob(repository, resized(DESCRIPTOR, by)))
    assert caught.value.code == "IMG_SIZE"


def test_s24_a_blob_over_its_cap_is_not_asked_for(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(BLOB_PATH, BLOB)
    with pytest.raises(GateError) as caught:
        client.read_blob(repository, DESCRIPTOR, len(BLOB) - 1)
    assert caught.value.code == "LIMIT_BLOB"
    assert server.requests == []


def test_s24_a_blob_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.on("GET", BLOB_PATH, lambda exchange: exchange.endless(200))
    assert blob_refused(client, repository) == "LIMIT_RESPONSE"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_goes_on(
    server: HostileRegistry, client: RegistryClient, repository: Repository, *, ranges: bool
) -> None:
    def broken(exchange: Exchange) -> None:
        exchange.raw(exchange.head(200, {"Content-Length": str(len(BLOB))}) + BLOB[:100_000])

    def rest(exchange: Exchange) -> None:
        start = int(exchange.seen.headers["range"].removeprefix("bytes=").rstrip("-"))
        assert 0 < start <= 100_000
        if ranges:
            where = f"bytes {start}-{len(BLOB) - 1}/{len(BLOB)}"
            exchange.reply(206, BLOB[start:], {"Content-Range": where})
        else:
            exchange.reply(200, BLOB)

    server.on("GET", BLOB_PATH, sequence(broken, rest))
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB


def test_another_range_than_asked_is_malformed(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    def broken(exchange: Exchange) -> None:
        exchange.raw(exchange.head(200, {"Content-Length": str(len(BLOB))}) + BLOB[:100_000])

    wrong = answer(206, BLOB, {"Content-Range": f"bytes 0-{len(BLOB) - 1}/{len(BLOB)}"})
    server.on("GET", BLOB_PATH, sequence(broken, wrong))
    assert blob_refused(client, repository) == "REG_MALFORMED"


def test_a_transfer_that_always_breaks_ends(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    short = {"Content-Length": str(len(BLOB))}
    server.on("GET", BLOB_PATH, lambda exchange: exchange.raw(exchange.head(200, short) + BLOB[:10]))
    assert blob_refused(client, repository) == "REG_MALFORMED"
    assert len(server.requests) <= 4


def test_tag_is_resolved_by_head(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    path = "/v2/shop/web/manifests/latest"
    server.serve(path, b"", {"Docker-Content-Digest": IMAGE.digest.text}, method="HEAD")
    assert client.resolve_tag(repository, "latest") == IMAGE.digest
    assert server.asked("GET", path) == []


@pytest.mark.parametrize("header", ["", "sha256:short", "md5:abc"])
def test_tag_is_hashed_where_head_names_no_digest(
    server: HostileRegistry, client: RegistryClient, repository: Repository, header: str
) -> None:
    path = "/v2/shop/web/manifests/latest"
    server.serve(path, b"", {"Docker-Content-Digest": header} if header else {}, method="HEAD")
    server.serve(path, IMAGE.manifest, TYPE)
    assert client.resolve_tag(repository, "latest") == IMAGE.digest


def test_tag_that_is_not_there(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    with pytest.raises(GateError) as caught:
        client.resolve_tag(repository, "latest")
    assert caught.value.code == "REG_NOT_FOUND"
    assert [seen.method for seen in server.requests] == ["HEAD"]
