"""Services that are no registries: which addresses are taken, and that the registries' rules hold for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gate.clock import Deadline
from gate.errors import RegistryError, UsageError
from gate.model.reference import Repository
from gate.registry.options import Credential, RegistryOptions
from gate.registry.service import Service, parse_service_url
from tests.support.hostile import HostileRegistry
from tests.unit.registry.conftest import QUICK


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://tuf.example", "https://tuf.example"),
        ("https://tuf.example:8443/a/b/", "https://tuf.example:8443/a/b"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/x", "http://[::1]:5000/x"),
        ("https://TUF.example/A", "https://tuf.example/A"),
    ],
)
def test_an_address_of_a_service_is_taken(url: str, expected: str) -> None:
    assert parse_service_url(url).url == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "tuf.example", "ftp://tuf.example", "http://tuf.example", "https://", "https://u:p@tuf.example", "https://tuf.example?x=1",
        "https://tuf.example#x", "https://tuf.example/ x", "https://tuf.example\\@evil.example", "https://tuf.example:99999",
        "https://t\u00fcf.example", "HTTPS://tuf.example",
    ],
)  # fmt: skip
def test_what_is_no_address_or_not_encrypted_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_service_url(url)
    assert refused.value.code == "USAGE"


class Robot:
    """A login for every registry."""

    def find(self, repository: Repository) -> Credential | None:
        del repository
        return Credential(username="robot", password="correct horse")


def ask(server: HostileRegistry, path: str, options: RegistryOptions = QUICK) -> tuple[int, bytes]:
    with Service(f"http://{server.host}/base/", options, Deadline.after(timedelta(seconds=10))) as service:
        return service.ask("POST", path, doing="testing", limit_bytes=100, body=b"question")


def test_paths_are_below_the_services_own_and_no_login_goes_along(server: HostileRegistry) -> None:
    server.on("POST", "/base/api", lambda exchange: exchange.reply(201, b"answer"))
    options = RegistryOptions(tries=1, credentials=Robot())
    assert ask(server, "/api", options) == (201, b"answer")
    assert [(seen.method, seen.path, seen.body) for seen in server.requests] == [("POST", "/base/api", b"question")]
    assert "authorization" not in server.requests[0].headers


def test_an_answer_over_the_cap_is_refused(server: HostileRegistry) -> None:
    server.on("POST", "/base/api", lambda exchange: exchange.reply(200, b"x" * 101))
    with pytest.raises(RegistryError) as refused:
        ask(server, "/api")
    assert refused.value.code == "LIMIT_RESPONSE"


def test_a_post_is_never_redirected(server: HostileRegistry, other: HostileRegistry) -> None:
    server.on("POST", "/base/api", lambda exchange: exchange.reply(307, b"", {"Location": f"http://{other.host}/"}))
    assert ask(server, "/api")[0] == 307
    assert other.requests == []
