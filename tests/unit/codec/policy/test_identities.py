"""Identities and trusted roots in policies and requirements: an identity that could be anybody's is refused when it is read."""

from __future__ import annotations

from typing import Any

import pytest

from gate.model.evidence_demand import EvidenceDemand
from gate.model.identity import Claim, Matcher
from gate.model.policy_signers import KeylessSigner, KeySigner, SignatureRule
from gate.model.trust import PUBLIC
from tests.support.identity_pairs import WITNESSES
from tests.support.policies import policy, policy_document, refusal, requirement, requirement_document
from tests.support.virtual_sigstore import ISSUER, SUBJECT

GOOD: dict[str, Any] = {"issuer": ISSUER, "subject": SUBJECT}
ROOT = {"trustedRoot": {"file": "trust/sigstore.json"}}
KEY = {"key": {"file": "keys/a.pub"}}
MISSING = object()


def document(keyless: object = None, trust: object = None, **rule: object) -> dict[str, Any]:
    signer = KEY if keyless is None else {"keyless": keyless}
    entry = {"images": "**", "anyOf": [signer], **rule}
    return policy_document(signature=[entry], **({"trust": trust} if trust is not None else {}))


def rule_of(keyless: object = None, trust: object = None, **rule: object) -> SignatureRule:
    parsed = policy(document(keyless, trust, **rule)).signature
    assert parsed is not None
    return parsed[0]


def signer_of(keyless: object, trust: object = None) -> KeylessSigner:
    signer = rule_of(keyless, trust).any_of[0]
    assert isinstance(signer, KeylessSigner)
    return signer


def test_an_identity_is_read_whole_and_trusts_the_public_instance() -> None:
    signer = signer_of(
        {**GOOD, "claims": {"ref": "refs/heads/main", "workflow": {"regExp": "https://github\\.com/.+"}}}
    )
    assert signer.identity.subject == Matcher(text=SUBJECT)
    assert signer.identity.issuer == Matcher(text=ISSUER)
    assert dict(signer.identity.claims) == {
        Claim.REF: Matcher(text="refs/heads/main"),
        Claim.WORKFLOW: Matcher(text="https://github\\.com/.+", is_pattern=True),
    }
    assert (signer.trust.name, signer.trust.demand) == (PUBLIC, EvidenceDemand(logs=1))


def test_a_named_root_has_demands_of_its_own() -> None:
    trust = {"company": {**ROOT, "log": 0, "timestamps": 1, "sct": False}}
    signer = signer_of({**GOOD, "trust": "company"}, trust)
    assert signer.trust.demand == EvidenceDemand(logs=0, timestamps=1, sct=False)
    key = rule_of(trust=trust, anyOf=[{"key": {"file": "keys/a.pub", "trust": "company"}}]).any_of[0]
    assert isinstance(key, KeySigner)
    assert key.trust is not None
    assert key.trust.root.digest == signer.trust.root.digest
    unpinned = policy(document({**GOOD, "trust": "company"}, trust)).unpinned
    assert unpinned == ("trust/sigstore.json",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": MISSING}, "POL_ISSUER_REQUIRED"),
        ({"issuer": ""}, "POL_ISSUER_REQUIRED"),
        ({"issuer": "  "}, "POL_ISSUER_REQUIRED"),
        ({"issuer": "https://oidc.eks.*/x"}, "POL_REGEX"),
        ({"issuer": "https://token.example/*"}, "POL_REGEX"),
        ({"issuer": "*"}, "POL_REGEX"),
        ({"issuer": MISSING, "issuerRegExp": ".*"}, "POL_REGEX"),
        ({"issuer": MISSING, "issuerRegExp": "https://oidc\\.eks\\..+"}, "POL_REGEX"),
        ({"issuerRegExp": "https://token\\.example/.+"}, "POL_MALFORMED"),
        ({"subject": MISSING}, "POL_EMPTY_IDENTITY"),
        ({"subject": ""}, "POL_EMPTY_IDENTITY"),
        ({"subject": "caf\u00e9@shop.example"}, "POL_MALFORMED"),
        ({"subjectRegExp": ".+@shop\\.example"}, "POL_MALFORMED"),
        ({"subject": MISSING, "subjectRegExp": ""}, "POL_EMPTY_IDENTITY"),
        ({"subject": MISSING, "subjectRegExp": "github.com/shop"}, "POL_REGEX"),
        ({"subject": MISSING, "subjectRegExp": ".*"}, "POL_REGEX"),
        ({"claims": {}}, "POL_EMPTY_IDENTITY"),
        ({"claims": {"ref": ""}}, "POL_EMPTY_IDENTITY"),
        ({"claims": {"ref": {}}}, "POL_EMPTY_IDENTITY"),
        ({"claims": {"ref": {"regExp": ".*"}}}, "POL_REGEX"),
        ({"claims": {"branch": "main"}}, "POL_UNKNOWN_KEY"),
        ({"trust": "nobody"}, "POL_MALFORMED"),
        ({"identity": "x"}, "POL_UNKNOWN_KEY"),
    ],
)
def test_i03_i06_i07_an_identity_that_could_be_anybody_s_is_refused(change: dict[str, Any], code: str) -> None:
    changed = {name: value for name, value in {**GOOD, **change}.items() if value is not MISSING}
    assert refusal(document(changed)).code == code
    assert signer_of(GOOD).trust.name == PUBLIC


