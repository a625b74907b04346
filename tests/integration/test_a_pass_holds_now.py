"""A pass holds now (DESIGN, rule 11): every date that a policy can hold turns the verdict on the day that it comes.

Each row is one ground with an end. The first run passes before it; the second, with nothing changed but the clock, comes after it
and well before half of the verdict's own life, and refuses or cannot judge. A run just before the end gives the pass again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import gate
from gate.clock import Clock
from gate.model.decision import Decision
from tests.integration.conftest import Shop
from tests.support.installation import Installation, shop_policy
from tests.support.policies import policy_document
from tests.support.runs import codes

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

DAY: Final = timedelta(days=1)
ATTEST: Final = {"verifierId": "https://gate.example/ci", "maxAge": "365d"}
NONE: Final[Mapping[str, Any]] = {"signature": None, "vulnerabilities": None, "secrets": None, "image": None}
WAIVER: Final[Mapping[str, Any]] = {
    "id": "W-1", "check": "image-user", "match": {}, "reason": "moves next week", "owner": "shop",
    "approvedBy": "security",
}  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """What a pass rests on: the image, the policy's sections as they are `days` before the ground ends, and the code after it."""

    image: str
    days: int
    code: str
    sections: Mapping[str, Any]


def on(days: int) -> str:
    """Return the last day on which something holds: it ends at 24:00 UTC of that day."""
    return f"{datetime.now(UTC) + (days - 1) * DAY:%Y-%m-%d}"


def grounds(installed: Installation, host: str) -> dict[str, Ground]:
    key = {"pem": installed.public_key_file("build").read_text(encoding="utf-8")}
    signature = [{"images": "**", "anyOf": [{"key": {**key, "notAfter": on(5)}}]}]
    waiver = {**WAIVER, "images": f"{host}/grounds/**", "match": {"code": "IMG_USER_ROOT"}, "expires": on(5)}
    rule = {"id": "small", "cel": "image.size < 1", "message": "too large", "from": on(6)}
    return {
        "rule": Ground("clean", 5, "RULE_VIOLATED", {"image": {"user": "any"}, "rules": [rule]}),
        "waiver": Ground("root-user", 5, "IMG_USER_ROOT", {"image": {"user": "non-root"}, "waivers": [waiver]}),
        "key": Ground("clean", 5, "SIG_EXPIRED", {"signature": signature}),
        "age": Ground("clean", 5, "IMG_TOO_OLD", {"image": {"user": "any", "maxAge": "5d"}}),
        "database": Ground(
            "clean", 2, "SCAN_DB_STALE", {"vulnerabilities": {"failOn": "critical", "databaseMaxAge": "48h"}}
        ),
    }


@pytest.mark.parametrize("name", ["waiver", "key", "age", "database", "rule"])
def test_it_ends_with_its_ground(name: str, shop: Shop, installed: Installation, own: Path) -> None:
    ground = grounds(installed, shop.registry.host)[name]
    policy = own / "policy.yaml"
    policy.write_bytes(shop_policy(installed, **{**NONE, "attest": ATTEST, **ground.sections}))
    options = installed.options(own, policy=policy)
    reference = shop.reference(ground.image, f"grounds/{name}")
    first = gate.check(reference, options)
    assert (first.verdict.decision, first.reused) == (Decision.PASSED, False), codes(first)

    def at(offset: timedelta) -> Any:  # noqa: ANN401
        now = datetime.now(UTC).replace(hour=23, minute=0) if name in {"waiver", "key", "rule"} else datetime.now(UTC)
        return gate.check(reference, options, clock=Clock(now=lambda: now + offset))

    before = at(timedelta(days=ground.days - 1) - timedelta(hours=1))
    assert (before.verdict.decision, before.reused, before.attestations) == (Decision.PASSED, True, first.attestations)
    after = at(timedelta(days=ground.days) + timedelta(hours=2))
    assert after.verdict.decision is not Decision.PASSED
    assert codes(after) == {ground.code}
    assert not after.reused


def test_what_is_refused_now_may_pass_later_without_a_new_scan(shop: Shop, installed: Installation, own: Path) -> None:
    """The other way round: a rule whose grounds come back is decided again, too, and the evidence is not collected again."""
    policy = own / "policy.json"
    policy.write_text(
        json.dumps(policy_document(image={"user": "any", "maxAge": "5d"}, attest=ATTEST)), encoding="utf-8"
    )
    options = installed.options(own, policy=policy)
    reference = shop.reference("clean", "grounds/back")
    late = Clock(now=lambda: datetime.now(UTC) + 6 * DAY)
    assert codes(gate.check(reference, options, clock=late)) == {"IMG_TOO_OLD"}
    now = gate.check(reference, dataclasses.replace(options, offline=False))
    assert (now.verdict.decision, now.reused) == (Decision.PASSED, False)
