"""Where a registry is asked, and which hosts may be sent logins; attacks R04, R05, R07."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from gate.errors import RegistryError
from gate.model.reference import parse_repository
from gate.registry.addresses import (
    Origin,
    Target,
    api_origin,
    is_public,
    parse_derived,
    require_realm,
    require_resolved,
    settings_of,
)
from gate.registry.options import HostSettings, RegistryOptions

NAMED = Origin("https", "registry.example", 443)
BASE = Target(NAMED, "/v2/x")


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("registry.example/a/bb", RegistryOptions(), "https://registry.example"),
        ("registry.example:5000/a/bb", RegistryOptions(), "https://registry.example:5000"),
        ("registry.example/a/bb", RegistryOptions(plain_http=True), "http://registry.example"),
        ("nginx", RegistryOptions(), "https://registry-1.docker.io"),
        ("127.0.0.1:5000/a/bb", RegistryOptions(), "http://127.0.0.1:5000"),
        ("localhost/a/bb", RegistryOptions(), "http://localhost"),
        ("[::1]:5000/a/bb", RegistryOptions(), "http://[::1]:5000"),
        ("127.0.0.1:5000/a/bb", RegistryOptions(ca_file=Path("ca.pem")), "https://127.0.0.1:5000"),
        ("10.0.0.1/a/bb", RegistryOptions(), "https://10.0.0.1"),
        ("localhost.evil.example/a/bb", RegistryOptions(), "https://localhost.evil.example"),
    ],
)
def test_r07_only_literal_loopback_speaks_plain_http(name: str, options: RegistryOptions, expected: str) -> None:
    assert str(api_origin(parse_repository(name), options)) == expected


@pytest.mark.parametrize(
    ("named", "realm", "allowed"),
    [
        ("registry.example", "https://registry.example/token", True),
        ("registry.example:5000", "https://registry.example/token", True),
        ("registry-1.docker.io", "https://auth.docker.io/token", True),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("registry.example", "https://auth.docker.io/token", False),
        ("registry.example", "https://registry.example.evil.example/token", False),
        ("registry.example", "https://registry.example:444/token", False),
        ("evil.example", "https://registry.example/token", False),
    ],
)
def test_r05_token_services(named: str, realm: str, allowed: bool) -> None:  # noqa: FBT001 - a column
    host, _, port = named.partition(":")
    origin = Origin("https", host, int(port or 443))
    target = parse_derived(realm, Target(origin, "/v2/"), origin)
    if allowed:
        require_realm(target, origin)
        return
    with pytest.raises(RegistryError) as caught:
        require_realm(target, origin)
    assert caught.value.code == "REG_AUTH_LEAK"


def test_a_trusted_host_is_compared_whole() -> None:
    trusted = frozenset({"10.0.0.1", "storage.example:9000"})
    assert not parse_derived("https://10.0.0.1/x", BASE, NAMED, trusted).derived
    assert not parse_derived("https://storage.example:9000/x", BASE, NAMED, trusted).derived
    assert parse_derived("https://storage.example/x", BASE, NAMED, trusted).derived
    for text, code in (("https://10.0.0.10/x", "REG_SSRF"), ("http://storage.example:9000/x", "REG_INSECURE")):
        with pytest.raises(RegistryError) as caught:
            parse_derived(text, BASE, NAMED, trusted)
        assert caught.value.code == code


def test_a_derived_url_is_built_anew() -> None:
    target = parse_derived("https://Storage.EXAMPLE./a/b?x=1#fragment", BASE, NAMED)
    assert target.url == "https://storage.example/a/b?x=1"


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(("host", "code"), [("localhost", "REG_SSRF"), ("nowhere.invalid", "REG_UNREACHABLE")])
def test_r04_a_name_is_resolved_and_checked_before_it_is_asked(host: str, code: str) -> None:
    with pytest.raises(RegistryError) as caught:
        require_resolved(Target(Origin("https", host, 443), "/", derived=True))
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["http://registry.example/v2/x?a=1", "http://registry.example:443/v2/x?a=1"])
def test_the_named_host_without_tls_is_asked_over_https(text: str) -> None:
    """A load balancer that ends TLS hides it from the registry behind it."""
    named = Origin("https", "registry.example", 443)
    target = parse_derived(text, Target(named, "/v2/"), named)
    assert (target.origin, target.path, target.derived) == (named, "/v2/x?a=1", False)


@pytest.mark.parametrize(
    "text", ["http://registry.example:8080/x", "http://other.example/x", "http://sub.registry.example/x"]
)
def test_any_other_plain_http_is_refused_with_what_to_set(text: str) -> None:
    named = Origin("https", "registry.example", 443)
    with pytest.raises(RegistryError) as refused:
        parse_derived(text, Target(named, "/v2/"), named)
    assert refused.value.code == "REG_INSECURE"
    assert "X-Forwarded-Proto" in refused.value.next_step


def test_what_the_operator_says_holds_for_that_registry_alone() -> None:
    settings = HostSettings(blob_hosts=frozenset({"10.0.0.1:9000"}))
    options = RegistryOptions(hosts={"registry.example": settings, "docker.io": settings})
    assert settings_of(Origin("https", "registry.example", 443), options) == settings
    assert settings_of(Origin("https", "registry-1.docker.io", 443), options) == settings
    assert settings_of(Origin("https", "registry.example", 8443), options) == HostSettings()
    assert settings_of(Origin("https", "other.example", 443), options) == HostSettings()
