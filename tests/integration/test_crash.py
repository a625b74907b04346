"""`kill -9` at any moment and runs at once: the next run is right, and no verdict is issued twice or lost (attacks U02, U04)."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

import gate
from gate.clock import Deadline
from gate.errors import RegistryError
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.reference import parse_reference
from gate.pipeline.options import CheckOptions
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.store.record import Row, open_record
from tests.integration.conftest import Shop
from tests.support.installation import Installation
from tests.support.programs import Tools
from tests.support.registries import free_port, run_olareg
from tests.support.runs import BESIDE

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

ROOT: Final = Path(__file__).parents[2]
# Each image is killed twice before it may end: once anywhere, and once where the record and the registry are written.
# `make load` sets this to 100: 200 kills.
IMAGES: Final = int(os.environ.get("GATE_KILLED", "6"))
SHOPS: Final = ("shop", "fallback_shop", "docker_shop")
SEED: Final = 20260301


@dataclass(frozen=True, slots=True)
class Ended:
    """What one run of its own process came to; `calls` is 0 where it was killed."""

    returned: int
    calls: int = 0
    recorded_at: int = 0
    reused: bool = False
    decision: str = ""


def start(
    installed: Installation, own: Path, reference: str, *, kill_at: int = 0, cold: bool = False
) -> subprocess.Popen[str]:
    order = {"root": str(installed.root), "own": str(own), "reference": reference, "cold": cold, "kill_at": kill_at}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.killed_run", json.dumps(order)],
        cwd=ROOT,
        env={**os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(child: subprocess.Popen[str]) -> Ended:
    said, complaint = child.communicate(timeout=120)
    if child.returncode == -signal.SIGKILL:
        return Ended(child.returncode)
    assert child.returncode == 0, complaint
    return Ended(child.returncode, **json.loads(said))


def run(installed: Installation, own: Path, reference: str, *, kill_at: int = 0, cold: bool = False) -> Ended:
    return end(start(installed, own, reference, kill_at=kill_at, cold=cold))


def rows(options: CheckOptions) -> tuple[Row, ...]:
    record = open_record(options.places.record, options.places.evidence)
    try:
        return tuple(row for row in record.rows() if row.kind not in BESIDE)
    finally:
        record.close()


def recorded(options: CheckOptions) -> set[Digest]:
    """Return the digests of the manifests that the record says are to be published."""
    intents = [json.loads(row.content) for row in rows(options) if row.kind == "intent"]
    return {Digest(item["manifest"]) for intent in intents for item in intent["publications"]}


def attached(reference: str) -> set[Digest]:
    """Return the digests of the manifests that hang on an image."""
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        source = open_source(parse_reference(reference), client)
        items = collect_attachments(source, source.root().digest).items
    return {item.manifest for item in items if item.manifest is not None}


def expect_one_verdict(installed: Installation, own: Path, reference: str, signatures: set[Digest]) -> None:
    """See that there is one verdict, that it is published as it was recorded, and that it lets the image in."""
    options = installed.options(own)
    assert [row.kind for row in rows(options)] == ["verdict", "intent", "published"]
    assert attached(reference) - signatures == recorded(options)
    assert gate.verify(reference, installed.demands(own)).attachment in recorded(options)


@pytest.fixture(scope="module")
def calls(shop: Shop, installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Count the calls of a run that nobody kills, with what the cache gives; the second one counts."""
    run(installed, tmp_path_factory.mktemp("warm"), shop.reference("clean", "crash/first"))
    ended = run(installed, tmp_path_factory.mktemp("counted"), shop.reference("clean", "crash/second"))
    assert 0 < ended.recorded_at < ended.calls
    return ended


