"""A demand that lives in a server for weeks: what one pool costs over a thousand verifications, and who waits for whom."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.vsa import render_summary
from gate.errors import RegistryError
from gate.model.attachment import BUNDLE_V03
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.pipeline.shared import Shared
from gate.pipeline.verify import admit
from gate.pipeline.verify_options import VerifyOptions
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.settings.locations import default_places
from gate.signers.signing import sign_statement
from tests.support.images import attachment_manifest, small_image
from tests.support.programs import Tools
from tests.support.registries import run_olareg
from tests.support.signing import GATE, POLICY, VERIFIER, summary
from tests.support.token_front import USES, Front, run_front

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]
VERIFICATIONS = 1000
THREADS = 8
VERDICTS = 28


@pytest.fixture(scope="module")
def front(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("registry")) as registry, run_front(registry.host) as running:
        running.counts["upstream"] = 0
        for path in ("shop/fast", "shop/slow"):
            push(registry.host, running.host, path, verdicts=1)
        push(registry.host, running.host, "shop/many", verdicts=VERDICTS)
        yield running


IMAGE = small_image(b"a layer")


def push(upstream: str, host: str, path: str, *, verdicts: int) -> None:
    """Push the image, and verdicts about it under the name by which clients of the front know it."""
    there, named = Repository(upstream, path), Repository(host, path)
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(seconds=60))) as client:
        for blob in IMAGE.blobs:
            client.push_blob(there, Digest.of(blob), blob)
        client.push_manifest(there, IMAGE.manifest, IMAGE.descriptor.media_type)
        for number in range(verdicts):
            at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1, seconds=number)
            made = summary(at=at, subjects=(IMAGE.digest,), repository=named)
            bundle = sign_statement(GATE, render_summary(made)).bundle
            manifest = attachment_manifest(IMAGE.descriptor, bundle, media_type=BUNDLE_V03)
            client.attach(there, IMAGE.descriptor, manifest, (b"{}", bundle))


def options(tmp_path: Path, seconds: float = 20) -> VerifyOptions:
    return VerifyOptions(
        places=default_places({"HOME": str(tmp_path)}),
        keys=(GATE.public_key,),
        verifier_id=VERIFIER,
        policies=frozenset({POLICY}),
        timeout=timedelta(seconds=seconds),
    )


def test_a_thousand_verifications_cost_few_connections_threads_and_little_memory(front: Front, tmp_path: Path) -> None:
    reference = f"{front.host}/shop/fast@{IMAGE.digest}"
    asked = options(tmp_path)
    before = threading.active_count()
    with closing(Shared(asked.registry)) as shared, ThreadPoolExecutor(THREADS) as threads:

        def one(_: int) -> bool:
            return admit(reference, asked, shared=shared).admitted

        assert all(threads.map(one, range(100)))
        begun = front.counts.copy()
        tracemalloc.start()
        try:
            assert all(threads.map(one, range(VERIFICATIONS)))
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        counts = front.counts - begun
        # Each of the eight that ask has four requests on their way at most, the front a thread for each connection.
        assert threading.active_count() <= before + THREADS * 5 + front.counts["connections"] + 1
    assert counts["connections"] <= VERIFICATIONS / 10
    assert counts["tokens"] <= 2 * counts["requests"] / USES + THREADS
    assert grown < 8 * 1024 * 1024


def test_a_slow_repository_delays_no_other_of_its_registry(front: Front, tmp_path: Path) -> None:
    front.slow_seconds = 3.0
    asked = options(tmp_path)
    with closing(Shared(asked.registry)) as shared, ThreadPoolExecutor(THREADS) as threads:
        fast, slow = (f"{front.host}/shop/{name}@{IMAGE.digest}" for name in ("fast", "slow"))
        waiting = [threads.submit(admit, slow, asked, shared=shared) for _ in range(4)]
        time.sleep(0.2)
        began = time.monotonic()
        assert admit(fast, asked, shared=shared).admitted
        assert time.monotonic() - began < 2.0
        assert not any(item.done() for item in waiting)
        assert all(item.result(20).admitted for item in waiting)


def test_a_deadline_is_one_questions_and_the_next_one_has_its_own(front: Front, tmp_path: Path) -> None:
    front.slow_seconds = 3.0
    slow = f"{front.host}/shop/slow@{IMAGE.digest}"
    asked = options(tmp_path)
    with closing(Shared(asked.registry)) as shared:
        with pytest.raises(RegistryError) as late:
            admit(slow, options(tmp_path, 0.5), shared=shared)
        assert late.value.code == "REG_TIMEOUT"
        assert admit(slow, asked, shared=shared).admitted


def test_many_verdicts_cost_no_request_of_their_own_the_second_time(front: Front, tmp_path: Path) -> None:
    front.slow_seconds = 0.0
    reference = f"{front.host}/shop/many@{IMAGE.digest}"
    asked = options(tmp_path)
    with closing(Shared(asked.registry)) as shared:
        begun = front.counts["requests"]
        assert admit(reference, asked, shared=shared).admitted
        first = front.counts["requests"] - begun
        assert admit(reference, asked, shared=shared).admitted
        again = front.counts["requests"] - begun - first
    assert first >= 2 * VERDICTS
    # The listing, the fallback tag and the two tags of Cosign: what can change is asked each time.
    assert again <= 4
