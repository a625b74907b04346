"""Publishing makes room: a digest that is checked every night stays one that can be verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import gate
from gate.clock import Clock, Deadline
from gate.errors import RegistryError
from gate.images.attachments import collect_attachments
from gate.images.registry_source import RegistrySource
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.decision import Decision
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.issue import room
from gate.pipeline.options import CheckRun
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.conftest import StartOlareg
from tests.support.installation import Installation, shop_policy

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

NIGHTS = 8


def attached(reference: str) -> list[Attachment]:
    asked = parse_reference(reference)
    assert isinstance(asked, RegistryReference)
    assert asked.digest is not None
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        return list(collect_attachments(RegistrySource(client, asked.repository, asked.digest), asked.digest).items)


def judge(installed: Installation, reference: str, own: Path, policy: Path, *, days: int = 0) -> CheckRun:
    clock = Clock(now=lambda: datetime.now(UTC) - timedelta(days=days))
    return gate.check(reference, installed.options(own, policy=policy, reissue=True), clock=clock)


@pytest.fixture
def good(installed: Installation, tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_bytes(shop_policy(installed, vulnerabilities=None, secrets=None, image={"user": "non-root"}))
    return path


@pytest.fixture
def bad(installed: Installation, tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_bytes(shop_policy(installed, vulnerabilities=None, secrets=None, image={"ports": {"deny": ["8080"]}}))
    return path


@pytest.mark.parametrize("referrers", [True, False], ids=["referrers", "tags"])
def test_nightly_checks_leave_a_bounded_number_of_verdicts(
    installed: Installation,
    olareg: StartOlareg,
    own: Path,
    good: Path,
    bad: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    referrers: bool,
) -> None:
    monkeypatch.setattr(room, "ROOM_FROM", 6)
    reference = installed.push("clean", olareg(referrers=referrers, delete=True).host)
    failed = judge(installed, reference, own, bad, days=NIGHTS + 1)
    assert failed.verdict.decision is Decision.REFUSED
    runs = [judge(installed, reference, own, good, days=night) for night in range(NIGHTS, 0, -1)]
    told = [line for run in runs for line in run.notices]
    assert told
    assert all(line.startswith("removed ") for line in told)
    left = attached(reference)
    assert len(left) <= 6 + 2
    # The refusal by the other policy is the newest of its kind: it stays.
    assert sum(item.media_type == FAILED_VERDICT for item in left) == 2
    assert {item.manifest for item in failed.attestations} <= {item.manifest for item in left}
    demands = installed.demands(own, policies=frozenset({runs[-1].verdict.policy.digest}))
    newest = judge(installed, reference, own, good)
    assert gate.verify(reference, demands).attachment in {item.manifest for item in newest.attestations}


def test_where_nothing_is_removed_the_last_place_is_for_a_refusal(
    installed: Installation, olareg: StartOlareg, own: Path, good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ROOM_FROM", 4)
    monkeypatch.setattr(room, "MAX_ATTACHMENTS", 3)
    reference = installed.push("clean", olareg(delete=False).host)
    runs = [judge(installed, reference, own, good, days=night) for night in (5, 4, 3)]
    assert "none can be removed: REG_PUSH" in runs[-1].notices[0]
    before = attached(reference)
    with pytest.raises(RegistryError) as refused:
        judge(installed, reference, own, good, days=2)
    assert refused.value.code == "REG_FULL"
    assert attached(reference) == before
    assert judge(installed, reference, own, bad, days=1).verdict.decision is Decision.REFUSED
    assert sum(item.media_type == FAILED_VERDICT for item in attached(reference)) == 2
