"""Which proxy a host is asked through: the rules of Go's httpproxy, and its table of cases."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gate.registry.options import ProxySettings
from gate.registry.proxies import proxies_of, proxy_for

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
