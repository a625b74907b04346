"""Who waits for whom in the service, what a registry that hangs leaves standing, and what a changed key takes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.reference import Repository
from gate.model.requirement import ImageRequirement, Requirement
from gate.pipeline.demand import Admission
from gate.pipeline.verify_options import VerifyOptions
from gate.settings.locations import default_places
from gate.webhook import judge as module
from gate.webhook.answers import KeptAnswer, key_of
from gate.webhook.judge import AT_ONCE, Judge
from gate.webhook.server import replace_judge
from tests.support.signing import rule

REQUIREMENT = Requirement(
    name="test", digest=Digest.of(b"a requirement"), images=(ImageRequirement(match=Glob("**"), verdict=rule()),)
)
IMAGES = [Digest.of(b"image %d" % number) for number in range(100)]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    options = VerifyOptions(places=default_places({"HOME": str(tmp_path)}))
    made = Judge(requirements=(REQUIREMENT,), options=options)
    yield made
    made.close()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let look-ups of `slow` repositories hang until the event is set; all others are let in at once."""
    ended = threading.Event()

    def admit(reference: str, _options: object, **_: object) -> Admission:
        name, digest = reference.split("@")
        if "slow" in name:
            ended.wait(20)
        return Admission(digest=Digest(digest), repository=Repository("r.example", name.partition("/")[2]))

    monkeypatch.setattr(module, "admit", admit)
    yield ended
    ended.set()


def seconds(number: float) -> Deadline:
    return Deadline.after(timedelta(seconds=number))


def test_k17_a_slow_repository_takes_few_threads_and_delays_no_other(judge: Judge, hanging: threading.Event) -> None:
    slow = [f"r.example/shop/slow@{image}" for image in IMAGES]
    (*answers,) = judge.judge(slow, "default", seconds(0.2))
    assert {answer.refusal.code for answer in answers if answer.refusal} == {"ADM_TIMEOUT"}
    assert judge.lookups == AT_ONCE
    (fast,) = judge.judge([f"r.example/shop/fast@{IMAGES[0]}"], "default", seconds(5))
    assert fast.refusal is None
    hanging.set()
    assert all(answer.refusal is None for answer in judge.judge(slow, "default", seconds(20)))


def test_k09_a_registry_that_hangs_leaves_what_was_right(judge: Judge, hanging: threading.Event) -> None:
    now = datetime.now(UTC)
    repository = Repository("r.example", "shop/slow")
    kept = KeptAnswer(until=now + timedelta(hours=1), again=now - timedelta(seconds=1))
    judge.answers.keep(key_of(IMAGES[0], repository, REQUIREMENT.digest), kept)
    known, new = judge.judge([f"{repository}@{image}" for image in IMAGES[:2]], "default", seconds(0.2))
    assert known.refusal is None
    assert new.refusal is not None
    assert new.refusal.code == "ADM_TIMEOUT"
    hanging.set()


def test_a_changed_key_under_the_same_document_takes_earlier_answers_away(judge: Judge) -> None:
    now = datetime.now(UTC)
    judge.answers.keep(b"key", KeptAnswer(until=now + timedelta(hours=1), again=now))
    same = replace_judge(judge, (REQUIREMENT, replace(REQUIREMENT, name="more", digest=Digest.of(b"another"))))
    assert len(same.answers) == 1
    pointed = replace(REQUIREMENT, images=(ImageRequirement(match=Glob("**"), verdict=rule(failed_by=())),))
    assert len(replace_judge(judge, (pointed,)).answers) == 0
    assert same.shared is judge.shared
