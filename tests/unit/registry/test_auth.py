"""Logins: what is asked for, where it goes, and how long it holds; attacks R01 and R05."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest

from gate.errors import GateError, RegistryError
from gate.model.image import OCI_MANIFEST
from gate.model.reference import Repository
from gate.registry.challenge import Challenge, parse_challenges
from gate.registry.client import RegistryClient
from gate.registry.options import Credential
from tests.support.hostile import Exchange, HostileRegistry
from tests.support.images import small_image
from tests.unit.registry.conftest import MakeClient, vouched

IMAGE = small_image(b"layer")
PATH = f"/v2/shop/web/manifests/{IMAGE.digest}"
BASIC = "Basic " + base64.b64encode(b"robot:s3cret").decode()


class Stored:
    def __init__(self, credential: Credential | None) -> None:
        self.credential = credential

    def find(self, repository: Repository) -> Credential | None:
        del repository
        return self.credential


LOGIN = Stored(Credential(username="robot", password="s3cret"))


def guard(server: HostileRegistry, wanted: str, challenge: str) -> None:
    """Serve the manifest to whoever has the wanted header, and challenge everybody else."""

    def script(exchange: Exchange) -> None:
        if exchange.seen.headers.get("authorization") == wanted:
            exchange.reply(200, IMAGE.manifest, {"Content-Type": OCI_MANIFEST})
        else:
            exchange.reply(401, b"", {"WWW-Authenticate": challenge})

    server.on("GET", PATH, script)


def bearer(url: str) -> str:
    return f'Bearer realm="{url}/token",service="registry, of x",scope="repository:other/thing:delete"'


def code_of(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        client.manifest(repository, IMAGE.digest)
    assert "s3cret" not in str(caught.value) + repr(caught.value)
    return caught.value.code


def test_basic(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    guard(server, BASIC, 'Basic realm="x"')
    client = make_client(credentials=LOGIN)
    for _ in range(2):
        assert client.manifest(repository, IMAGE.digest).content == IMAGE.manifest
    assert len(server.requests) == 3, "the login is sent at once the second time"


def test_no_login_is_stored(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    guard(server, BASIC, 'Basic realm="x"')
    assert code_of(client, repository) == "REG_AUTH"


def test_a_refused_login_is_not_repeated(
    server: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    guard(server, "never", 'Basic realm="x"')
    assert code_of(make_client(credentials=LOGIN), repository) == "REG_AUTH"
    assert len(server.requests) == 2


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_token_for_what_is_needed_and_not_for_what_is_asked(
    server: HostileRegistry, make_client: MakeClient, repository: Repository, key: str
) -> None:
    guard(server, "Bearer abc", bearer(server.url))
    server.serve("/token", f'{{"{key}":"abc","expires_in":300}}'.encode())
    client = make_client(credentials=LOGIN)
    client.manifest(repository, IMAGE.digest)
    client.manifest(repository, IMAGE.digest)
    asked = server.asked("GET", "/token")
    assert len(asked) == 1, "a token is kept as long as it holds"
    query = parse_qs(asked[0].path.partition("?")[2])
    assert query == {"scope": ["repository:shop/web:pull"], "service": ["registry, of x"]}
    assert asked[0].headers["authorization"] == BASIC


def test_anonymous_token(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    guard(server, "Bearer abc", bearer(server.url))
    server.serve("/token", b'{"token":"abc"}')
    assert client.manifest(repository, IMAGE.digest).digest == IMAGE.digest
    assert "authorization" not in server.asked("GET", "/token")[0].headers


def test_identity_token(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    guard(server, "Bearer abc", bearer(server.url))
    server.serve("/token", b'{"access_token":"abc"}', method="POST")
    client = make_client(credentials=Stored(Credential(identity_token="s3cret")))
    client.manifest(repository, IMAGE.digest)
    form = parse_qs(server.asked("POST", "/token")[0].body.decode())
    assert form["grant_type"] == ["refresh_token"]
    assert form["refresh_token"] == ["s3cret"]


def test_registry_token(server: HostileRegistry, make_client: MakeClient, repository: Repository) -> None:
    guard(server, "Bearer ready", bearer(server.url))
    client = make_client(credentials=Stored(Credential(registry_token="ready")))
    assert client.manifest(repository, IMAGE.digest).digest == IMAGE.digest
    assert server.asked("GET", "/token") == []


@pytest.mark.parametrize("token", ["a b", "a\r\nHost: other.example", "\u00fcber"])
def test_a_stored_token_that_would_be_more_than_one_header_is_not_sent(
    server: HostileRegistry, make_client: MakeClient, repository: Repository, token: str
) -> None:
    guard(server, "Bearer ready", bearer(server.url))
    assert code_of(make_client(credentials=Stored(Credential(registry_token=token))), repository) == "REG_AUTH"
    assert len(server.requests) == 1


def test_r05_a_token_service_elsewhere(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    guard(server, "Bearer abc", bearer("https://tokens.example"))
    assert code_of(make_client(credentials=LOGIN), repository) == "REG_AUTH_LEAK"
    guard(server, "Bearer abc", bearer(other.url))
    assert code_of(make_client(credentials=LOGIN), repository) == "REG_SSRF"
    assert other.requests == []
    other.serve("/token", b'{"token":"abc"}')
    trusting = make_client(credentials=LOGIN, hosts={server.host: vouched(other)})
    assert trusting.manifest(repository, IMAGE.digest).digest == IMAGE.digest


def test_r05_a_token_service_that_redirects(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    guard(server, "Bearer abc", bearer(server.url))
    server.serve("/token", b"", {"Location": f"{other.url}/token"}, status=302)
    client = make_client(credentials=LOGIN, hosts={server.host: vouched(other)})
    assert code_of(client, repository) == "REG_MALFORMED"
    assert other.requests == []


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"", "REG_AUTH"), (403, b"", "REG_DENIED"), (200, b"{}", "REG_MALFORMED"), (200, b"[]", "REG_MALFORMED"),
        (200, b'{"token":7}', "REG_MALFORMED"), (200, b'{"token":"a\\r\\nX: y"}', "REG_MALFORMED"),
        (200, b'{"token":"a","token":"b"}', "REG_MALFORMED"), (200, b"<html>", "REG_MALFORMED"),
        (200, b'{"token":"a","expires_in":-1}', "REG_MALFORMED"), (500, b"", "REG_ERROR"),
    ],
)  # fmt: skip
def test_what_a_token_service_may_answer(
    server: HostileRegistry, client: RegistryClient, repository: Repository, status: int, body: bytes, code: str
) -> None:
    guard(server, "Bearer a", bearer(server.url))
    server.serve("/token", body, status=status)
    assert code_of(client, repository) == code


def test_r01_a_token_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    guard(server, "Bearer a", bearer(server.url))
    server.on("GET", "/token", lambda exchange: exchange.endless(200))
    assert code_of(client, repository) == "LIMIT_RESPONSE"


def test_r01_a_challenge_whose_body_has_no_end(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.on("GET", PATH, lambda exchange: exchange.endless(401, {"WWW-Authenticate": "Negotiate"}))
    assert code_of(client, repository) == "REG_AUTH"


def test_an_expired_token_is_renewed(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    tokens = iter(["one", "two"])
    current = ["one"]

    def token(exchange: Exchange) -> None:
        exchange.reply(200, f'{{"token":"{next(tokens)}"}}'.encode())

    server.on("GET", "/token", token)

    def script(exchange: Exchange) -> None:
        good = exchange.seen.headers.get("authorization") == f"Bearer {current[0]}"
        headers: Mapping[str, str] = {"WWW-Authenticate": bearer(server.url)}
        exchange.reply(200, IMAGE.manifest, {"Content-Type": OCI_MANIFEST}) if good else exchange.reply(
            401, b"", headers
        )

    server.on("GET", PATH, script)
    client.manifest(repository, IMAGE.digest)
    current[0] = "two"
    client.manifest(repository, IMAGE.digest)
    assert len(server.asked("GET", "/token")) == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://a/t",service="s"', (Challenge(scheme="bearer", realm="https://a/t", service="s"),)),
        ('BASIC realm="x", bearer realm="y,z" , service=s', (
            Challenge(scheme="bearer", realm="y,z", service="s"), Challenge(scheme="basic", realm="x"),
        )),
        ('Negotiate, Basic realm="a\\"b"', (Challenge(scheme="basic", realm='a"b'),)),
        ("Basic", (Challenge(scheme="basic"),)),
        ("", ()),
        ('Bearer realm="x",error="insufficient_scope"', (Challenge(scheme="bearer", realm="x", error="insufficient_scope"),)),
    ],
)  # fmt: skip
def test_challenges(header: str, expected: tuple[Challenge, ...]) -> None:
    assert parse_challenges(header) == expected


@pytest.mark.parametrize(
    "header", ['realm="x"', 'Bearer realm="x', 'Bearer realm="a",realm="b"', "Bearer @", "Basic " + "a" * 9000]
)
def test_malformed_challenges(header: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_challenges(header)
    assert caught.value.code == "REG_MALFORMED"
