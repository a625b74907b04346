"""What `gate check` recorded of real images is decided again from the record alone, and comes to the same bytes."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

import gate
from gate.audit.replay import replay
from gate.model.decision import Decision
from gate.pipeline.options import AdHoc
from gate.pipeline.policies import load_policy
from gate.store.record import open_record
from tests.integration.conftest import Shop
from tests.support.installation import Installation, shop_policy
from tests.support.recorded import minute
from tests.support.signing import NOW
from tests.support.sources import ROOT

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

IMAGES = ("clean", "index-good", "setuid", "secret-env", "unsigned")


def test_real_verdicts_are_decided_again_from_the_record_alone(
    shop: Shop, installed: Installation, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = installed.options(own)
    for name in IMAGES:
        gate.check(shop.reference(name, f"replay/{name}", signed=name != "unsigned"), options)
    # The record and nothing else, in another place.
    shutil.copy(own / "record.db", tmp_path / "record.db")
    shutil.copytree(installed.places(own).evidence, tmp_path / "evidence")
    for name in ("socket", "create_connection"):
        monkeypatch.setattr(socket, name, None)
    monkeypatch.setattr(subprocess, "Popen", None)
    schema = json.loads((ROOT / "schemas" / "stored-evidence.schema.json").read_text(encoding="utf-8"))
    with closing(open_record(str(tmp_path / "record.db"), tmp_path / "evidence")) as record:
        rows = [row for row in record.rows() if row.kind == "verdict"]
        replays = [replay(record, row, minute()) for row in rows]
        for row in rows:
            kept = record.evidence.get(row.view().object("evidence").digest("collected"))
            jsonschema.Draft202012Validator(schema).validate(json.loads(kept))
    assert [again.identical for again in replays] == [True] * len(IMAGES)
    assert {again.verdict.decision for again in replays} == {Decision.PASSED, Decision.REFUSED}


def test_another_policy_is_put_to_what_was_kept(shop: Shop, installed: Installation, own: Path) -> None:
    options = installed.options(own)
    gate.check(shop.reference("setuid", "replay/other"), options)
    path = own / "loose.yaml"
    path.write_bytes(shop_policy(installed, image={"user": "any"}))
    for key in sorted(installed.policy.parent.rglob("*.pub")):
        target = own / key.relative_to(installed.policy.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(key, target)
    loose = load_policy(path, AdHoc(), NOW)
    with closing(open_record(options.places.record, options.places.evidence)) as record:
        row = next(row for row in record.rows() if row.kind == "verdict")
        again = replay(record, row, minute(), loaded=loose)
    assert (again.recorded.decision, again.verdict.decision) == (Decision.REFUSED, Decision.PASSED)
    fresh = gate.check(row.view().text("reference"), dataclasses.replace(options, policy=path))
    assert fresh.verdict.decision is again.verdict.decision