@pytest.mark.parametrize("signers", [[], [{}], [{"keyless": {}}], [KEY | {"keyless": GOOD}]])
def test_i06_a_signer_is_somebody(signers: object) -> None:
    assert refusal(document(anyOf=signers)).code == "POL_EMPTY_IDENTITY"


def test_one_identity_twice_is_a_slip() -> None:
    assert refusal(document(anyOf=[{"keyless": GOOD}, {"keyless": GOOD}])).code == "POL_MALFORMED"


@pytest.mark.parametrize(
    "trust",
    [
        {},
        {"Company": ROOT},
        {"company": {}},
        {"company": {"trustedRoot": {"file": "trust/sigstore.json"}, "log": 9}},
        {"company": {**ROOT, "log": 0}},
        {"company": {**ROOT, "sct": "no"}},
        {"company": {**ROOT, "insecure": True}},
        {"public": {**ROOT, "sct": False}},
        {"public": {**ROOT, "log": 0}},
        {"company": {**ROOT, "witnesses": {"keys": [], "count": 1}}},
        {"company": {**ROOT, "witnesses": {"keys": [WITNESSES[0].vkey], "count": 2}}},
        {"company": {**ROOT, "witnesses": {"keys": [WITNESSES[0].vkey], "count": 0}}},
        {"company": {**ROOT, "witnesses": {"keys": [WITNESSES[0].vkey] * 2, "count": 1}}},
        {"company": {**ROOT, "witnesses": {"keys": [WITNESSES[0].vkey.replace("one", "two")], "count": 1}}},
        {"company": {**ROOT, "witnesses": {"keys": ["no key"], "count": 1}}},
    ],
    ids=range(15),
)
def test_a_trusted_root_that_demands_nothing_or_too_little_is_refused(trust: dict[str, Any]) -> None:
    assert refusal(document(GOOD, trust)).code in {"POL_MALFORMED", "POL_UNKNOWN_KEY"}
    assert rule_of(GOOD, {"company": ROOT}).log is None


def test_a_file_that_is_no_trusted_root_is_refused() -> None:
    assert refusal(document(GOOD, {"company": {"trustedRoot": {"file": "keys/a.pub"}}})).code == "ROOT_MALFORMED"
    assert refusal(document(GOOD, {"company": {"trustedRoot": {"file": "gone.json"}}})).code == "POL_FILE"
    wrong = {"file": "trust/sigstore.json", "sha256": "0" * 64}
    assert refusal(document(GOOD, {"company": {"trustedRoot": wrong}})).code == "POL_FILE"


def test_the_public_instance_may_be_another_file() -> None:
    trust = signer_of(GOOD, {"public": {"trustedRoot": {"file": "trust/other.json"}}}).trust
    assert (trust.name, trust.root.digest != signer_of(GOOD).trust.root.digest) == (PUBLIC, True)


@pytest.mark.parametrize("counts", [{"log": 1}, {"timestamps": 1}])
def test_what_nobody_could_check_is_not_demanded_of_a_key(counts: dict[str, int]) -> None:
    assert refusal(document(**counts)).code == "POL_MALFORMED"
    trusted = [{"key": {"file": "keys/a.pub", "trust": PUBLIC}}]
    rule = rule_of(anyOf=trusted, **counts)
    assert (rule.log, rule.timestamps) == (counts.get("log"), counts.get("timestamps"))


def test_s05_a_certificate_is_never_left_without_any_time() -> None:
    trust = {"company": {**ROOT, "timestamps": 1}}
    keyless = {**GOOD, "trust": "company"}
    assert refusal(document(keyless, trust, log=0, timestamps=0)).code == "POL_MALFORMED"
    assert rule_of(keyless, trust, log=0).log == 0
    assert refusal(document(GOOD, log=0, timestamps=1)).code == "POL_MALFORMED", "the public instance has a log"


def test_a_requirement_names_identities_for_verdicts() -> None:
    verdict = {
        "signedBy": [{"keyless": {**GOOD, "trust": "company"}, "verifierId": "https://gate.shop.example/ci"}],
        "policies": [f"sha256:{'0' * 64}"],
    }
    made = requirement_document({"match": "**", "verdict": verdict})
    made["spec"]["trust"] = {"company": ROOT}
    rule = requirement(made).images[0].verdict
    assert rule is not None
    assert isinstance(rule.signed_by[0].signer, KeylessSigner)
    assert rule.signed_by[0].verifier_id == "https://gate.shop.example/ci"
