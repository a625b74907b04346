"""Listings that lie, do not end or are not there: attacks R06, R08, S23."""

from __future__ import annotations

import json

import pytest

from gate.codec.strict_json import JsonValue
from gate.errors import GateError
from gate.model.attachment import FAILED_VERDICT
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


def test_a_web_page_is_no_answer(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(API, b"<html>", {"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(GateError) as refusal:
        listed(client, repository)
    assert refusal.value.code == "REG_MALFORMED"


def test_a_web_page_with_404_is_no_api(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(API, b"<html>", {"Content-Type": "text/html"}, status=404)
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
    "body", [b"[]", b"{", b'{"schemaVersion":2,"manifests":{}}', b'{"schemaVersion":2,"Manifests":[],"manifests":[]}',
             IMAGE.manifest]
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
    server.serve(API, index_of(*(entry(number) for number in range(2000))), TYPE)
    assert len(listed(client, repository)) == 2000
    server.serve(TAG, index_of(entry(2000)), TYPE)
    assert code_of(client, repository) == "LIMIT_SIGNATURES"


def test_s23_what_can_be_no_signature_by_its_type_is_not_counted(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    boms = [{**entry(number), "artifactType": "application/spdx+json"} for number in range(3000)]
    server.serve(API, index_of(*boms, entry(3000)), TYPE)
    assert len(listed(client, repository)) == 3001


@pytest.mark.parametrize(
    "bad", [{"digest": "x"}, "text", None, 1, [], {}, {"digest": "sha512:" + "0" * 128, "size": 1, "mediaType": "x"}]
)
def test_y05_an_entry_that_means_nothing_is_counted_and_stops_nothing(
    server: HostileRegistry, client: RegistryClient, repository: Repository, bad: JsonValue
) -> None:
    server.serve(API, index_of(entry(1), bad, entry(2)), TYPE)  # type: ignore[arg-type]
    found = client.referrer_listing(repository, IMAGE.digest)
    assert ([item.digest for item in found.union], found.unread) == ([Digest.of(b"1"), Digest.of(b"2")], 1)


def test_y05_an_entry_that_calls_itself_failed_and_cannot_be_read_is_an_error(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(API, index_of(entry(1), {"artifactType": FAILED_VERDICT, "digest": "x"}), TYPE)
    assert code_of(client, repository) == "REG_MALFORMED"


@pytest.mark.parametrize("value", ["artifactType", "artifactType=x", "annotations"])
def test_y05_a_list_that_was_filtered_without_being_asked_is_an_error(
    server: HostileRegistry, client: RegistryClient, repository: Repository, value: str
) -> None:
    server.serve(API, index_of(entry(1)), {**TYPE, "OCI-Filters-Applied": value})
    assert code_of(client, repository) == "REG_MALFORMED"
    said = json.loads(index_of(entry(1))) | {"annotations": {"org.opencontainers.referrers.filtersApplied": value}}
    server.serve(API, json.dumps(said).encode(), TYPE)
    assert code_of(client, repository) == "REG_MALFORMED"
    server.serve(API, index_of(entry(1)), TYPE)
    assert len(listed(client, repository)) == 1


def test_y05_the_list_under_the_tag_is_read_whatever_it_is_served_as(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(TAG, index_of(entry(1)), {"Content-Type": "application/octet-stream"})
    assert listed(client, repository) == {Digest.of(b"1")}


LINKS = [
    '<{0}>; rel="next"', "<{0}>; rel=next", "<{0}>;rel=next", '<{0}>; REL="Next"', "<{0}> ; rel = NEXT",
    '<{0}>; title="a, b; c"; rel="next"', '<{0}>; rel="next"; title="x"', '<{0}>; type="a/b"; rel=next',
    '</v2/>; rel="prev", <{0}>; rel="next"', '<{0}>; rel="next", </v2/>; rel="prev"', '<{0}>; rel="last next"',
    '</v2/>; title="<x>; rel=next"; rel=prev, <{0}>; rel=next', ', <{0}>; rel="next",', '<{0}>; rel="next";',
    '<{0}>; title*=UTF-8\'\'%41; rel="next"', '<{0}>; crossorigin; rel="next"', '<{0}>; rel="n\\ext"',
    "<{0}>; rel=next; rel=prev",
]  # fmt: skip


@pytest.mark.parametrize("link", LINKS)
def test_y05_a_next_page_is_followed_in_every_form_of_rfc_8288(
    server: HostileRegistry, client: RegistryClient, repository: Repository, link: str
) -> None:
    def page(exchange: Exchange) -> None:
        last = "page=1" in exchange.seen.path
        more = {} if last else {"Link": link.format(f"{API}?page=1")}
        exchange.reply(200, index_of(entry(2 if last else 1)), {**TYPE, **more})

    server.on("GET", API, page)
    assert listed(client, repository) == {Digest.of(b"1"), Digest.of(b"2")}


@pytest.mark.parametrize(
    "link", ['</a>; rel="next', "/a; rel=next", '<a; rel="next"', '</a>; rel="next", </b>; rel="next"', "</a> rel=next"]
)
def test_y05_a_link_that_cannot_be_read_is_an_error(
    server: HostileRegistry, client: RegistryClient, repository: Repository, link: str
) -> None:
    server.serve(API, index_of(entry(1)), {**TYPE, "Link": link})
    assert code_of(client, repository) == "REG_MALFORMED"


@pytest.mark.parametrize("link", ['</a>; rel="prev"', "</a>; rel=prev; rel=next", '</a>; title="rel=next"', "</a>"])
def test_a_list_without_a_next_page_ends(
    server: HostileRegistry, client: RegistryClient, repository: Repository, link: str
) -> None:
    server.serve(API, index_of(entry(1)), {**TYPE, "Link": link})
    assert listed(client, repository) == {Digest.of(b"1")}


def test_r01_a_listing_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.on("GET", API, lambda exchange: exchange.endless(200, TYPE))
    assert code_of(client, repository) == "LIMIT_RESPONSE"
