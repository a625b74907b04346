"""Where a registry may send us, and what goes there: attacks R04, R05, R07."""

from __future__ import annotations

import base64
import contextlib

import pytest

from gate.errors import GateError, UsageError
from gate.model.reference import Repository, parse_repository
from gate.registry.client import RegistryClient
from gate.registry.connections import Connections
from gate.registry.options import Credential, ProxySettings
from tests.support.hostile import HostileRegistry, answer, sequence
from tests.support.images import describe
from tests.unit.registry.conftest import MakeClient, vouched

BLOB = b"a layer"
DESCRIPTOR = describe(BLOB)
PATH = f"/v2/shop/web/blobs/{DESCRIPTOR.digest}"


class OneCredential:
    def find(self, repository: Repository) -> Credential:
        del repository
        return Credential(username="robot", password="s3cret")


def redirected(client: RegistryClient, repository: Repository) -> str:
    with pytest.raises(GateError) as caught:
        list(client.blob(repository, DESCRIPTOR))
    assert "s3cret" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/x", "https://127.0.0.1/x", "https://[::1]/x", "https://localhost/x", "https://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data", "https://[::ffff:169.254.169.254]/x", "https://0x7f.1/x",
        "https://2130706433/x", "https://127.1/x", "https://0/x", "https://[fe80::1]/x", "https://[64:ff9b::a9fe:a9fe]/x",
        "https://[2002:7f00:1::]/x", "https://224.0.0.1/x", "//127.0.0.1:1/x", "https://sub.localhost/x",
        "https://100.64.0.1/x",
    ],
)  # fmt: skip
def test_r04_redirect_to_an_address_that_is_not_public(
    server: HostileRegistry, client: RegistryClient, repository: Repository, location: str
) -> None:
    server.serve(PATH, b"", {"Location": location}, status=307)
    assert redirected(client, repository) == "REG_SSRF"


@pytest.mark.parametrize("location", ["http://storage.example/x", "HTTP://storage.example/x", "hTTp://8.8.8.8/x"])
def test_r07_redirect_to_plain_http(
    server: HostileRegistry, client: RegistryClient, repository: Repository, location: str
) -> None:
    server.serve(PATH, b"", {"Location": location}, status=302)
    assert redirected(client, repository) == "REG_INSECURE"


@pytest.mark.parametrize(
    "location", ["ftp://storage.example/", "https://a\\@b.example/", "https://x:y@b.example/", "https://b.example:0/"]
)
def test_r11_redirect_to_no_address(
    server: HostileRegistry, client: RegistryClient, repository: Repository, location: str
) -> None:
    server.serve(PATH, b"", {"Location": location}, status=302)
    assert redirected(client, repository) == "REG_MALFORMED"


