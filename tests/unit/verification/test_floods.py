"""Attachments that cost much to verify, by strangers: whose a signature is is asked first (attack Y03)."""

from __future__ import annotations

from typing import Any

import pytest

from gate.codec.vsa import render_summary
from gate.model.attachment import Attachment
from gate.model.glob import Glob
from gate.model.policy_signers import SignatureRule
from gate.model.requirement import VerdictSigner
from gate.verification import log
from gate.verification.demand import judge_verdicts
from gate.verification.match import match_signatures
from tests.support.identities import STATEMENT, identity, signer_of
from tests.support.signing import NOW, VERIFIER, attached, demand, summary
from tests.support.virtual_sigstore import VirtualSigstore

SIGNERS = 10


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each log entry that is verified."""
    seen: list[str] = []
    verify = log.verify_entry

    def noted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        seen.append("entry")
        return verify(*arguments, **named)

    monkeypatch.setattr(log, "verify_entry", noted)
    return seen


def logged(vs: VirtualSigstore, payload: bytes, **leaf: Any) -> Attachment:  # noqa: ANN401
    made = vs.sign_statement(payload, certificate=vs.issue(vs.leaf(**leaf)))
    for _ in range(8):
        made = vs.log1(made)
    return made.attachment()


def test_y03_a_flood_of_foreign_signatures_costs_no_log_entry(verified: list[str]) -> None:
    vs = VirtualSigstore()
    signers = [signer_of(vs), *(signer_of(vs, identity(subject=f"https://x.example/{n}")) for n in range(SIGNERS))]
    stranger = logged(vs, STATEMENT, subject="https://elsewhere.example/x")
    rule = SignatureRule(images=Glob("**"), any_of=tuple(signers))
    assert match_signatures(attached(*(stranger,) * 400, logged(vs, STATEMENT)), rule, NOW)
    assert len(verified) == 8


def test_y03_a_flood_of_foreign_verdicts_costs_no_log_entry(verified: list[str]) -> None:
    vs = VirtualSigstore()
    signers = [signer_of(vs), *(signer_of(vs, identity(subject=f"https://x.example/{n}")) for n in range(SIGNERS))]
    stranger = logged(vs, render_summary(summary()), subject="https://elsewhere.example/x")
    asked = demand(signed_by=tuple(VerdictSigner(signer=signer, verifier_id=VERIFIER) for signer in signers))
    items = attached(*(stranger,) * 100, logged(vs, render_summary(summary())))
    assert judge_verdicts(items, asked, NOW).standing is not None
    assert len(verified) == 8
