"""What registries leave behind between requests: connections, TLS contexts, tokens and logins; bounded, and aged.

A service lives for weeks and is asked about registries and repositories whose names others choose. So a pool keeps a bounded
number of registries, each with a bounded number of logins, forgets who was not asked for a while, and starts anew with each
after `max_age_seconds`: then authorities and logins are read again, which others may have renewed. The time of one request
belongs to its own `RegistryClient`, never to the pool.

The model is the `Puller` of go-containerregistry, which keeps one reader a repository for its whole life; here lives end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from gate.clock import Clock
from gate.errors import RegistryError
from gate.registry.addresses import settings_of
from gate.registry.connections import Connections, trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gate.clock import Deadline
    from gate.registry.addresses import Origin, Target
    from gate.registry.options import Credential, RegistryOptions

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How much a pool keeps, and for how long (seconds).

    Logins are read again after `login_seconds`: a short time beside the hours that a cloud's registry tokens live.
    """

    registries: int = 32
    logins: int = 1024
    idle_seconds: float = 300.0
    max_age_seconds: float = 900.0
    login_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Grant:
    """Headers that a registry accepts until `ends`, on the monotonic clock."""

    headers: Mapping[str, str]
    ends: float


class Recent(Generic[_K, _V]):
    """The values that were put last, at most `most`; safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[_K, _V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: _K) -> _V | None:
        """Return the value, which then counts as used now."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key]

    def put(self, key: _K, value: _V) -> None:
        """Keep a value; the one that was used longest ago goes where there are too many."""
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            while len(self._items) > self._most:
                self._items.popitem(last=False)

    def drop(self, key: _K) -> None:
        """Forget a value."""
        with self._lock:
            self._items.pop(key, None)


class Turns(Generic[_K]):
    """A lock a key, which exists while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[_K, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._locks)

    @contextmanager
    def take(self, key: _K, deadline: Deadline, what: str) -> Iterator[None]:
        """Hold the key's lock; raise `REG_TIMEOUT` where the caller's time ends before its turn."""
        with self._lock:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        try:
            if not lock.acquire(timeout=deadline.remaining()):
                raise RegistryError(f"no time was left while {what}", code="REG_TIMEOUT")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._lock:
                lock, waiting = self._locks[key]
                if waiting == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, waiting - 1)


class HeldRegistry:
    """What is kept of one registry: connections to it and to where it points, and what it granted."""

    def __init__(self, named: Origin, options: RegistryOptions, limits: PoolLimits | None = None) -> None:
        chosen = limits or PoolLimits()
        self.login_seconds = chosen.login_seconds
        self.grants: Recent[tuple[object, ...], Grant] = Recent(chosen.logins)
        self.logins: Recent[object, tuple[Credential | None, float]] = Recent(chosen.logins)
        self.turns: Turns[tuple[object, ...]] = Turns()
        self._named = named
        self._options = options
        self._settings = settings_of(named, options)
        self._connections: dict[bool, Connections] = {}
        self._lock = threading.Lock()

    def connections_to(self, target: Target) -> Connections:
        """Return the connections to the named host or to derived ones; each are made when they are first needed."""
        with self._lock:
            if target.derived not in self._connections:
                vouched = self._settings.token_hosts or self._settings.blob_hosts
                plain = self._named.scheme == "http" and not target.derived and not vouched
                authorities = self._settings.ca_file or self._options.ca_file
                context = None if plain else trust(authorities, self._certificate(target))
                self._connections[target.derived] = Connections(public_only=target.derived, context=context)
            return self._connections[target.derived]

    def close(self) -> None:
        """Close the connections that nobody uses; one in use is closed by whoever gives it back."""
        with self._lock:
            for connections in self._connections.values():
                connections.close()
            self._connections.clear()

    def _certificate(self, target: Target) -> Path | None:
        """Return the client's certificate, which is shown to the named registry alone."""
        return None if target.derived else self._settings.client_certificate


@dataclass(slots=True)
class _Held:
    registry: HeldRegistry
    made: float
    used: float = field(default=0.0)


class RegistryPool:
    """Registries under one set of options, for any number of clients; safe to use from several threads."""

    def __init__(
        self, options: RegistryOptions, *, limits: PoolLimits | None = None, clock: Clock | None = None
    ) -> None:
        self.options = options
        self._limits = limits or PoolLimits()
        self._clock = clock or Clock()
        self._held: OrderedDict[Origin, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def registry(self, origin: Origin) -> HeldRegistry:
        """Return what is kept of a registry, made now where there is nothing or where it is too old."""
        now = self._clock.monotonic()
        with self._lock:
            ended = self._ended(now)
            held = self._held.get(origin)
            if held is None:
                held = self._held[origin] = _Held(HeldRegistry(origin, self.options, self._limits), made=now)
            held.used = now
            self._held.move_to_end(origin)
            while len(self._held) > self._limits.registries:
                ended.append(self._held.popitem(last=False)[1])
        for item in ended:
            item.registry.close()
        return held.registry

    def _ended(self, now: float) -> list[_Held]:
        """Take out what is too old or was not used for a while."""
        limits = self._limits
        ended = [
            origin
            for origin, item in self._held.items()
            if now - item.made > limits.max_age_seconds or now - item.used > limits.idle_seconds
        ]
        return [self._held.pop(origin) for origin in ended]

    def close(self) -> None:
        """Close all connections and forget everything."""
        with self._lock:
            held = list(self._held.values())
            self._held.clear()
        for item in held:
            item.registry.close()
