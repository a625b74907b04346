"""What rows say is held against what was signed: `gate audit verify --key`, over verdicts that `gate check` signed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import gate
from gate.cli.main import cli
from gate.model.decision import Decision
from tests.integration.conftest import Shop
from tests.support.installation import Installation

pytestmark = pytest.mark.real_tools


def verify(own: Path, *words: str) -> Result:
    """Run `gate audit verify` over the record of a test."""
    result = CliRunner().invoke(
        cli,
        ["audit", "verify", "--record", str(own / "record.db"), *words],
        env={"XDG_STATE_HOME": str(own / "state")},
    )
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def record(shop: Shop, installed: Installation, own: Path) -> Path:
    """Return the folder of a record with a passed and a refused verdict, and their evidence beside it."""
    options = installed.options(own)
    options = replace(options, places=replace(options.places, evidence=own / "evidence"))
    decisions = [
        gate.check(shop.reference(name, f"audit/{name}"), options).verdict.decision for name in ("clean", "setuid")
    ]
    assert decisions == [Decision.PASSED, Decision.REFUSED]
    return own


def test_every_verdict_verifies_under_the_key_that_signed_it(installed: Installation, record: Path) -> None:
    result = verify(record, "--key", str(installed.public_key_file()))
    assert result.exit_code == 0, result.stdout + result.stderr


def test_another_key_is_told_row_by_row(installed: Installation, record: Path) -> None:
    result = verify(record, "--key", str(installed.public_key_file("stranger")), "-f", "json")
    assert result.exit_code == 3
    assert "its attestation does not verify" in result.stdout + result.stderr
    assert json.loads(result.stdout)["exitCode"] == 3


def test_a_row_whose_signed_words_are_gone_is_told(installed: Installation, record: Path) -> None:
    for path in (record / "evidence" / "sha256").rglob("*.zst"):
        path.unlink()
    result = verify(record, "--key", str(installed.public_key_file()))
    assert result.exit_code == 3
    assert "STORE_CORRUPT: evidence is missing from the record" in result.stdout
