"""How registries are talked to: what the user or operator chose, and the limits that hold against every registry.

Nothing here is read from the environment: the command line reads the variables that it documents and hands them in
(attack R10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from gate.model.reference import Repository, parse_repository

MAX_ERROR_BYTES: Final = 64 * 1024
MAX_TOKEN_BYTES: Final = 64 * 1024
MAX_REDIRECTS: Final = 5
MAX_PAGES: Final = 20
# Attachments that are fetched, and entries of a listing whatever their types; how many count is verification's limit.
MAX_LISTED: Final = 2000
MAX_ENTRIES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What one registry accepts of this user; no text of it is ever shown.

    Either `username` and `password` (Basic, or to get a token), `identity_token` (a refresh token), or
    `registry_token` (a bearer token as it is).
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


class CredentialSource(Protocol):
    """Finds the user's credential for a repository, or None: then the registry is asked without one."""

    def find(self, repository: Repository) -> Credential | None:
        """Look the credential up; raises `REG_AUTH` where one exists and cannot be read."""


class NoCredentials:
    """A source without credentials."""

    def find(self, repository: Repository) -> Credential | None:
        """Return None for every repository."""
        del repository
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Proxies that the user named: a URL a scheme, and the hosts that need none. A proxy resolves names itself."""

    https: str = ""
    http: str = ""
    bypass: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What the operator says of one registry (`registries.HOST` of a configuration file that was named).

    `token_hosts` and `blob_hosts` (`host` or `host:port`) are token services and storage hosts that the operator vouches for, for
    this registry alone: they may have a private address, and a token service may be sent this registry's credentials.
    `mirrors` are asked for the bytes of images before the registry itself: a host, or a repository that its repositories lie
    below. `attestations_in` is the repository that attestations go to and are looked for in, beside the image's own.
    """

    mirrors: tuple[str, ...] = ()
    token_hosts: frozenset[str] = frozenset()
    blob_hosts: frozenset[str] = frozenset()
    plain_http: bool = False
    ca_file: Path | None = None
    client_certificate: Path | None = None
    attestations_in: Repository | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """All settings of the client.

    `plain_http` lets the registry that the user named be spoken to without TLS; literal loopback needs no permission,
    and speaks TLS only if `ca_file` is given. `ca_file` is trusted beside the system's authorities. `hosts` maps a
    registry's host, as references write it, to what the operator says of it. Times are in seconds; `stall_seconds`
    bounds a wait for the next byte, `request_seconds` everything but a blob.
    """

    plain_http: bool = False
    ca_file: Path | None = None
    proxies: ProxySettings = field(default_factory=ProxySettings)
    credentials: CredentialSource = field(default_factory=NoCredentials)
    hosts: Mapping[str, HostSettings] = field(default_factory=dict)
    offline: bool = False
    user_agent: str = "gate"
    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    request_seconds: float = 60.0
    tries: int = 4
    first_pause_seconds: float = 0.25

    def settings_of(self, *names: str) -> HostSettings:
        """Return what the operator says of a registry under the first of these names that is listed."""
        return next((self.hosts[name] for name in names if name in self.hosts), HostSettings())

    def mirrors_of(self, repository: Repository) -> tuple[Repository, ...]:
        """Return where the images of a repository are asked for first."""
        places = self.settings_of(repository.host).mirrors
        return tuple(parse_repository(f"{place}/{repository.path}") for place in places)

    def attestations_of(self, repository: Repository) -> Repository:
        """Return where the attestations of a repository's images go: another one that the operator named, or itself."""
        return self.settings_of(repository.host).attestations_in or repository
