"""Which proxy a host is asked through, as Go's `golang.org/x/net/http/httpproxy` reads the three variables.

The scanners and nearly all tools beside the gate are written in Go: what reaches a registry there reaches it here. Go's own
answers are recorded in `fixtures/proxies`. Two differ: a name below `localhost` is this machine (RFC 6761, section 6.3), and
in a CGI program `HTTP_PROXY` is left out where Go ends with an error.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from gate.registry.addresses import IPAddress, is_loopback
from gate.registry.options import ProxySettings

_NETWORK: Final = re.compile(r"[0-9a-f.:]+/[0-9]{1,3}", re.ASCII)
# RFC 4291, section 2.5.5.2: what stands before an address of version 4 inside one of version 6.
_MAPPED_BITS: Final = 96
_WITH_PORT: Final = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:\[\]]*)")


def proxies_of(environment: Mapping[str, str]) -> ProxySettings:
    """Return what the environment names, each variable in upper case first.

    In a CGI program (`REQUEST_METHOD`) `HTTP_PROXY` may be a header that a stranger sent, and is not read.
    """

    def named(variable: str) -> str:
        return environment.get(variable) or environment.get(variable.lower(), "")

    bypass = tuple(part.strip().lower() for part in named("NO_PROXY").split(",") if part.strip())
    http = "" if environment.get("REQUEST_METHOD") else named("HTTP_PROXY")
    return ProxySettings(https=named("HTTPS_PROXY"), http=http, bypass=bypass)


def proxy_for(settings: ProxySettings, scheme: str, host: str, port: int) -> str:
    """Return the proxy that is named for a host, or ""; this machine never needs one."""
    address = _address(host)
    is_own = is_loopback(host) or (address is not None and address.is_loopback)
    if is_own or any(_covers(entry, host, port, address) for entry in settings.bypass):
        return ""
    return settings.https if scheme == "https" else settings.http


def _covers(entry: str, host: str, port: int, address: IPAddress | None) -> bool:
    """Say whether one entry of `NO_PROXY` (`*`, a network, an address, a domain, the last two with ports) means a host."""
    if entry == "*":
        return True
    if _NETWORK.fullmatch(entry):
        return address is not None and _contains(entry, address)
    parts = _WITH_PORT.fullmatch(entry)
    name, wanted = (parts[1] or parts[2] or "", parts[3]) if parts else (entry, "")
    if not name or wanted not in {"", str(port)}:
        return False
    literal = _address(name)
    if literal is not None or address is not None:
        return literal == address
    return _is_below(host, _in_ascii(name))


def _is_below(host: str, domain: str) -> bool:
    """Say whether a host is of a domain; with a leading dot (or `*.`) the domain itself is not."""
    below = domain.removeprefix("*") if domain.startswith("*.") else domain
    return host.endswith(below) if below.startswith(".") else f".{host}".endswith(f".{below}")


def _in_ascii(domain: str) -> str:
    """Return a domain as the DNS knows it: `münchen.example` is `xn--mnchen-3ya.example`."""
    if domain.isascii():
        return domain
    import idna  # noqa: PLC0415 - only where a name needs it

    name = domain.removeprefix("*").removeprefix(".")
    try:
        return domain.removesuffix(name) + idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def _contains(text: str, address: IPAddress) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED_BITS}")
    return address in network


def _address(text: str) -> IPAddress | None:
    """Return the address that a text is; one of version 4 inside version 6 is that of version 4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
