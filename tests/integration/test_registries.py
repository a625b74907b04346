"""The real registries of the test bed behave as the tests that use them assume."""

from __future__ import annotations

import http.client
import ssl

import pytest

from tests.conftest import StartDockerRegistry, StartOlareg
from tests.support.registries import RunningRegistry

pytestmark = pytest.mark.real_tools
REFERRERS = f"/v2/shop/web/referrers/sha256:{'0' * 64}"


def status(registry: RunningRegistry, path: str, *, authorization: str = "") -> int:
    host = registry.host
    if registry.authority is None:
        connection = http.client.HTTPConnection(host, timeout=10)
    else:
        context = ssl.create_default_context(cafile=str(registry.authority))
        connection = http.client.HTTPSConnection(host, timeout=10, context=context)
    connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_olareg_has_referrers_unless_told_otherwise(olareg: StartOlareg) -> None:
    assert status(olareg(), REFERRERS) == 200
    assert status(olareg(referrers=False), REFERRERS) == 404


def test_olareg_speaks_tls_under_an_authority_of_its_own(olareg: StartOlareg) -> None:
    registry = olareg(tls=True)
    assert registry.url.startswith("https://127.0.0.1:")
    assert status(registry, "/v2/") == 200


def test_olareg_limits_the_rate(olareg: StartOlareg) -> None:
    registry = olareg(rate_limit=1)
    assert 429 in {status(registry, "/v2/") for _ in range(20)}


def test_docker_registry_demands_a_password_and_has_no_referrers(docker_registry: StartDockerRegistry) -> None:
    registry = docker_registry()
    basic = "Basic cm9ib3Q6Y29ycmVjdCBob3JzZQ=="  # robot:correct horse
    assert status(registry, "/v2/") == 401
    assert status(registry, "/v2/", authorization=basic) == 200
    assert status(registry, REFERRERS, authorization=basic) == 404
