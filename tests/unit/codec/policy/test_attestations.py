"""What a policy cannot demand of provenance and attestations: each refusal says where and what is right."""

from __future__ import annotations

from typing import Any

import pytest

from gate.model.predicate import AttestationKind, kind_of
from tests.support.policies import KEY_A, KEY_B, policy, policy_document, refusal

SIGNERS = [{"key": KEY_A}]
BUILDER = "https://builds.example/b"
WORKFLOW = "https://github.com/shop/build/.github/workflows/image.yml"


def provenance(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    made = {"signers": SIGNERS, "builder": [BUILDER]} | changes
    return policy_document(provenance={name: value for name, value in made.items() if value is not None})


def attestations(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    made = {"type": "cyclonedx", "signers": SIGNERS} | changes
    return policy_document(attestations=[{name: value for name, value in made.items() if value is not None}])


def test_a_single_value_stands_for_a_list_of_one() -> None:
    one = policy(
        provenance(source="git+https://github.com/shop/web", ref="refs/tags/*", buildType="https://a.example/t")
    )
    many = policy(
        provenance(source=["git+https://github.com/shop/web"], ref=["refs/tags/*"], buildType=["https://a.example/t"])
    )
    assert one.provenance == many.provenance


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signers": None}, "POL_EMPTY_IDENTITY"),
        ({"signers": []}, "POL_EMPTY_IDENTITY"),
        ({"signers": SIGNERS * 2}, "POL_MALFORMED"),
        ({"builder": None}, "POL_EMPTY_IDENTITY"),
        ({"builder": []}, "POL_EMPTY_IDENTITY"),
        ({"builder": ["*"]}, "POL_MALFORMED"),
        ({"builder": [""]}, "POL_MALFORMED"),
        ({"builder": [BUILDER, {"id": BUILDER}]}, "POL_MALFORMED"),
        ({"builder": [f"{WORKFLOW}@refs/tags/v2.*"]}, "POL_MALFORMED"),
        ({"builder": [f"{WORKFLOW}@refs/heads/*"]}, "POL_MALFORMED"),
        ({"builder": [f"{WORKFLOW}@**"]}, "POL_MALFORMED"),
        ({"builder": [f"{WORKFLOW}@main@refs/tags/*"]}, "POL_MALFORMED"),
        ({"builder": [WORKFLOW, f"{WORKFLOW}@refs/tags/*"]}, "POL_MALFORMED"),
        ({"builder": [{"id": BUILDER, "level": 4}]}, "POL_MALFORMED"),
        ({"builder": [{"level": 3}]}, "POL_EMPTY_IDENTITY"),
        ({"minimumLevel": 2}, "POL_MALFORMED"),
        ({"source": "github.com/shop/**"}, "POL_MALFORMED"),
        ({"source": "git+https://github.com/shop/web.git"}, "POL_MALFORMED"),
        ({"source": "git+https://GitHub.com/shop/web"}, "POL_MALFORMED"),
        ({"source": []}, "POL_MALFORMED"),
        ({"ref": "main"}, "POL_MALFORMED"),
        ({"ref": "refs/heads/**x"}, "POL_MALFORMED"),
        ({"parameters": {}}, "POL_MALFORMED"),
        ({"parameters": {"a..b": "c"}}, "POL_MALFORMED"),
        ({"minimumlevel": 1}, "POL_UNKNOWN_KEY"),
    ],
)
def test_provenance_that_could_mean_less_than_it_seems_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(provenance(**changes)).code == code
    assert policy(provenance()).provenance is not None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signers": None}, "POL_EMPTY_IDENTITY"),
        ({"signers": []}, "POL_EMPTY_IDENTITY"),
        ({"type": None}, "POL_EMPTY_IDENTITY"),
        ({"type": "cyclondx"}, "POL_MALFORMED"),
        ({"type": "https://slsa.dev/provenance/v1"}, "POL_MALFORMED"),
        ({"maxAge": "soon"}, "POL_MALFORMED"),
        ({"images": "**"}, "POL_UNKNOWN_KEY"),
    ],
)
def test_an_attestation_that_could_be_anybodys_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(attestations(**changes)).code == code
    assert len(policy(attestations()).attestations) == 1


def test_one_type_stands_once() -> None:
    twice = policy_document(attestations=[{"type": "spdx", "signers": [{"key": key}]} for key in (KEY_A, KEY_B)])
    assert refusal(twice).code == "POL_MALFORMED"


def test_the_commit_is_not_compared_with_provenance_that_nobody_demands() -> None:
    assert refusal(policy_document(image={"revision": "provenance"})).code == "POL_MALFORMED"


# A07: what a word stands for, and nothing beside it.
@pytest.mark.parametrize(
    ("predicate_type", "kind"),
    [
        ("https://cyclonedx.org/bom", AttestationKind.CYCLONEDX),
        ("https://cyclonedx.org/bom/v1.6", AttestationKind.CYCLONEDX),
        ("https://spdx.dev/Document/v2.3", AttestationKind.SPDX),
        ("https://openvex.dev/ns/v0.2.0", AttestationKind.OPENVEX),
        ("https://in-toto.io/attestation/vulns/v0.2", AttestationKind.VULNERABILITIES),
        ("https://cosign.sigstore.dev/attestation/vuln/v1", AttestationKind.VULNERABILITIES),
        ("https://in-toto.io/attestation/test-result/v0.1", AttestationKind.TEST_RESULT),
        ("https://cyclonedx.org/bom/", None),
        ("https://cyclonedx.org/bomb", None),
        ("https://cyclonedx.org/bom/v1.6/", None),
        ("https://cyclonedx.org/bom/vx", None),
        ("https://CycloneDX.org/bom", None),
        ("https://cosign.sigstore.dev/attestation/vuln/v1/v2", None),
        ("cyclonedx", None),
        ("", None),
    ],
)
def test_a_word_accepts_its_types_and_their_versions(predicate_type: str, kind: AttestationKind | None) -> None:
    assert kind_of(predicate_type) is kind


@pytest.mark.parametrize("written", [WORKFLOW, f"{WORKFLOW}@refs/tags/*"])
def test_a_workflow_without_its_version_is_that_workflow_at_any_release(written: str) -> None:
    section = policy(provenance(builder=[written])).provenance
    assert section is not None
    assert [builder.id for builder in section.builders] == [f"{WORKFLOW}@refs/tags/*"]


def test_another_builder_without_version_is_exact() -> None:
    section = policy(provenance(builder=[BUILDER])).provenance
    assert section is not None
    assert [builder.id for builder in section.builders] == [BUILDER]
