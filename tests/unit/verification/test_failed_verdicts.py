"""A FAILED verdict needs no more than a right signature under an accepted key (attack Y01)."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gate.codec.attachments import split_attestation_file
from gate.codec.vsa import render_summary
from gate.errors import GateError
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.requirement import VerdictSigner
from tests.support.identities import identity, key_signer_of, public_key_of, signer_of
from tests.support.signing import (
    FAIL_KEY,
    FAILED,
    NOW,
    OTHER,
    STRANGER,
    VERIFIER,
    altered_verdict,
    attached,
    bundle_attachment,
    demand,
    demand_verdict,
    summary,
    verdict,
)
from tests.support.virtual_sigstore import Signing, VirtualSigstore

NEWER = NOW - timedelta(minutes=30)
SAYS_FAILED = render_summary(summary(FAILED, at=NEWER))
SAYS_PASSED = render_summary(summary())


def code(*items: Attachment, **rule: Any) -> str:  # noqa: ANN401
    try:
        demand_verdict(attached(*items), demand(**rule), NOW)
    except GateError as error:
        return error.code
    return ""


@pytest.fixture
def vs() -> VirtualSigstore:
    return VirtualSigstore()


def by(*signers: Any) -> tuple[VerdictSigner, ...]:  # noqa: ANN401
    return tuple(VerdictSigner(signer=signer, verifier_id=VERIFIER) for signer in signers)


def by_key(vs: VirtualSigstore, payload: bytes) -> Signing:
    return vs.sign_statement(payload, by_key=True)


def test_y01_a_timestamp_that_no_root_of_the_fail_key_is_given_for(vs: VirtualSigstore) -> None:
    rule = {"failed_by": by(KeySigner(key=public_key_of(vs.key)))}
    assert code(verdict(), vs.stamp(by_key(vs, SAYS_FAILED)).attachment(), **rule) == "ATT_NEWER_FAIL"
    older = render_summary(summary(FAILED, at=NOW - timedelta(hours=2)))
    assert code(verdict(), vs.stamp(by_key(vs, older)).attachment(), **rule) == ""


def test_y01_passed_without_and_failed_with_a_timestamp(vs: VirtualSigstore) -> None:
    rule = {"signed_by": by(KeySigner(key=public_key_of(vs.key)))}
    passed = by_key(vs, SAYS_PASSED).attachment()
    assert code(passed, **rule) == ""
    assert code(passed, vs.stamp(by_key(vs, SAYS_FAILED)).attachment(), **rule) == "ATT_NEWER_FAIL"
    assert code(vs.stamp(by_key(vs, SAYS_FAILED)).attachment(), **rule) == "ATT_VERDICT_FAIL"


def test_y01_an_identity_passes_and_a_stamped_verdict_by_the_fail_key_says_failed(vs: VirtualSigstore) -> None:
    passed = vs.log1(vs.sign_statement(SAYS_PASSED)).attachment()
    other = VirtualSigstore(seed=1)
    rule = {"signed_by": by(signer_of(vs)), "failed_by": by(KeySigner(key=public_key_of(other.key)))}
    assert code(passed, **rule) == ""
    assert code(passed, other.stamp(other.log1(by_key(other, SAYS_FAILED))).attachment(), **rule) == "ATT_NEWER_FAIL"


@pytest.mark.parametrize("window", [{"not_after": NOW - timedelta(days=1)}, {"not_before": NOW + timedelta(days=1)}])
def test_y01_a_fail_key_outside_its_window(window: dict[str, Any]) -> None:
    ended = dataclasses.replace(FAIL_KEY.public_key, **window)
    failed = verdict(summary(FAILED, at=NEWER), FAIL_KEY)
    assert code(verdict(), failed, failed_by=by(KeySigner(key=ended))) == "ATT_NEWER_FAIL"
    passed = verdict(signer=FAIL_KEY)
    assert code(passed, signed_by=by(KeySigner(key=ended)), failed_by=()) == "SIG_EXPIRED"


def without_proof(made: Signing) -> Attachment:
    fields = json.loads(made.bundle())
    del fields["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    return bundle_attachment(json.dumps(fields).encode())


def of_another_log(made: Signing) -> Attachment:
    fields = json.loads(made.bundle())
    fields["verificationMaterial"]["tlogEntries"][0]["logId"]["keyId"] = base64.b64encode(b"\1" * 32).decode()
    return bundle_attachment(json.dumps(fields).encode())


def without_material(made: Signing) -> Attachment:
    return split_attestation_file(json.dumps(json.loads(made.bundle())["dsseEnvelope"]).encode())[0]


def of_an_older_version(made: Signing) -> Attachment:
    return made.altered(media_type="application/vnd.dev.sigstore.bundle+json;version=0.1").attachment()


def with_an_unknown_field(made: Signing) -> Attachment:
    return bundle_attachment(json.dumps({**json.loads(made.bundle()), "unknown": 1}).encode(), FAILED_VERDICT)


def with_many_entries(made: Signing) -> Attachment:
    return made.altered(entries=made.entries * 9).attachment()


def with_another_signature_beside(made: Signing) -> Attachment:
    fields = json.loads(made.bundle())
    fields["dsseEnvelope"]["signatures"].insert(0, {"sig": "AAAA"})
    return bundle_attachment(json.dumps(fields).encode())


def with_foreign_material(made: Signing) -> Attachment:
    fields = json.loads(made.bundle())
    fields["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}}
    return bundle_attachment(json.dumps(fields).encode())


KINDS = (
    without_proof, of_another_log, without_material, of_an_older_version, with_an_unknown_field, with_many_entries,
    with_another_signature_beside, with_foreign_material,
)  # fmt: skip


@pytest.mark.parametrize("change", KINDS)
def test_y01_whatever_disqualifies_a_passed_verdict_by_key(
    vs: VirtualSigstore, change: Callable[[Signing], Attachment]
) -> None:
    rule = {"failed_by": by(key_signer_of(vs))}
    assert code(verdict(), change(vs.log1(by_key(vs, SAYS_FAILED))), **rule) == "ATT_NEWER_FAIL"
    assert code(verdict(), change(vs.log1(by_key(vs, SAYS_FAILED), at=NOW + timedelta(days=1))), **rule) == (
        "ATT_NEWER_FAIL"
    )
    foreign = VirtualSigstore(seed=1)
    assert code(verdict(), change(foreign.log1(by_key(foreign, SAYS_FAILED))), **rule) == ""


@pytest.mark.parametrize("change", [kind for kind in KINDS if kind not in {without_material, with_foreign_material}])
def test_y01_whatever_disqualifies_a_passed_verdict_by_identity(
    vs: VirtualSigstore, change: Callable[[Signing], Attachment]
) -> None:
    rule = {"signed_by": by(signer_of(vs))}
    passed = vs.log1(vs.sign_statement(SAYS_PASSED)).attachment()
    assert code(passed, change(vs.log1(vs.sign_statement(SAYS_FAILED))), **rule) == "ATT_NEWER_FAIL"
    unlogged = vs.sign_statement(SAYS_FAILED).attachment()
    assert code(passed, unlogged, **rule) == "ATT_NEWER_FAIL"
    assert code(vs.sign_statement(SAYS_PASSED).attachment(), **rule) == "SIG_THRESHOLD"


def test_y01_an_identity_of_a_stranger_or_of_another_authority_takes_nothing_back(vs: VirtualSigstore) -> None:
    rule = {"signed_by": by(signer_of(vs))}
    passed = vs.log1(vs.sign_statement(SAYS_PASSED)).attachment()
    stranger = vs.sign_statement(SAYS_FAILED, certificate=vs.issue(vs.leaf(subject="https://elsewhere.example/x")))
    elsewhere = VirtualSigstore(seed=1)
    for foreign in (stranger, elsewhere.sign_statement(SAYS_FAILED)):
        assert code(passed, foreign.attachment(), **rule) == ""
    assert code(passed, vs.sign_statement(SAYS_FAILED).attachment(), signed_by=by(signer_of(vs, identity()))) == (
        "ATT_NEWER_FAIL"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": None},
        {"timeVerified": "yesterday"},
        {"verifier": {}},
        {"verifiedLevels": ["GATE_PASSED"]},
        {"inputAttestations": [{}]},
    ],
    ids=range(5),
)
def test_y01_a_failed_verdict_that_is_written_badly_takes_everything_back(fields: dict[str, Any]) -> None:
    changes = {"verificationResult": "FAILED", "verifiedLevels": ["FAILED"], **fields}
    assert code(verdict(), altered_verdict(changes)) == "ATT_NEWER_FAIL"
    assert code(verdict(), altered_verdict(changes, STRANGER)) == ""


def test_y01_a_bad_failed_verdict_about_another_image_takes_nothing_back() -> None:
    statement = json.loads(altered_verdict({"verificationResult": "FAILED"}).content)
    payload = json.loads(base64.b64decode(statement["dsseEnvelope"]["payload"]))
    assert payload["predicate"]["verificationResult"] == "FAILED"
    other = verdict(summary(FAILED, at=NEWER, subjects=(OTHER,)))
    assert code(verdict(), other) == ""
    assert code(verdict(), verdict(summary(FAILED, at=NEWER, policy_digest=Digest.of(b"x")))) == ""