def test_redirect_on_the_same_host_is_followed(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.serve(PATH, b"", {"Location": "/elsewhere?x=1"}, status=307)
    server.serve("/elsewhere", BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB


def test_redirects_without_end(server: HostileRegistry, client: RegistryClient, repository: Repository) -> None:
    server.serve(PATH, b"", {"Location": PATH}, status=307)
    assert redirected(client, repository) == "REG_MALFORMED"
    assert len(server.requests) == 6


def test_r05_no_credentials_go_to_another_host(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    client = make_client(credentials=OneCredential(), hosts={server.host: vouched(other)})
    challenge = answer(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
    server.on("GET", PATH, sequence(challenge, answer(307, b"", {"Location": f"{other.url}/blob?signature=abc"})))
    other.serve("/blob", BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB
    assert server.requests[1].headers["authorization"].startswith("Basic ")
    assert "authorization" not in other.requests[0].headers


def test_r05_a_challenge_of_another_host_is_not_met(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    client = make_client(credentials=OneCredential(), hosts={server.host: vouched(other)})
    server.serve(PATH, b"", {"Location": f"{other.url}/blob"}, status=302)
    challenge = f'Bearer realm="{other.url}/token",service="x"'
    other.serve("/blob", b"", {"WWW-Authenticate": challenge}, status=401)
    assert redirected(client, repository) == "REG_AUTH"
    assert [seen.path for seen in other.requests] == ["/blob"]


def test_r05_no_credentials_after_a_way_over_another_host(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient, repository: Repository
) -> None:
    client = make_client(credentials=OneCredential(), hosts={server.host: vouched(other)})
    challenge = answer(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
    server.on("GET", PATH, sequence(challenge, answer(307, b"", {"Location": f"{other.url}/back"})))
    other.serve("/back", b"", {"Location": f"{server.url}/admin"}, status=307)
    server.serve("/admin", BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB
    assert "authorization" not in server.asked("GET", "/admin")[0].headers


def test_r04_the_connected_address_is_checked_before_a_byte_is_sent(server: HostileRegistry) -> None:
    # What a name that resolves anew comes to: the address was fine when it was looked up.
    connections = Connections(public_only=True, context=None)
    with contextlib.closing(connections), pytest.raises(GateError) as caught:
        connections.through("").urlopen("GET", f"{server.url}/x", timeout=2, retries=False)
    assert caught.value.code == "REG_SSRF"
    assert server.requests == []


def test_r03_the_body_of_a_redirect_is_not_read(
    server: HostileRegistry, client: RegistryClient, repository: Repository
) -> None:
    server.on("GET", PATH, lambda exchange: exchange.endless(302, {"Location": "/blob", "Content-Encoding": "gzip"}))
    server.serve("/blob", BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB


def test_r10_the_environment_is_not_read(
    server: HostileRegistry,
    client: RegistryClient,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("hostile-home")
    (home / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n", encoding="ascii")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    server.serve(PATH, BLOB)
    assert b"".join(client.blob(repository, DESCRIPTOR)) == BLOB
    assert "authorization" not in server.requests[0].headers


def test_a_proxy_is_used_where_the_user_named_one(
    server: HostileRegistry, other: HostileRegistry, make_client: MakeClient
) -> None:
    proxies = ProxySettings(http=other.url, bypass=("inside.example",))
    client = make_client(proxies=proxies, plain_http=True, tries=1)
    other.serve(f"http://registry.example{PATH}", BLOB)
    assert b"".join(client.blob(parse_repository("registry.example/shop/web"), DESCRIPTOR)) == BLOB
    for bypassed in ("inside.example", "a.inside.example"):
        assert redirected(client, parse_repository(f"{bypassed}/shop/web")) == "REG_UNREACHABLE"
    server.serve(PATH, BLOB)
    assert b"".join(client.blob(parse_repository(f"{server.host}/shop/web"), DESCRIPTOR)) == BLOB
    assert len(other.requests) == 1, "this machine is asked directly"


def test_a_proxy_is_sent_its_login_however_it_is_written(other: HostileRegistry, make_client: MakeClient) -> None:
    other.serve(f"http://registry.example{PATH}", BLOB)
    for proxy in (f"http://us%40er:pa%3Ass@{other.host}", f"us%40er:pa%3Ass@{other.host}", other.host):
        client = make_client(proxies=ProxySettings(http=proxy), plain_http=True, tries=1)
        assert b"".join(client.blob(parse_repository("registry.example/shop/web"), DESCRIPTOR)) == BLOB
    login = f"Basic {base64.b64encode(b'us@er:pa:ss').decode()}"
    assert [seen.headers.get("proxy-authorization") for seen in other.requests] == [login, login, None]


def test_a_proxy_of_another_kind_is_refused(make_client: MakeClient) -> None:
    for proxy in ("socks5://user:s3cret@127.0.0.1:1", "http://user:s3cret@[::1"):
        client = make_client(proxies=ProxySettings(http=proxy), plain_http=True, tries=1)
        with pytest.raises(UsageError) as caught:
            b"".join(client.blob(parse_repository("registry.example/shop/web"), DESCRIPTOR))
        assert "s3cret" not in str(caught.value)
