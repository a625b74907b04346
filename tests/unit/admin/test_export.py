"""A requirement in other controllers' words: nothing of it is lost without a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml

from gate.admin.export import Controller, export_requirement
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.identity import Claim, Identity, Matcher
from gate.model.policy_signers import KeylessSigner, KeySigner, SignatureRule
from gate.model.requirement import ImageRequirement, Requirement, VerdictSigner
from gate.model.string_map import StringMap
from gate.model.trust import PUBLIC, Trust, TrustedRoot
from tests.support.signing import GATE, STRANGER, VERIFIER, rule

SHOP = Glob("registry.example/shop/**")
TRUST = Trust(name=PUBLIC, root=TrustedRoot(digest=Digest.of(b"root")))
IDENTITY = Identity(
    subject=Matcher(text=r"https://github\.com/shop/.+", is_pattern=True), issuer=Matcher(text="https://issuer.example")
)


def documents(entry: ImageRequirement, controller: Controller) -> list[Any]:
    made = export_requirement(Requirement(name="stage", digest=Digest.of(b"r"), images=(entry,)), controller)
    return list(yaml.safe_load_all(made))


def verdict(**changes: Any) -> ImageRequirement:  # noqa: ANN401 - any field of the rule
    return ImageRequirement(match=SHOP, verdict=rule(**changes))


def signatures(*signers: KeySigner | KeylessSigner, **changes: Any) -> ImageRequirement:  # noqa: ANN401
    return ImageRequirement(match=SHOP, signature=SignatureRule(images=SHOP, any_of=signers, **changes))


def test_every_entry_is_a_document_of_its_own() -> None:
    requirement = Requirement(
        name="stage", digest=Digest.of(b"r"), images=(verdict(), signatures(KeySigner(key=GATE.public_key)))
    )
    for controller in Controller:
        made = list(yaml.safe_load_all(export_requirement(requirement, controller)))
        assert [document["metadata"]["name"] for document in made] == ["stage-1", "stage-2"]


def test_policy_controller_demands_a_fresh_pass_of_the_policy_for_the_environment() -> None:
    (made,) = documents(verdict(environment="production", max_age=timedelta(days=2)), Controller.POLICY_CONTROLLER)
    (authority,) = made["spec"]["authorities"]
    assert "BEGIN PUBLIC KEY" in authority["key"]["data"]
    (attestation,) = authority["attestations"]
    said = attestation["policy"]["data"]
    for part in ('"PASSED"', Digest.of(b"a policy").hex, VERIFIER, 'environments["production"]', "172800000000000"):
        assert part in said
    # Keys that sign FAILED only are not among those that are believed.
    assert len(made["spec"]["authorities"]) == 1


def test_a_verdict_for_no_environment_must_name_none() -> None:
    (controller,) = documents(verdict(), Controller.POLICY_CONTROLLER)
    said = controller["spec"]["authorities"][0]["attestations"][0]["policy"]["data"]
    assert "count(environments) == 0" in said
    (kyverno,) = documents(verdict(), Controller.KYVERNO)
    conditions = kyverno["spec"]["rules"][0]["verifyImages"][0]["attestations"][0]["conditions"][0]["all"]
    assert any("length" in condition["key"] and condition["value"] == 0 for condition in conditions)


def test_kyverno_demands_the_same_in_its_own_words() -> None:
    (made,) = documents(verdict(environment="production", max_age=timedelta(days=2)), Controller.KYVERNO)
    (verify,) = made["spec"]["rules"][0]["verifyImages"]
    assert (verify["type"], verify["required"], verify["failureAction"]) == ("Cosign", True, "Enforce")
    assert verify["imageReferences"] == ["registry.example/shop/*"]
    conditions = verify["attestations"][0]["conditions"][0]["all"]
    values = [condition["value"] for condition in conditions]
    assert values == ["PASSED", [Digest.of(b"a policy").hex], VERIFIER, ["production"], "48h"]


@pytest.mark.parametrize("controller", Controller)
def test_patterns_are_anchored_there_too(controller: Controller) -> None:
    (made,) = documents(signatures(KeylessSigner(identity=IDENTITY, trust=TRUST)), controller)
    assert r"^(?:https://github\.com/shop/.+)$" in str(made).replace("\\\\", "\\")
    assert "https://issuer.example" in str(made)


@pytest.mark.parametrize("controller", Controller)
@pytest.mark.parametrize(
    "entry",
    [
        verdict(require_timestamp=True),
        verdict(max_age=timedelta(minutes=30)),
        signatures(KeySigner(key=GATE.public_key), annotations=StringMap.of({"stage": "prod"})),
        ImageRequirement(match=SHOP, signature=SignatureRule(images=SHOP, all_of=(KeySigner(key=GATE.public_key),))),
        signatures(KeylessSigner(identity=IDENTITY, trust=Trust(name="company", root=TRUST.root))),
        signatures(
            KeylessSigner(
                identity=Identity(
                    subject=IDENTITY.subject,
                    issuer=IDENTITY.issuer,
                    claims=((Claim.REF, Matcher(text="refs/heads/main")),),
                ),
                trust=TRUST,
            )
        ),
    ],
    ids=["timestamp", "minutes", "annotations", "all-of", "own-root", "claims"],
)
def test_what_would_be_lost_is_refused(entry: ImageRequirement, controller: Controller) -> None:
    with pytest.raises(UsageError) as caught:
        documents(entry, controller)
    assert caught.value.code == "USAGE"


def test_kyverno_cannot_bind_each_signer_to_a_verifier_of_its_own() -> None:
    signers = (
        VerdictSigner(signer=KeySigner(key=GATE.public_key), verifier_id=VERIFIER),
        VerdictSigner(signer=KeySigner(key=STRANGER.public_key), verifier_id="https://gate.example/other"),
    )
    with pytest.raises(UsageError):
        documents(verdict(signed_by=signers), Controller.KYVERNO)
    (made,) = documents(verdict(signed_by=signers), Controller.POLICY_CONTROLLER)
    assert len(made["spec"]["authorities"]) == 2
