"""Identities where keys could stand: verdicts, their evidence, image signatures of several signers, witnesses."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from gate.codec.statement import render_cosign_statement, render_statement
from gate.codec.vsa import render_summary
from gate.errors import GateError
from gate.model.attachment import Attachment
from gate.model.evidence_demand import EvidenceDemand
from gate.model.glob import Glob
from gate.model.policy_signers import KeySigner, SignatureRule, Signer
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE, VerdictSigner
from gate.model.statement import NamedSubject
from gate.model.string_map import StringMap
from gate.model.trust import Trust, Witness
from gate.verification.match import match_signatures
from tests.support.identities import (
    LOGGED_AT,
    STATEMENT,
    answer,
    identity,
    key_signer_of,
    public_key_of,
    signer_of,
    trust_in,
)
from tests.support.signing import (
    FAILED,
    GATE,
    IMAGE,
    NOW,
    POLICY,
    VERIFIER,
    attached,
    demand,
    demand_verdict,
    image_bundle,
    summary,
    verdict,
)
from tests.support.virtual_log import Witness as VirtualWitness
from tests.support.virtual_sigstore import ISSUER, MINUTE, SUBJECT, VirtualSigstore

EVIDENCE = render_statement(
    (NamedSubject(name="registry.example/shop/web", digest=IMAGE),),
    DEFAULT_EVIDENCE_TYPE,
    {
        "schemaVersion": "1.0",
        "verdict": "PASSED",
        "evaluatedAt": "2026-03-01T11:00:00Z",
        "policy": {"name": "test", "uri": "gate-policy:test", "digest": str(POLICY)},
        "environments": [],
        "checks": [{"id": "reference", "outcome": "pass"}],
        "tools": [],
        "reports": [],
    },
)
V01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"


@pytest.fixture
def vs() -> VirtualSigstore:
    return VirtualSigstore()


def made(vs: VirtualSigstore, payload: bytes | None = None, **leaf: Any) -> Attachment:  # noqa: ANN401
    certificate = vs.issue(vs.leaf(**leaf))
    content = payload if payload is not None else render_summary(summary())
    return vs.log1(vs.sign_statement(content, certificate=certificate)).attachment()


def signed_by(*signers: Signer, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"signed_by": tuple(VerdictSigner(signer=signer, verifier_id=VERIFIER) for signer in signers), **more}


def code(*items: Attachment, **rule: Any) -> str:  # noqa: ANN401
    try:
        demand_verdict(attached(*items), demand(**rule), NOW)
    except GateError as error:
        return error.code
    return ""


def test_a_verdict_by_an_identity_counts_at_the_log_s_time(vs: VirtualSigstore) -> None:
    found = demand_verdict(attached(made(vs)), demand(**signed_by(signer_of(vs)), require_timestamp=True), NOW)
    assert (found.at, found.trusted) == (LOGGED_AT, True)
    assert found.signature.identity is not None
    assert (found.signature.identity.subject, found.signature.identity.issuer) == (SUBJECT, ISSUER)
    assert found.signature.signer == f"{SUBJECT} by {ISSUER}"


def test_a18_the_pair_of_identity_and_verifier_is_one(vs: VirtualSigstore) -> None:
    accepted = signed_by(signer_of(vs))
    assert code(made(vs), **accepted) == ""
    assert code(made(vs, subject="somebody@shop.example"), **accepted) == "ID_MISMATCH"
    assert code(made(vs, issuer="https://issuer.example"), **accepted) == "ID_ISSUER"
    other = render_summary(summary(verifier_id="https://gate.example/verifier/other"))
    assert code(made(vs, other), **accepted) == "ID_MISMATCH"
    assert code(verdict(), **accepted) == "ID_MISMATCH"
    assert code(made(vs), **signed_by(KeySigner(key=GATE.public_key))) == "ID_MISMATCH"


def test_an_identity_for_failed_verdicts_says_only_failed(vs: VirtualSigstore) -> None:
    fails = identity(subject="fails@shop.example")
    rule = signed_by(signer_of(vs), failed_by=(VerdictSigner(signer=signer_of(vs, fails)),))
    passed = made(vs, subject="fails@shop.example")
    assert code(passed, **rule) == "ID_MISMATCH"
    failed = made(vs, render_summary(summary(FAILED, at=NOW - timedelta(minutes=50))), subject="fails@shop.example")
    assert code(made(vs), failed, **rule) == "ATT_NEWER_FAIL"
    assert code(made(vs), **rule) == ""


def test_s11_a_promise_is_not_enough_for_a_verdict(vs: VirtualSigstore) -> None:
    accepted = signed_by(signer_of(vs))
    statement = vs.sign_statement(render_summary(summary()))
    old = vs.log1(statement).altered(media_type=V01)
    assert code(old.attachment(), **accepted) == "SIG_BUNDLE_VERSION"
    assert code(vs.legacy_attestation(statement), **accepted) == "SIG_INCLUSION"
    assert code(vs.log1(statement).attachment(), **accepted) == ""


def image_code(item: Attachment, *signers: Signer, **rule: Any) -> str:  # noqa: ANN401
    try:
        match_signatures(attached(item), SignatureRule(images=Glob("**"), any_of=signers, **rule), NOW)
    except GateError as error:
        return error.code
    return ""


def test_a_signer_whose_root_is_empty_is_no_signer_and_hides_no_other(vs: VirtualSigstore) -> None:
    empty = signer_of(vs, timestampAuthorities=[], tlogs=[])
    item = made(vs, STATEMENT)
    assert image_code(item, empty) == "ROOT_EMPTY"
    assert image_code(item, empty, signer_of(vs)) == ""
    assert image_code(image_bundle(), empty, KeySigner(key=GATE.public_key)) == ""
    assert code(made(vs), **signed_by(empty, signer_of(vs))) == ""
    assert code(made(vs), **signed_by(empty)) == "ROOT_EMPTY"


def test_s22_all_conditions_are_met_by_one_signature(vs: VirtualSigstore) -> None:
    annotated = made(vs, render_cosign_statement(IMAGE, {"env": "prod"}), subject="somebody@shop.example")
    plain = made(vs, STATEMENT)
    rule = SignatureRule(images=Glob("**"), any_of=(signer_of(vs),), annotations=StringMap.of({"env": "prod"}))
    with pytest.raises(GateError) as refused:
        match_signatures(attached(annotated, plain), rule, NOW)
    assert refused.value.code == "SIG_NO_SINGLE_MATCH"
    good = made(vs, render_cosign_statement(IMAGE, {"env": "prod"}))
    (found,) = match_signatures(attached(annotated, plain, good), rule, NOW)
    assert dict(found.annotations) == {"env": "prod"}


def test_the_counts_of_a_rule_stand_over_those_of_the_root(vs: VirtualSigstore) -> None:
    item = vs.stamp(vs.log1(vs.sign_statement(STATEMENT))).attachment()
    assert image_code(item, signer_of(vs), timestamps=1) == ""
    assert image_code(item, signer_of(vs), timestamps=2) == "SIG_THRESHOLD"
    assert image_code(item, signer_of(vs), log=2) == "SIG_THRESHOLD"
    stamped = vs.stamp(vs.sign_statement(STATEMENT)).attachment()
    assert image_code(stamped, signer_of(vs)) == "SIG_THRESHOLD"
    assert image_code(stamped, signer_of(vs), log=0, timestamps=1) == ""


def test_a_key_s_log_and_timestamps_are_demanded_under_its_root(vs: VirtualSigstore) -> None:
    bare = vs.sign_statement(STATEMENT, by_key=True)
    full = vs.stamp(vs.log1(bare))
    trusted = key_signer_of(vs)
    assert image_code(bare.attachment(), trusted) == ""
    assert image_code(full.attachment(), trusted, log=1, timestamps=1) == ""
    assert image_code(bare.attachment(), trusted, log=1) == "SIG_THRESHOLD"
    assert image_code(vs.log1(bare).attachment(), trusted, log=1, timestamps=1) == "SIG_THRESHOLD"
    alone = KeySigner(key=public_key_of(vs.key))
    assert image_code(full.attachment(), alone) == "SIG_TSA_UNTRUSTED"
    assert image_code(bare.attachment(), alone, log=1) == "ROOT_EMPTY"


def test_github_s_private_instance_has_timestamps_and_no_log(vs: VirtualSigstore) -> None:
    demanded = EvidenceDemand(logs=0, timestamps=1, sct=False)
    who = signer_of(vs, demand=demanded, tlogs=[], ctlogs=[])
    unlogged = vs.issue(vs.leaf(logged=False))
    item = vs.stamp(vs.sign_statement(STATEMENT, certificate=unlogged))
    assert answer(item, who) == ""
    assert answer(item.altered(timestamps=()), who) == "SIG_THRESHOLD"


WITNESSES = tuple(
    VirtualWitness(name=f"w{number}.example", key=ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number in range(3)
)


def watching(vs: VirtualSigstore, count: int, *names: int) -> Signer:
    known = tuple(
        Witness(
            name=WITNESSES[number].name,
            hint=WITNESSES[number].key_id,
            key=public_key_of(WITNESSES[number].key),
        )
        for number in names
    )
    trust = trust_in(vs)
    watched = Trust(name=trust.name, root=trust.root, demand=trust.demand, witnesses=known, witnessed=count)
    return dataclasses.replace(signer_of(vs), trust=watched)


def test_witnesses_are_counted_each_once_and_only_those_that_are_named(vs: VirtualSigstore) -> None:
    vs.rekor2 = vs.rekor2.copy(witnesses=(WITNESSES[0], WITNESSES[0], WITNESSES[1]))
    item = vs.stamp(vs.log2(vs.sign_statement(STATEMENT)))
    assert answer(item, watching(vs, 2, 0, 1, 2)) == ""
    assert answer(item, watching(vs, 3, 0, 1, 2)) == "SIG_INCLUSION"
    assert answer(item, watching(vs, 1, 2)) == "SIG_INCLUSION"
    assert answer(item, watching(vs, 1, 0)) == ""
    pretended = VirtualWitness(name=WITNESSES[2].name, key=WITNESSES[0].key)
    vs.rekor2 = vs.rekor2.copy(witnesses=(pretended,))
    assert answer(vs.stamp(vs.log2(vs.sign_statement(STATEMENT))), watching(vs, 1, 2)) == "SIG_INCLUSION"


def test_a_time_after_now_is_none_and_a_slow_clock_is_borne(vs: VirtualSigstore) -> None:
    item = vs.log1(vs.sign_statement(STATEMENT))
    assert answer(item, signer_of(vs), now=LOGGED_AT - 5 * MINUTE) == ""
    assert answer(item, signer_of(vs), now=LOGGED_AT - 6 * MINUTE) == "SIG_TLOG_INVALID"
    # Years later nothing has changed: what counts are the verified times.
    assert answer(item, signer_of(vs), now=NOW + timedelta(days=3000)) == ""
