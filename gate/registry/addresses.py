"""Where a request may go: origins, and the check of every address that a registry, not the user, named.

The host that the user named may be private. What a registry derives (token realm, redirect, `Location`, `Link`) must
be HTTPS on a public address, checked when resolved and again on the connected socket, so that a name that resolves
anew does not help (attacks R04, R05, R07). URLs are built anew from checked parts, so that no second parser sees
another host.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from gate.codec.strict_json import printable
from gate.errors import RegistryError
from gate.model.reference import DOCKER_HUB, Repository
from gate.registry.options import HostSettings, RegistryOptions

HUB_API_HOST: Final = "registry-1.docker.io"
# Token services that are known to serve another host's registry (formats reference, section 3.2).
TOKEN_PARTNERS: Final = frozenset(
    {("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com"), ("nvcr.io", "authn.nvidia.com")}
)
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_PLAIN_TEXT: Final = re.compile(r"[!-~]{1,8192}", re.ASCII)
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+", re.ASCII)
_NUMBERS: Final = re.compile(r"[0-9a-fx.]+", re.ASCII)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host in lower case (IPv6 without brackets) and port: what a credential is bound to."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """Return host and port as references write them."""
        return str(self).partition("://")[2]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


@dataclass(frozen=True, slots=True)
class Target:
    """An address to ask; `derived` if the registry named it. `path` begins with `/` and holds the query."""

    origin: Origin
    path: str
    derived: bool = False

    @property
    def url(self) -> str:
        """Return the whole URL. It may hold a signature of a storage service: never for messages."""
        return f"{self.origin}{self.path}"


def api_origin(repository: Repository, options: RegistryOptions) -> Origin:
    """Return where a repository's registry is asked; only literal loopback or `plain_http` speaks HTTP."""
    own = options.settings_of(repository.host)
    is_tls = options.ca_file is not None or own.ca_file is not None
    plain = options.plain_http or own.plain_http or (repository.is_loopback and not is_tls)
    scheme = "http" if plain else "https"
    host = HUB_API_HOST if repository.host == DOCKER_HUB else repository.host
    parts = urlsplit(f"{scheme}://{host}")
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS[scheme])


def settings_of(named: Origin, options: RegistryOptions) -> HostSettings:
    """Return what the operator says of the registry at this origin."""
    hub = (DOCKER_HUB,) if named.host == HUB_API_HOST else ()
    return options.settings_of(*_names_of(named), *hub)


def parse_derived(text: str, base: Target, named: Origin, trusted: frozenset[str] = frozenset()) -> Target:
    """Resolve an address that a registry gave, against the address that gave it, and check all but its name's addresses.

    `trusted` are hosts that the operator vouches for here. Plain HTTP of the named host itself is asked over HTTPS: a load
    balancer that ends TLS hides it from the registry behind it, which then writes `http://` into its own addresses.

    Raises:
        RegistryError: `REG_MALFORMED`, `REG_SSRF` for an address that is not public, `REG_INSECURE` for plain HTTP.
    """
    target = _split(text, base)
    if target.origin == named:
        return target
    if _is_named_without_tls(target.origin, named):
        return Target(named, target.path)
    if _names_of(target.origin) & trusted:
        if target.origin.scheme != "https" and not is_loopback(target.origin.host):
            raise _insecure(target.origin)
        return target
    literal = _literal(target.origin.host)
    if literal is not None and not is_public(literal):
        raise forbidden_address(target.origin.host, str(literal))
    if target.origin.scheme != "https":
        raise _insecure(target.origin)
    return Target(target.origin, target.path, derived=True)


def require_realm(target: Target, named: Origin, trusted: frozenset[str] = frozenset()) -> None:
    """Refuse a token service that the registry named and that is neither its own host nor a known partner.

    Raises:
        RegistryError: `REG_AUTH_LEAK`.
    """
    own = target.origin == named or (target.origin.host == named.host and target.origin.port == _DEFAULT_PORTS["https"])
    partner = (named.host, target.origin.host) in TOKEN_PARTNERS
    if not own and not partner and not _names_of(target.origin) & trusted:
        raise RegistryError(
            "the registry sends logins to another host",
            code="REG_AUTH_LEAK",
            expected=f"a token service on {named}",
            seen=printable(str(target.origin)),
            next_step=f"If the service is yours, name it in a configuration file given with --config: registries."
            f"{named.name}.tokenHosts. Else do not log in to this registry.",
        )


def require_resolved(target: Target) -> None:
    """Refuse a derived name that resolves to any address that is not public.

    Raises:
        RegistryError: `REG_SSRF`, or `REG_UNREACHABLE` where it does not resolve.
    """
    try:
        found = socket.getaddrinfo(target.origin.host, target.origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RegistryError(f"{printable(target.origin.host)} does not resolve", code="REG_UNREACHABLE") from error
    for *_, place in found:
        require_peer(target.origin.host, str(place[0]))


def require_peer(host: str, address: str) -> None:
    """Refuse an address that is not public; `host` is for the message."""
    if not is_public(ipaddress.ip_address(address.partition("%")[0])):
        raise forbidden_address(host, address)


def is_public(address: IPAddress) -> bool:
    """Say whether an address is of the public internet, also inside IPv6 forms that carry an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def is_loopback(host: str) -> bool:
    """Say whether a host is literally this machine, in any spelling."""
    literal = _literal(host)
    return literal is not None and literal.is_loopback


def forbidden_address(host: str, address: str) -> RegistryError:
    """Make the error for a derived address that must not be asked."""
    return RegistryError(
        "the registry points at an address that is not public",
        code="REG_SSRF",
        expected="a public address",
        seen=printable(f"{host} ({address})"),
        next_step="If the host is yours, name it in a configuration file given with --config: registries.HOST.blobHosts"
        " for storage, registries.HOST.tokenHosts for logins. Else do not use this registry.",
    )


def _split(text: str, base: Target) -> Target:
    if not _PLAIN_TEXT.fullmatch(text) or "\\" in text:
        raise _malformed(text)
    try:
        parts = urlsplit(urljoin(base.url, text))
        port = parts.port
    except ValueError as error:
        raise _malformed(text) from error
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or not _HOST.fullmatch(host) or port == 0:
        raise _malformed(text)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return Target(Origin(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme]), path)


def _literal(host: str) -> IPAddress | None:
    """Return the address that a host is, in any spelling that a resolver takes (`0x7f.1`, `2130706433`)."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    if not _NUMBERS.fullmatch(host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _names_of(origin: Origin) -> frozenset[str]:
    """Return how a host may be written in a list: with its port, and without where that is the scheme's own."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return frozenset({f"{host}:{origin.port}", *([host] if origin.port == _DEFAULT_PORTS[origin.scheme] else [])})


def _is_named_without_tls(origin: Origin, named: Origin) -> bool:
    is_same = named.scheme == "https" and origin.scheme == "http" and origin.host == named.host
    return is_same and origin.port in {_DEFAULT_PORTS["http"], named.port}


def _insecure(origin: Origin) -> RegistryError:
    return RegistryError(
        "the registry points at plain HTTP",
        code="REG_INSECURE",
        expected="https",
        seen=printable(str(origin)),
        next_step="Where a load balancer ends TLS in front of it, let that send X-Forwarded-Proto: https. Plain HTTP is never"
        " followed.",
    )


def _malformed(text: str) -> RegistryError:
    return RegistryError(
        "the registry points at something that is no address",
        code="REG_MALFORMED",
        expected="an http or https URL",
        seen=printable(text.partition("?")[0]),
    )
