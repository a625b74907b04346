"""Which signatures satisfy an entry of the policy: all conditions on one of them."""

from __future__ import annotations

import dataclasses

import pytest

from gate.codec.vsa import render_summary
from gate.errors import GateError
from gate.model.attachment import FAILED_VERDICT, Attachment, Attachments
from gate.model.glob import Glob
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.model.string_map import StringMap
from gate.signers.file_key import FileSigner
from gate.verification.match import match_signatures
from tests.support.signing import (
    FAIL_KEY,
    FAILED,
    GATE,
    NOW,
    OTHER,
    STRANGER,
    attached,
    bundle_attachment,
    image_bundle,
    image_tag_layer,
    signed,
    summary,
    verdict,
)


def signers(*keys: FileSigner) -> tuple[KeySigner, ...]:
    return tuple(KeySigner(key=key.public_key) for key in keys)


def any_of(*keys: FileSigner, **annotations: str) -> SignatureRule:
    return SignatureRule(images=Glob("**"), any_of=signers(*keys), annotations=StringMap.of(annotations))


def all_of(*keys: FileSigner, **annotations: str) -> SignatureRule:
    return SignatureRule(images=Glob("**"), all_of=signers(*keys), annotations=StringMap.of(annotations))


def refusal(rule: SignatureRule, *items: Attachment) -> str:
    with pytest.raises(GateError) as refused:
        match_signatures(attached(*items), rule, NOW)
    return refused.value.code


def test_one_of_several_keys_is_enough() -> None:
    for signer in (GATE, FAIL_KEY):
        (found,) = match_signatures(attached(image_bundle(signer)), any_of(GATE, FAIL_KEY), NOW)
        assert found.key == signer.public_key
    assert refusal(any_of(GATE, FAIL_KEY), image_bundle(STRANGER)) == "SIG_INVALID"


def test_all_of_several_keys_must_sign() -> None:
    both = attached(image_bundle(GATE), image_tag_layer(FAIL_KEY))
    found = match_signatures(both, all_of(GATE, FAIL_KEY), NOW)
    assert [item.key for item in found] == [GATE.public_key, FAIL_KEY.public_key]
    assert refusal(all_of(GATE, FAIL_KEY), image_bundle(GATE), image_bundle(GATE)) == "SIG_INVALID"


def test_both_formats_are_judged_together() -> None:
    """Cosign refuses a legacy-signed image that has one bundle by another key; the union is judged here."""
    assert match_signatures(attached(image_bundle(STRANGER), image_tag_layer(GATE)), any_of(GATE), NOW)


def test_s17_nothing_to_verify_is_no_success() -> None:
    assert refusal(any_of(GATE)) == "SIG_MISSING"
    assert refusal(SignatureRule(images=Glob("**")), image_bundle(GATE)) == "ID_MISMATCH"
    assert match_signatures(attached(image_bundle(GATE)), any_of(GATE), NOW)


def test_s22_conditions_that_only_two_signatures_meet_together_are_not_met() -> None:
    rule = any_of(GATE, env="prod")
    halves = (image_bundle(GATE), image_bundle(STRANGER, annotations={"env": "prod"}))
    assert refusal(rule, *halves) == "SIG_NO_SINGLE_MATCH"
    assert refusal(rule, *reversed(halves)) == "SIG_NO_SINGLE_MATCH"
    assert match_signatures(attached(*halves, image_bundle(GATE, annotations={"env": "prod"})), rule, NOW)


def test_s22_two_annotations_on_two_signatures_are_not_met() -> None:
    rule = any_of(GATE, env="prod", team="web")
    halves = (image_tag_layer(annotations={"env": "prod"}), image_bundle(annotations={"team": "web"}))
    assert refusal(rule, *halves) == "SIG_NO_SINGLE_MATCH"
    whole = image_tag_layer(annotations={"env": "prod", "team": "web", "more": "x"})
    assert match_signatures(attached(*halves, whole), rule, NOW)


