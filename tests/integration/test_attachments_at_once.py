"""Many gates on one digest: nothing that was reported as attached is ever unseen, whatever the registry keeps lists with."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

import pytest

from gate.clock import Deadline
from gate.images.attachments import collect_attachments
from gate.images.registry_source import RegistrySource
from gate.model.attachment import BUNDLE_V03
from gate.model.digest import Digest
from gate.model.reference import Repository, parse_repository
from gate.registry.attach import Attachable
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.conftest import StartDockerRegistry, StartOlareg
from tests.support.images import attachment_manifest, small_image
from tests.support.registries import RunningRegistry

pytestmark = pytest.mark.real_tools

GATES: Final = 8
ROUNDS: Final = 6
# olareg 0.1.2 reads, changes and writes its own list of referrers without a lock: it loses entries of two pushes at once.
_OLAREG: Final = threading.Lock()
IMAGE: Final = small_image(b"layer")


@pytest.fixture(params=["no-referrers", "referrers", "docker-registry"])
def repository(request: pytest.FixtureRequest, olareg: StartOlareg, docker_registry: StartDockerRegistry) -> Repository:
    starts: dict[str, Callable[[], RunningRegistry]] = {
        "no-referrers": lambda: olareg(referrers=False),
        "referrers": olareg,
        "docker-registry": lambda: docker_registry(authentication=False),
    }
    return parse_repository(f"{starts[request.param]().host}/shop/web")


def client() -> RegistryClient:
    return RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=2)))


def attachable(gate: int, number: int) -> Attachable:
    bundle = f"bundle {gate} {number}".encode()
    manifest = attachment_manifest(IMAGE.descriptor, bundle, media_type=BUNDLE_V03)
    return Attachable(subject=IMAGE.descriptor, manifest=manifest, blobs=(bundle, b"{}"))


def seen(source: RegistrySource) -> set[Digest | None]:
    return {item.manifest for item in collect_attachments(source, IMAGE.digest).items}


def attach_some(repository: Repository, gate: int) -> list[Digest]:
    """Attach a pair at a time, as a verdict and its evidence, and see each at once."""
    chance = random.Random(gate)  # noqa: S311 - delays by a seed
    attached: list[Digest] = []
    with client() as asked:
        source = RegistrySource(asked, repository, IMAGE.digest)
        without_api = asked.referrer_listing(repository, IMAGE.digest).api is None
        for number in range(ROUNDS):
            time.sleep(chance.uniform(0, 0.02))
            pair = (attachable(gate, 2 * number), attachable(gate, 2 * number + 1))
            with contextlib.nullcontext() if without_api else _OLAREG:
                source.writer.attach_all(pair)
            attached += [Digest.of(item.manifest) for item in pair]
            assert set(attached) <= seen(source)
    return attached


def test_eight_gates_at_once_lose_nothing(repository: Repository) -> None:
    with client() as asked:
        for blob in (*IMAGE.blobs, b"{}"):
            asked.push_blob(repository, Digest.of(blob), blob)
        asked.push_manifest(repository, IMAGE.manifest, IMAGE.descriptor.media_type)
        with ThreadPoolExecutor(GATES) as pool:
            attached = [
                digest for found in pool.map(lambda n: attach_some(repository, n), range(GATES)) for digest in found
            ]
        assert len(attached) == GATES * ROUNDS * 2
        assert seen(RegistrySource(asked, repository, IMAGE.digest)) == set(attached)
