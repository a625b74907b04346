"""A requirement says whom a deploy stage trusts; whatever would read as "anybody" is refused (attack I06)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.policy_signers import KeySigner
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE, DEFAULT_EXTENSION_PREFIX, VerdictRule, VerdictSigner
from tests.support.policies import FILES, KEY_PEM, as_bytes, requirement, requirement_document
from tests.support.signing import GATE, STRANGER

POLICY = str(Digest.of(b"a policy"))
SIGNED_BY = [{"key": {"file": "keys/a.pub"}, "verifierId": "https://gate.shop.example/ci"}]
MATCH = "registry.example/shop/**"


def with_verdict(**changes: object) -> dict[str, Any]:
    verdict = {"signedBy": SIGNED_BY, "policies": [POLICY]} | changes
    return requirement_document({"match": MATCH, "verdict": {k: v for k, v in verdict.items() if v is not None}})


def refused(document: object) -> str:
    with pytest.raises(GateError) as caught:
        requirement(document)
    assert caught.value.message.startswith("requirement.yaml:")
    return caught.value.code


def test_a_whole_requirement_means_what_it_says() -> None:
    document = with_verdict(
        failedBy=[{"key": {"file": "keys/b.pub"}}],
        policies=[POLICY, {"file": "keys/a.pub"}],
        environment="production",
        maxAge="1d",
        requireTimestamp=True,
        extensionPrefixes=["https://shop.example/x/"],
        evidencePredicateTypes=["https://shop.example/e"],
    )
    document["spec"]["images"].append(
        {"match": "registry.example/vendor/**", "signature": {"anyOf": [{"key": {"file": "keys/b.pub"}}]}}
    )
    document["spec"]["default"] = "refuse"
    parsed = requirement(document)
    assert (parsed.name, parsed.digest) == ("test", Digest.of(as_bytes(document)))
    first, second = parsed.images
    assert (first.match, first.signature) == (Glob(MATCH), None)
    assert first.verdict == VerdictRule(
        signed_by=(VerdictSigner(signer=KeySigner(key=GATE.public_key), verifier_id="https://gate.shop.example/ci"),),
        failed_by=(VerdictSigner(signer=KeySigner(key=STRANGER.public_key)),),
        policies=frozenset({Digest(POLICY), Digest.of(KEY_PEM)}),
        environment="production",
        max_age=timedelta(days=1),
        require_timestamp=True,
        extension_prefixes=("https://shop.example/x/",),
        evidence_types=("https://shop.example/e",),
    )
    assert second.verdict is None
    assert second.signature is not None
    assert second.signature.any_of == (KeySigner(key=STRANGER.public_key),)
    assert second.signature.images == Glob("registry.example/vendor/**")


def test_what_is_not_given_has_the_documented_defaults() -> None:
    verdict = requirement(with_verdict()).images[0].verdict
    assert verdict is not None
    assert (verdict.failed_by, verdict.environment, verdict.max_age) == ((), None, timedelta(days=7))
    assert (verdict.extension_prefixes, verdict.evidence_types) == (
        (DEFAULT_EXTENSION_PREFIX,),
        (DEFAULT_EVIDENCE_TYPE,),
    )
    assert verdict.require_timestamp is False


@pytest.mark.parametrize(
    "change",
    [
        {"signedBy": []},
        {"signedBy": None},
        {"signedBy": [{}]},
        {"signedBy": [{"key": {}}]},
        {"failedBy": []},
        {"policies": []},
        {"policies": None},
    ],
)
def test_i06_an_empty_list_is_not_anybody(change: dict[str, object]) -> None:
    assert refused(with_verdict(**change)) == "POL_EMPTY_IDENTITY"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"policies": ["latest"]}, "POL_MALFORMED"),
        ({"policies": [{"file": "gone.yaml"}]}, "POL_FILE"),
        ({"policies": [{"file": "keys/a.pub", "sha256": "0" * 63 + "1"}]}, "POL_FILE"),
        ({"policies": [POLICY, POLICY]}, "POL_MALFORMED"),
        ({"environment": ""}, "POL_MALFORMED"),
        ({"environment": "*"}, "POL_MALFORMED"),
        ({"maxAge": "forever"}, "POL_MALFORMED"),
        ({"requireTimestamp": "false"}, "POL_MALFORMED"),
        ({"verifier": "x"}, "POL_UNKNOWN_KEY"),
        ({"signedBy": [{"key": {"file": "keys/a.pub"}, "verifierId": ""}]}, "POL_MALFORMED"),
        ({"signedBy": [{"keyless": {"issuer": "https://issuer.example"}}]}, "POL_EMPTY_IDENTITY"),
        ({"signedBy": SIGNED_BY * 2}, "POL_MALFORMED"),
        ({"extensionPrefixes": ["https://shop.example/x"]}, "POL_MALFORMED"),
        ({"extensionPrefixes": []}, "POL_MALFORMED"),
    ],
)
def test_a_wrong_demand_is_refused(change: dict[str, object], code: str) -> None:
    assert refused(with_verdict(**change)) == code


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (requirement_document(), "POL_EMPTY"),
        (requirement_document({"match": MATCH}), "POL_MALFORMED"),
        (
            requirement_document({"match": "nginx", "verdict": {"signedBy": SIGNED_BY, "policies": [POLICY]}}),
            "POL_MALFORMED",
        ),
        (requirement_document({"match": MATCH, "signature": {"anyOf": []}}), "POL_EMPTY_IDENTITY"),
        (requirement_document({"match": MATCH, "signature": {}}), "POL_EMPTY_IDENTITY"),
        ({**with_verdict(), "kind": "Policy"}, "POL_MALFORMED"),
        ({**with_verdict(), "spec": {}}, "POL_EMPTY"),
        ({}, "POL_EMPTY"),
    ],
)
def test_an_entry_that_demands_nothing_is_refused(document: object, code: str) -> None:
    assert refused(document) == code


def test_an_entry_that_demands_two_things_is_refused() -> None:
    document = with_verdict()
    document["spec"]["images"][0]["signature"] = {"anyOf": [{"key": {"file": "keys/a.pub"}}]}
    assert refused(document) == "POL_MALFORMED"


@pytest.mark.parametrize("default", ["admit", "", True, None])
def test_no_default_but_refuse(default: object) -> None:
    document = with_verdict()
    document["spec"]["default"] = default
    assert refused(document) == "POL_MALFORMED"
    document["spec"]["default"] = "refuse"
    assert requirement(document, FILES).images