def test_an_annotation_that_nobody_signed_is_missing() -> None:
    assert refusal(any_of(GATE, env="prod"), image_bundle(annotations={"env": "staging"})) == "SIG_ANNOTATION"
    unsigned = dataclasses.replace(image_bundle(), annotations=StringMap.of({"env": "prod"}))
    assert refusal(any_of(GATE, env="prod"), unsigned) == "SIG_ANNOTATION"


@pytest.mark.parametrize(
    "item",
    [
        verdict(),
        verdict(summary(FAILED)),
        dataclasses.replace(verdict(summary(FAILED)), media_type=FAILED_VERDICT),
        signed(b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"'
               + b"0" * 64 + b'"}}],"predicateType":"https://spdx.dev/Document","predicate":{}}'),
        dataclasses.replace(image_bundle(), media_type=FAILED_VERDICT),
    ],
    ids=["passed", "failed", "failed-type", "spdx", "signature-under-the-failed-type"],
)  # fmt: skip
def test_an_attestation_by_the_demanded_key_is_no_signature(item: Attachment) -> None:
    assert refusal(any_of(GATE), item) == "SIG_MISSING"
    assert match_signatures(attached(item, image_bundle()), any_of(GATE), NOW)


def test_junk_beside_a_good_signature_does_not_hide_it() -> None:
    junk = (bundle_attachment(b"{"), bundle_attachment(b"", "application/octet-stream"), image_bundle(digest=OTHER))
    assert match_signatures(attached(*junk, image_bundle()), any_of(GATE), NOW)
    assert refusal(any_of(GATE), junk[0]) == "SIG_MALFORMED"
    assert refusal(any_of(GATE), *junk) == "SIG_SUBJECT_MISMATCH"


def test_a_payload_that_does_not_parse_stays_a_candidate_and_claims_nothing() -> None:
    rule = any_of(GATE, env="prod")
    assert refusal(rule, signed(b"{")) == "ATT_MALFORMED"
    assert refusal(rule, signed(b"{"), image_tag_layer()) == "SIG_ANNOTATION"


def test_the_reason_is_that_of_the_candidate_that_came_furthest() -> None:
    items = (bundle_attachment(b"{"), image_bundle(STRANGER), image_bundle(digest=OTHER))
    for order in (items, items[::-1]):
        assert refusal(any_of(GATE), *order) == "SIG_SUBJECT_MISMATCH"


def test_s23_more_attachments_than_are_looked_at_refuse() -> None:
    assert refusal(any_of(GATE), *(image_bundle(),) * 501) == "LIMIT_SIGNATURES"
    assert match_signatures(attached(*(image_bundle(),) * 500), any_of(GATE), NOW)
    foreign = (bundle_attachment(b"{"), verdict())
    assert match_signatures(attached(*foreign * 300, image_bundle()), any_of(GATE), NOW)


def test_s24_a_giant_payload_is_refused_unread() -> None:
    giant = dataclasses.replace(image_tag_layer(), content=b" " * (4 * 1024 * 1024 + 1))
    assert refusal(any_of(GATE), giant) == "LIMIT_BUNDLE"
    assert refusal(any_of(GATE), bundle_attachment(giant.content)) == "LIMIT_BUNDLE"


def test_a04_a_listing_under_another_digest_binds_nothing() -> None:
    moved = Attachments(digest=OTHER, items=(image_bundle(), image_tag_layer()))
    with pytest.raises(GateError) as refused:
        match_signatures(moved, any_of(GATE), NOW)
    assert refused.value.code == "SIG_SUBJECT_MISMATCH"


def test_the_evidence_of_verdicts_counts_for_nothing_in_the_message() -> None:
    with pytest.raises(GateError) as refused:
        match_signatures(attached(signed(render_summary(summary()))), any_of(GATE), NOW)
    assert "none of them a signature" in refused.value.seen
