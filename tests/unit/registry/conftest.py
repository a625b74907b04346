"""A scripted registry, and a client that gives up soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gate.clock import Clock, Deadline
from gate.model.reference import Repository, parse_repository
from gate.registry.client import RegistryClient
from gate.registry.options import HostSettings, RegistryOptions
from tests.support.hostile import HostileRegistry, hostile_registry

QUICK = RegistryOptions(stall_seconds=1.0, request_seconds=1.0, first_pause_seconds=0.001)

MakeClient = Callable[..., RegistryClient]


def vouched(other: HostileRegistry) -> HostSettings:
    """Return settings by which another host may be the token service and the store of a registry."""
    return HostSettings(token_hosts=frozenset({other.host}), blob_hosts=frozenset({other.host}))


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    with hostile_registry() as registry:
        yield registry


@pytest.fixture
def other() -> Iterator[HostileRegistry]:
    with hostile_registry() as registry:
        yield registry


@pytest.fixture
def repository(server: HostileRegistry) -> Repository:
    return parse_repository(f"{server.host}/shop/web")


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def make_client(pauses: list[float]) -> Iterator[MakeClient]:
    made: list[RegistryClient] = []

    def make(*, seconds: float = 20.0, **changes: Any) -> RegistryClient:  # noqa: ANN401 - any option
        deadline = Deadline.after(timedelta(seconds=seconds), Clock(sleep=pauses.append))
        client = RegistryClient(replace(QUICK, **changes), deadline)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> RegistryClient:
    return make_client()