@pytest.fixture(scope="module")
def cold_calls(shop: Shop, installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Count the calls of a run that pulls and scans."""
    return run(installed, tmp_path_factory.mktemp("cold"), shop.reference("setuid", "crash/cold"), cold=True)


@pytest.mark.parametrize("number", range(IMAGES))
def test_a_run_that_is_killed_leaves_what_the_next_one_finishes(
    number: int, calls: Ended, installed: Installation, own: Path, request: pytest.FixtureRequest
) -> None:
    shop: Shop = request.getfixturevalue(SHOPS[number % len(SHOPS)])
    chance = random.Random(SEED + number)  # noqa: S311 - a point to die at, no secret
    reference = shop.reference("clean", f"crash/web-{number}")
    signatures = attached(reference)
    first = chance.randrange(1, calls.calls)
    # Of what comes before the record is opened nothing can be left; from there on each call may be the last.
    second = chance.randrange(calls.recorded_at, calls.calls)
    for kill_at in (first, second):
        run(installed, own, reference, kill_at=kill_at)
    assert run(installed, own, reference).decision == Decision.PASSED
    expect_one_verdict(installed, own, reference, signatures)
    assert gate.check(reference, installed.options(own)).reused
    assert leftovers(installed.options(own)) == []


def leftovers(options: CheckOptions) -> list[str]:
    """Return the folders of runs that are over; those of other tests that run now are locked."""
    return [path.name for path in (options.places.cache / "scratch").glob("run-*") if not is_alive(path)]


def is_alive(folder: Path) -> bool:
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        # It ended between the two looks; a folder that stays without a lock is a leftover.
        return not folder.exists()
    return False


@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_kill_while_the_cache_is_filled_leaves_a_whole_cache(
    part: float, cold_calls: Ended, shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference("setuid", f"cold/web-{int(part * 10)}")
    signatures = attached(reference)
    killed = run(installed, own, reference, cold=True, kill_at=int(cold_calls.recorded_at * part))
    assert killed.returned == -signal.SIGKILL
    assert run(installed, own, reference, cold=True).decision == Decision.REFUSED
    options = installed.options(own, cold=True)
    assert [row.kind for row in rows(options)] == ["verdict", "intent", "published"]
    assert recorded(options) <= attached(reference) - signatures
    assert leftovers(options) == []


def test_runs_at_once_on_one_image_come_to_one_verdict(shop: Shop, installed: Installation, own: Path) -> None:
    reference = shop.reference("clean", "at-once/web")
    signatures = attached(reference)
    ended = [end(child) for child in [start(installed, own, reference) for _ in range(4)]]
    assert {item.decision for item in ended} == {Decision.PASSED}
    assert sorted(item.reused for item in ended) == [False, True, True, True]
    expect_one_verdict(installed, own, reference, signatures)


def test_runs_at_once_fill_one_cold_cache(shop: Shop, installed: Installation, own: Path) -> None:
    references = [shop.reference(name, "cold-at-once/web") for name in ("clean", "setuid")] * 2
    ended = [end(child) for child in [start(installed, own, reference, cold=True) for reference in references]]
    assert [item.decision for item in ended] == [Decision.PASSED, Decision.REFUSED] * 2
    assert sorted(item.reused for item in ended) == [False, False, True, True]


def test_what_was_recorded_and_not_published_is_published_by_the_next_run(
    tools: Tools, installed: Installation, own: Path, tmp_path: Path
) -> None:
    port, storage = free_port(), tmp_path / "registry"
    options = installed.options(own)
    with run_olareg(tools.olareg, storage, port=port) as registry:
        reference = installed.push("clean", registry.host)
        signatures = attached(reference)
    with run_olareg(tools.olareg, storage, port=port, read_only=True):
        with pytest.raises(RegistryError):
            gate.check(reference, options)
        assert [row.kind for row in rows(options)] == ["verdict", "intent"]
        assert attached(reference) == signatures
    with run_olareg(tools.olareg, storage, port=port):
        again = gate.check(reference, options)
        assert again.reused
        assert again.notices == ("published again what an earlier run left unfinished (row 2)",)
        assert {item.manifest for item in again.attestations} == recorded(options)
        expect_one_verdict(installed, own, reference, signatures)
        # A run that signs nothing pushes nothing, whatever the record says.
        assert (
            gate.check(reference, installed.options(own, signer=None)).notices[0].startswith("no attestation was made")
        )
