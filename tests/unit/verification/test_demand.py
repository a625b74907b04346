"""What a deploy stage demands of verdicts; tests are named after the rows of the attack table that they hold against."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from gate.codec.attachments import split_attestation_file
from gate.codec.bundle import render_key_bundle
from gate.codec.dsse import IN_TOTO_PAYLOAD
from gate.codec.statement import render_statement
from gate.codec.verdict_manifest import attestation_layer, render_envelope_file
from gate.codec.vsa import render_summary
from gate.errors import GateError
from gate.model.attachment import DSSE_ENVELOPE, FAILED_VERDICT, Attachment, AttachmentSource
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.reference import Repository
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE, VerdictSigner
from gate.model.statement import VERIFICATION_SUMMARY, NamedSubject
from gate.model.string_map import StringMap
from gate.signers.signing import sign_statement
from gate.verification.verdict import VerdictDemand, VerifiedVerdict
from tests.support.signing import (
    CHILD,
    FAIL_KEY,
    FAILED,
    GATE,
    IMAGE,
    NOW,
    OTHER,
    POLICY,
    REPOSITORY,
    STRANGER,
    VERIFIER,
    altered_verdict,
    attached,
    bundle_attachment,
    demand,
    demand_verdict,
    envelope,
    image_bundle,
    image_tag_layer,
    rule,
    signed,
    summary,
    verdict,
)

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def accepted(*items: Attachment, asked: VerdictDemand | None = None) -> VerifiedVerdict:
    return demand_verdict(attached(*items), asked or demand(), NOW)


def refusal(*items: Attachment, asked: VerdictDemand | None = None) -> str:
    with pytest.raises(GateError) as refused:
        demand_verdict(attached(*items), asked or demand(), NOW)
    return refused.value.code


def statement_of(kind: str, digest: Digest = IMAGE) -> bytes:
    return render_statement((NamedSubject(name="x", digest=digest),), kind, {})


def test_a_good_verdict_is_accepted_with_what_it_says() -> None:
    item = verdict()
    found = accepted(item)
    assert (found.passed, found.at, found.trusted) == (True, NOW - HOUR, False)
    assert (found.signature.key, found.signature.digest) == (GATE.public_key, Digest.of(item.content))
    assert found.summary == summary()


def test_nothing_attached_is_missing_and_an_image_signature_is_no_attestation() -> None:
    assert refusal() == "ATT_MISSING"
    assert refusal(image_bundle(), image_tag_layer()) == "ATT_MISSING"
    assert accepted(image_bundle(), image_tag_layer(), verdict()).passed


def test_every_place_is_read() -> None:
    payload = render_summary(summary())
    made = sign_statement(GATE, payload)
    layer = attestation_layer(made.envelope, VERIFICATION_SUMMARY)
    under_tag = Attachment(
        source=AttachmentSource.LEGACY_ATTESTATION,
        media_type=DSSE_ENVELOPE,
        content=layer.content,
        annotations=StringMap.of(layer.annotations),
    )
    (bare,) = split_attestation_file(render_envelope_file(made.envelope))
    (bundle,) = split_attestation_file(made.bundle)
    hidden = bundle_attachment(made.bundle, FAILED_VERDICT)
    for item in (under_tag, bare, bundle, hidden):
        assert accepted(item).passed


def test_a01_another_type_is_not_the_demanded_one() -> None:
    spdx = signed(statement_of("https://spdx.dev/Document"), STRANGER)
    assert refusal(spdx) == "ATT_TYPE_MISSING"
    assert refusal(signed(statement_of(DEFAULT_EVIDENCE_TYPE))) == "ATT_TYPE_MISSING"
    assert accepted(spdx, verdict()).passed


@pytest.mark.parametrize("payload", [b"{", b"null", b"[]", b"", b'"text"', b"{}"])
def test_a02_a_signed_payload_that_is_no_statement_is_malformed(payload: bytes) -> None:
    assert refusal(signed(payload)) == "ATT_MALFORMED"
    made = envelope(payload, IN_TOTO_PAYLOAD)
    (bare,) = split_attestation_file(render_envelope_file(made))
    assert refusal(bare) == "ATT_MALFORMED"


def test_a03_a_verdict_of_another_digest_is_refused() -> None:
    assert refusal(verdict(summary(subjects=(OTHER,)))) == "ATT_SUBJECT_MISMATCH"
    assert accepted(verdict(summary(subjects=(OTHER, IMAGE)))).passed


def test_a04_a_listing_under_the_asked_digest_binds_nothing() -> None:
    assert refusal(verdict(summary(subjects=(CHILD,)))) == "ATT_SUBJECT_MISMATCH"
    assert accepted(verdict(summary(subjects=(CHILD,))), asked=demand(CHILD)).passed


@pytest.mark.parametrize(
    "subjects",
    [
        [],
        None,
        [{"name": "x", "digest": {"sha512": "0" * 128}}],
        [{"name": "x", "digest": {"SHA256": IMAGE.hex}}],
        [{"name": "x", "digest": {"gitCommit": "0" * 40}}],
        [{"name": "x", "digest": {}}],
        [{"name": "x"}],
        [{"name": "x", "digest": {"sha256": IMAGE.hex.upper()}}],
        [{"name": "x", "digest": {"sha256": str(IMAGE)}}],
        [{"name": "x", "digest": {"sha256": IMAGE.hex, "sha512": "0" * 128}}],
        [{"digest": {"sha256": IMAGE.hex}}],
        [{"name": "x", "digest": {"sha256": IMAGE.hex}}] * 2,
        [{"name": "x", "digest": {"sha256": f"{number:064x}"}} for number in range(130)],
    ],
    ids=range(13),
)
def test_a05_subjects_of_another_shape_are_refused(subjects: object) -> None:
    statement = json.loads(render_summary(summary()))
    statement["subject"] = subjects
    assert refusal(signed(json.dumps(statement).encode())) == "ATT_SUBJECT"


def test_a05_an_index_and_32_children_are_accepted() -> None:
    children = tuple(Digest.of(bytes([number])) for number in range(32))
    assert accepted(verdict(summary(subjects=(IMAGE, *children)))).passed


def test_a06_the_payload_type_is_compared_before_the_payload_is_parsed() -> None:
    payload = render_summary(summary())
    for kind in ("text/plain", "application/json", "application/vnd.in-toto+json; x", ""):
        made = render_key_bundle(envelope(payload, kind), GATE.public_key)
        assert refusal(bundle_attachment(made)) == "ATT_PAYLOAD_TYPE"
    unread = render_key_bundle(envelope(b"{", "text/plain"), GATE.public_key)
    assert refusal(bundle_attachment(unread)) == "ATT_PAYLOAD_TYPE"


@pytest.mark.parametrize(
    "kind",
    [
        "vsa",
        VERIFICATION_SUMMARY + "/",
        VERIFICATION_SUMMARY.upper(),
        VERIFICATION_SUMMARY + "?x",
        VERIFICATION_SUMMARY.replace("v1", "v0.1"),
        VERIFICATION_SUMMARY.replace("https", "http"),
        VERIFICATION_SUMMARY + " ",
    ],
)
def test_a07_a_type_that_looks_like_the_demanded_one_is_another(kind: str) -> None:
    statement = json.loads(render_summary(summary()))
    statement["predicateType"] = kind
    assert refusal(signed(json.dumps(statement).encode())) == "ATT_TYPE"


@pytest.mark.parametrize("kind", ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v2", ""])
def test_a07_a_verdict_is_a_statement_v1(kind: str) -> None:
    statement = json.loads(render_summary(summary()))
    statement["_type"] = kind
    assert refusal(signed(json.dumps(statement).encode())) == "ATT_TYPE"


@pytest.mark.parametrize("word", [None, "pass", "passed", "PASSED ", "PASS", True, 1, ["PASSED"], "", "WARNED"])
def test_a08_what_is_not_literally_passed_is_no_verdict(word: object) -> None:
    assert refusal(altered_verdict({"verificationResult": word})) == "ATT_MALFORMED"


def test_a08_a_failed_verdict_refuses() -> None:
    assert refusal(verdict(summary(FAILED))) == "ATT_VERDICT_FAIL"
    assert refusal(altered_verdict({"verifiedLevels": ["GATE_PASSED", "FAILED"]})) == "ATT_MALFORMED"
    assert refusal(altered_verdict({"verifiedLevels": None})) == "ATT_MALFORMED"
    assert accepted(altered_verdict({"verifiedLevels": ["GATE_PASSED", "SLSA_BUILD_LEVEL_2"]})).passed


def test_a09_a_verdict_that_nobody_signed_is_missing_its_signature() -> None:
    plain = render_summary(summary())
    assert refusal(bundle_attachment(plain)) == "SIG_MISSING"
    (from_file,) = split_attestation_file(plain)
    assert refusal(from_file) == "SIG_MISSING"


def test_a10_a_verdict_under_another_policy_is_stale() -> None:
    assert refusal(verdict(summary(policy_digest=Digest.of(b"older")))) == "ATT_POLICY_STALE"
    assert refusal(verdict(), asked=demand(policies=frozenset())) == "ATT_POLICY_STALE"
    unnamed = altered_verdict({"policy": {"uri": "gate-policy:test"}})
    assert refusal(unnamed) == "ATT_POLICY_STALE"
    both = demand(policies=frozenset({POLICY, Digest.of(b"older")}))
    assert accepted(verdict(summary(policy_digest=Digest.of(b"older"))), asked=both).passed


def test_a11_a_verdict_older_than_its_time_to_live_has_expired() -> None:
    asked = demand(max_age=timedelta(days=1))
    assert accepted(verdict(summary(at=NOW - timedelta(days=1))), asked=asked).passed
    assert refusal(verdict(summary(at=NOW - timedelta(days=1) - SECOND)), asked=asked) == "ATT_EXPIRED"


def test_a11_a_verdict_ends_when_it_says_so() -> None:
    assert accepted(verdict(summary(expires=NOW))).passed
    assert refusal(verdict(summary(expires=NOW - SECOND))) == "ATT_EXPIRED"


def test_a12_a_verdict_for_another_environment_or_repository_is_refused() -> None:
    staging = verdict(summary(environments=("staging",)))
    assert refusal(staging, asked=demand(environment="production")) == "ATT_ENVIRONMENT"
    assert refusal(staging) == "ATT_ENVIRONMENT"
    assert refusal(verdict(), asked=demand(environment="production")) == "ATT_ENVIRONMENT"
    assert accepted(staging, asked=demand(environment="staging")).passed
    both = verdict(summary(environments=("staging", "production")))
    assert accepted(both, asked=demand(environment="production")).passed


@pytest.mark.parametrize(
    "uri",
    [
        f"oci://registry.example/dev/web@{IMAGE}",
        f"oci://registry.example/shop/web@{OTHER}",
        f"registry.example/shop/web@{IMAGE}",
        f"oci://registry.example/shop/web:latest@{IMAGE}",
        "oci://registry.example/shop/web",
        "",
    ],
)
def test_s21_a_verdict_for_another_repository_is_refused(uri: str) -> None:
    assert refusal(verdict(summary(resource_uri=uri))) == "ATT_RESOURCE_MISMATCH"


def test_s21_a_verdict_that_was_copied_to_another_repository_is_refused() -> None:
    copied = VerdictDemand(asked=IMAGE, repository=Repository("registry.example", "prod/web"), rule=rule())
    assert refusal(verdict(), asked=copied) == "ATT_RESOURCE_MISMATCH"


def test_d08_a_child_is_accepted_by_the_verdict_of_its_index_alone() -> None:
    item = verdict(summary(subjects=(IMAGE, CHILD)))
    assert accepted(item, asked=demand(CHILD)).passed
    assert accepted(item, asked=demand(CHILD, index=IMAGE)).passed
    assert refusal(item, asked=demand(CHILD, index=OTHER)) == "ATT_RESOURCE_MISMATCH"
    assert refusal(verdict(), asked=demand(CHILD, index=IMAGE)) == "ATT_SUBJECT_MISMATCH"


@pytest.mark.parametrize(
    "text",
    [
        '"verificationResult":"FAILED","verificationResult":"PASSED"',
        '"verificationResult":"PASSED","verificationResult":"FAILED"',
        '"verificationResult":"PASSED","x":NaN',
        '"verificationResult":"PASSED","x":1e999',
        '"verificationResult":"PASSED","x":"\\ud800"',
        '"verificationResult":"PASSED","x":' + "[" * 100_000 + "]" * 100_000,
        '"verificationResult":"PASSED","x":' + "9" * 400,
    ],
    ids=range(7),
)
def test_a16_tricks_of_json_are_malformed(text: str) -> None:
    payload = render_summary(summary()).replace(b'"verificationResult":"PASSED"', text.encode())
    assert payload != render_summary(summary())
    assert refusal(signed(payload)) == "ATT_MALFORMED"


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a16_other_encodings_are_malformed(prefix: bytes) -> None:
    assert refusal(signed(prefix + render_summary(summary()))) == "ATT_MALFORMED"


def test_a18_a_verdict_by_another_key_or_verifier_is_refused() -> None:
    assert refusal(verdict(signer=STRANGER)) == "ID_MISMATCH"
    assert refusal(verdict(summary(verifier_id="https://gate.example/verifier/dev"))) == "ID_MISMATCH"
    other_pair = rule(
        signed_by=(
            VerdictSigner(signer=KeySigner(key=GATE.public_key), verifier_id="https://gate.example/verifier/prod"),
            VerdictSigner(signer=KeySigner(key=STRANGER.public_key), verifier_id=VERIFIER),
        )
    )
    crossed = VerdictDemand(asked=IMAGE, repository=REPOSITORY, rule=other_pair)
    assert refusal(verdict(), asked=crossed) == "ID_MISMATCH"
    assert accepted(verdict(signer=STRANGER), asked=crossed).passed


def test_a18_a_key_for_failed_verdicts_cannot_pass_anything() -> None:
    assert refusal(verdict(signer=FAIL_KEY)) == "ID_MISMATCH"
    assert refusal(verdict(summary(FAILED), FAIL_KEY)) == "ATT_VERDICT_FAIL"


def test_a_broken_signature_by_the_accepted_key_is_told_from_a_foreign_one() -> None:
    fields = json.loads(verdict().content)
    payload = base64.b64encode(render_summary(summary(at=NOW))).decode()
    fields["dsseEnvelope"]["payload"] = payload
    assert refusal(bundle_attachment(json.dumps(fields).encode())) == "SIG_INVALID"


def test_s11_a_verdict_in_an_older_bundle_is_refused() -> None:
    fields = json.loads(verdict().content)
    for version in ("0.1", "0.2"):
        fields["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
        assert refusal(bundle_attachment(json.dumps(fields).encode())) == "SIG_BUNDLE_VERSION"


def test_s15_a_verdict_by_a_key_past_its_window_is_refused() -> None:
    expired = dataclasses.replace(GATE.public_key, not_after=NOW - SECOND)
    asked = demand(signed_by=(VerdictSigner(signer=KeySigner(key=expired), verifier_id=VERIFIER),))
    assert refusal(verdict(), asked=asked) == "SIG_EXPIRED"


def test_s23_more_attachments_than_are_looked_at_refuse() -> None:
    assert refusal(*(verdict(),) * 501) == "LIMIT_SIGNATURES"
    assert accepted(*(verdict(),) * 500).passed
    foreign = (bundle_attachment(b"{"), verdict(signer=STRANGER))
    assert accepted(*foreign * 300, verdict()).passed, "what no asked signer signed takes no verdict's place"


def test_a_verdict_from_the_future_contradicts_the_clock() -> None:
    assert accepted(verdict(summary(at=NOW + timedelta(minutes=5)))).passed
    assert refusal(verdict(summary(at=NOW + timedelta(minutes=5, seconds=1)))) == "POL_TIME"


def test_a_demanded_timestamp_that_is_not_there_refuses() -> None:
    assert refusal(verdict(), asked=demand(require_timestamp=True)) == "SIG_NO_TRUSTED_TIME"


@pytest.mark.parametrize(
    "missing", ["timeVerified", "verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"]
)
def test_a_verdict_without_a_field_is_malformed(missing: str) -> None:
    assert refusal(altered_verdict({missing: None})) == "ATT_MALFORMED"


@pytest.mark.parametrize(
    "changes",
    [
        {"timeVerified": "2026-03-01"},
        {"timeVerified": 1},
        {"policy": {"uri": "x", "digest": {"sha256": "XYZ"}}},
        {"https://gate.example/vsa/v1/environments": "staging"},
        {"https://gate.example/vsa/v1/expires": "never"},
        {"inputAttestations": [{}]},
    ],
    ids=range(6),
)
def test_a_verdict_with_a_field_of_another_form_is_malformed(changes: dict[str, Any]) -> None:
    assert refusal(altered_verdict(changes)) == "ATT_MALFORMED"


def test_unknown_fields_are_ignored_and_extensions_only_read_under_an_accepted_prefix() -> None:
    assert accepted(altered_verdict({"anything": 1})).passed
    foreign = altered_verdict({"https://other.example/environments": ["staging"]})
    assert accepted(foreign).summary.environments == ()
    asked = demand(extension_prefixes=("https://other.example/",), environment="staging")
    assert accepted(foreign, asked=asked).passed
    twice = altered_verdict(
        {"https://other.example/environments": ["a"], "https://gate.example/vsa/v1/environments": ["b"]}
    )
    both = demand(extension_prefixes=("https://other.example/", "https://gate.example/vsa/v1/"), environment="a")
    assert refusal(twice, asked=both) == "ATT_MALFORMED"


def test_junk_hides_nothing_and_the_furthest_reason_is_reported() -> None:
    items = (
        bundle_attachment(b"{"),
        verdict(signer=STRANGER),
        verdict(summary(subjects=(OTHER,))),
        verdict(summary(at=NOW - timedelta(days=30))),
        verdict(summary(policy_digest=OTHER)),
    )
    for order in (items, items[::-1]):
        assert refusal(*order) == "ATT_POLICY_STALE"
        assert accepted(*order, verdict()).passed
