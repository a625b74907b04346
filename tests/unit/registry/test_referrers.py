"""Listings that lie, do not end or are not there: attacks R06, R08, S23."""

from __future__ import annotations

import pytest

from gate.codec.strict_json import JsonValue
from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST
from gate.model.reference import Repository
from gate.registry.client import RegistryClient
from tests.support.hostile import Exchange, HostileRegistry
from tests.support.images import described, index_of, small_image

IMAGE = small_image(b"layer")
API = f"/v2/shop/web/referrers/{IMAGE.digest}"
TAG = f"/v2/shop/web/manifests/sha256-{IMAGE.digest.hex}"
TYPE = {"Content-Type": OCI_INDEX}


def entry(number: int) -> dict[str, JsonValue]:
    return described(b"%d" % number, OCI_MANIFEST)


def listed(client: RegistryClient, repository: Repository) -> set[Digest]:
    return {item.digest for item in client.referrers(repository, IMAGE.digest)}


def code_of(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        client.referrers(repository, IMAGE.digest)
    return caught.value.code


def test_union_of_api_and_tag(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(API, index_of(entry(1), entry(2)), TYPE)
    server.serve(TAG, index_of(entry(2), entry(3)), TYPE)
    assert listed(client, repository) == {Digest.of(b"1"), Digest.of(b"2"), Digest.of(b"3")}
    assert "artifactType" not in server.asked("GET", API)[0].path, "the listing's types are never believed"


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_no_api(server: HostileRegistry, client: RegistryClient, repository: Repository, status: int) -> None:
    server.serve(API, b"404 page not found", status=status)
    server.serve(TAG, index_of(entry(1)), TYPE)
    assert listed(client, repository) == {Digest.of(b"1")}
    assert client.referrer_listing(repository, IMAGE.digest).api is None


def test_html_is_no_api(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(API, b"<html>", {"Content-Type": "text/html; charset=utf-8"})
    assert listed(client, repository) == set()


def test_r08_something_else_under_the_fallback_tag(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(TAG, IMAGE.manifest, {"Content-Type": OCI_MANIFEST})
    assert listed(client, repository) == set()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_what_cannot_be_asked_is_an_error(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int
) -> None:
    server.serve(API, b"", status=status)
    assert code_of(client, repository) in {"REG_AUTH", "REG_DENIED", "REG_ERROR"}


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"schemaVersion":2,"manifests":{}}', b'{"schemaVersion":2,"manifests":[{"digest":"x"}]}',
             b'{"schemaVersion":2,"Manifests":[],"manifests":[]}', IMAGE.manifest]
)  # fmt: skip
def test_r11_malformed_listings(
    server: HostileRegistry, client: RegistryClient, repository: Repository, body: bytes
) -> None:
    server.serve(API, body, TYPE)
    assert code_of(client, repository) == "REG_MALFORMED"


def test_pages(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    def page(exchange: Exchange) -> None:
        number = int(exchange.seen.path.partition("page=")[2] or 0)
        link = {"Link": f'<{API}?page={number + 1}>; rel="next"'} if number < 3 else {}
        exchange.reply(200, index_of(entry(number)), {**TYPE, **link})

    server.on("GET", API, page)
    assert len(listed(client, repository)) == 4


@pytest.mark.parametrize("rising", [False, True])
def test_r06_pages_without_end(
    server: HostileRegistry, client: RegistryClient, repository: Repository, *, rising: bool
) -> None:
    def page(exchange: Exchange) -> None:
        number = len(server.requests) if rising else 0
        exchange.reply(200, index_of(), {**TYPE, "Link": f'<{API}?page={number}>; rel="next"'})

    server.on("GET", API, page)
    assert code_of(client, repository) == "LIMIT_PAGES"
    assert len(server.requests) <= 20


@pytest.mark.parametrize(
    ("link", "code"), [("https://8.8.8.8/more", "LIMIT_PAGES"), ("http://169.254.169.254/x", "REG_SSRF")]
)
def test_r06_pages_elsewhere(
    server: HostileRegistry, client: RegistryClient, repository: Repository, link: str, code: str
) -> None:
    server.serve(API, index_of(), {**TYPE, "Link": f'<{link}>; rel="next"'})
    assert code_of(client, repository) == code


def test_s23_more_than_are_looked_at(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(API, index_of(*(entry(number) for number in range(5000))), TYPE)
    assert code_of(client, repository) == "LIMIT_SIGNATURES"
    server.serve(API, index_of(*(entry(number) for number in range(500))), TYPE)
    assert len(listed(client, repository)) == 500
    server.serve(TAG, index_of(entry(500)), TYPE)
    assert code_of(client, repository) == "LIMIT_SIGNATURES"


def test_r01_a_listing_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.on("GET", API, lambda exchange: exchange.endless(200, TYPE))
    assert code_of(client, repository) == "LIMIT_RESPONSE"
