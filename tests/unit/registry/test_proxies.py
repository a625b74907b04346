"""Which proxy a host is asked through: the rules of Go's httpproxy, held against the answers that Go itself gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from gate.errors import UsageError
from gate.registry.connections import Connections
from gate.registry.options import ProxySettings
from gate.registry.proxies import proxies_of, proxy_for
from tests.support.sources import ROOT

GO: Final[Mapping[str, Any]] = json.loads((ROOT / "fixtures" / "proxies" / "answers.json").read_bytes())
PORTS: Final = {"https": 443, "http": 80}
# Go compares `localhost` as it is written, and asks a proxy for names below it.
OWN: Final = frozenset({"https://LOCALHOST", "https://a.localhost"})
# Go takes these values; they are no HTTP proxy, and the gate says so instead of asking nothing.
NO_HTTP: Final = frozenset({
    "//proxy.example", "ftp://proxy.example", "http://", "http:proxy.example", "http://proxy example",
    "http://proxy.example:3128 ",    "http://proxy.example:x", " http://proxy.example:3128", "socks5://proxy.example:1080", "socks5h://proxy.example:1080",
})  # fmt: skip

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("bypass", "host", "port", "direct"),
    [
        ("*", "registry.example", 443, True),
        ("registry.example", "registry.example", 443, True),
        ("registry.example", "a.registry.example", 443, True),
        ("registry.example", "evilregistry.example", 443, False),
        (".registry.example", "registry.example", 443, False),
        (".registry.example", "a.registry.example", 443, True),
        ("*.registry.example", "registry.example", 443, False),
        ("*.registry.example", "a.registry.example", 443, True),
        ("Registry.Example", "registry.example", 443, True),
        ("registry.example:5000", "registry.example", 5000, True),
        ("registry.example:5000", "registry.example", 443, False),
        (":5000", "registry.example", 5000, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.9.9.9/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "ten.example", 443, False),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("10.1.2.3", "::ffff:10.1.2.3", 443, True),
        ("2001:db8::/32", "2001:db8::1", 443, True),
        ("2001:db8::1", "2001:db8::1", 443, True),
        ("[2001:db8::1]:5000", "2001:db8::1", 5000, True),
        ("[2001:db8::1]:5000", "2001:db8::1", 443, False),
        ("other.example, ,registry.example", "registry.example", 443, True),
        ("", "registry.example", 443, False),
        ("", "127.0.0.1", 443, True),
        ("", "localhost", 443, True),
    ],
)
def test_who_is_asked_directly(bypass: str, host: str, port: int, direct: bool) -> None:  # noqa: FBT001
    settings = proxies_of({"HTTPS_PROXY": PROXY, "NO_PROXY": bypass})
    assert proxy_for(settings, "https", host, port) == ("" if direct else PROXY)


@pytest.mark.parametrize(
    ("environment", "https", "http"),
    [
        ({"https_proxy": PROXY, "http_proxy": "h"}, PROXY, "h"),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "lower"}, PROXY, ""),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, PROXY, ""),
        ({"HTTP_PROXY": "h", "http_proxy": "h", "HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, PROXY, ""),
        ({"ALL_PROXY": PROXY, "all_proxy": PROXY}, "", ""),
    ],
)
def test_which_variables_name_a_proxy(environment: Mapping[str, str], https: str, http: str) -> None:
    assert proxies_of(environment) == ProxySettings(https=https, http=http)


def test_each_scheme_has_its_own() -> None:
    settings = ProxySettings(https=PROXY, http="http://other.example")
    assert proxy_for(settings, "https", "registry.example", 443) == PROXY
    assert proxy_for(settings, "http", "registry.example", 80) == "http://other.example"


@pytest.mark.parametrize("row", GO["bypassed"], ids=lambda row: repr(row["noProxy"]))
def test_no_proxy_means_what_it_means_to_go(row: Mapping[str, Any]) -> None:
    settings = proxies_of({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "NO_PROXY": row["noProxy"]})

    def is_direct(address: str) -> bool:
        parts = urlsplit(address)
        return not proxy_for(settings, parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme])

    assert {address for address in GO["addresses"] if is_direct(address)} == {*row["direct"], *OWN}


def test_the_recorded_table_has_both_answers() -> None:
    assert len(GO["bypassed"]) > 80
    assert {len(row["direct"]) == len(GO["addresses"]) for row in GO["bypassed"]} == {True, False}


@pytest.mark.parametrize("row", GO["variables"], ids=lambda row: " ".join(row["environment"]))
def test_the_variables_name_the_proxy_that_go_takes(row: Mapping[str, Any]) -> None:
    settings = proxies_of(row["environment"])
    for scheme, answer in row["answers"].items():
        # In a CGI program Go ends with an error; the gate leaves the variable out.
        expected = "" if answer == "refused" else answer
        assert proxy_for(settings, scheme, "registry.example", PORTS[scheme]) == expected


@pytest.mark.parametrize(("value", "answer"), GO["named"].items())
def test_a_proxy_is_read_as_go_reads_it_or_is_refused(value: str, answer: str) -> None:
    if not value:
        return
    connections = Connections(public_only=False, context=None)
    if value in NO_HTTP:
        with pytest.raises(UsageError):
            connections.through(value)
        return
    proxy, go = connections.through(value).proxy, urlsplit(answer)
    assert proxy is not None
    assert (proxy.scheme, proxy.host, proxy.port) == (
        go.scheme,
        f"[{go.hostname}]" if ":" in str(go.hostname) else go.hostname,
        go.port or PORTS[go.scheme],
    )
