"""The pure core of a deploy stage: which entry is about an image, which children are judged, and the answer as a value."""

from __future__ import annotations

import dataclasses

import pytest

from gate.errors import GateError, RegistryError
from gate.model.glob import Glob
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor, ImageIndex, Platform
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.model.reference import Repository
from gate.model.requirement import ImageRequirement, Requirement
from gate.pipeline.demand import children_to_judge, judge_attachments, requirement_for
from tests.support.signing import (
    CHILD,
    FAILED,
    GATE,
    IMAGE,
    NOW,
    OTHER,
    REPOSITORY,
    STRANGER,
    attached,
    image_bundle,
    rule,
    summary,
    verdict,
)

VERDICT = ImageRequirement(match=Glob("**"), verdict=rule())
SIGNED = ImageRequirement(
    match=Glob("**"), signature=SignatureRule(images=Glob("**"), any_of=(KeySigner(key=GATE.public_key),))
)
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def test_the_first_entry_that_matches_decides_and_none_refuses() -> None:
    first = dataclasses.replace(VERDICT, match=Glob("registry.example/shop/**"))
    document = Requirement(name="x", digest=OTHER, images=(first, SIGNED))
    assert requirement_for(document, REPOSITORY) is first
    assert requirement_for(document, Repository("registry.example", "vendor/x")) is SIGNED
    with pytest.raises(GateError) as refused:
        requirement_for(dataclasses.replace(document, images=(first,)), Repository("registry.example", "vendor/x"))
    assert refused.value.code == "REF_REGISTRY"


def test_an_admitted_image_has_its_verdict_and_what_was_set_aside() -> None:
    found = judge_attachments(attached(verdict(), verdict(signer=STRANGER)), REPOSITORY, VERDICT, NOW)
    assert (found.admitted, found.code, found.expected, found.seen, found.next_step) == (True, "", "", "", "")
    assert found.verdict is not None
    assert [item.code for item in found.set_aside] == ["ID_MISMATCH"]


def test_a_refusal_is_a_value_with_what_was_expected_and_seen() -> None:
    items = attached(verdict(), verdict(summary(FAILED, at=NOW)))
    found = judge_attachments(items, REPOSITORY, VERDICT, NOW)
    assert (found.admitted, found.code, found.verdict) == (False, "ATT_NEWER_FAIL", None)
    assert found.expected == "no FAILED verdict that is not older"
    assert found.seen.startswith("FAILED of 2026-03-01T12:00:00Z in sha256:")
    assert [item.code for item in found.set_aside] == ["ATT_VERDICT_FAIL", "ATT_NEWER_FAIL"]


def test_signatures_alone_are_demanded_where_the_entry_says_so() -> None:
    assert judge_attachments(attached(image_bundle()), REPOSITORY, SIGNED, NOW).signatures
    assert judge_attachments(attached(image_bundle(STRANGER)), REPOSITORY, SIGNED, NOW).code == "SIG_INVALID"
    assert judge_attachments(attached(verdict()), REPOSITORY, SIGNED, NOW).code == "SIG_MISSING"
    nothing = ImageRequirement(match=Glob("**"))
    assert judge_attachments(attached(verdict()), REPOSITORY, nothing, NOW).code == "USAGE"


@pytest.mark.parametrize("entry", [VERDICT, SIGNED], ids=["verdict", "signature"])
def test_y03_no_candidate_is_looked_at_when_no_time_is_left(entry: ImageRequirement) -> None:
    def expired() -> None:
        raise RegistryError("timed out", code="REG_TIMEOUT")

    items = attached(verdict(), image_bundle())
    assert judge_attachments(items, REPOSITORY, entry, NOW).admitted
    assert judge_attachments(items, REPOSITORY, entry, NOW, expect_time=expired).code == "REG_TIMEOUT"


def child(digest: object, platform: Platform | None) -> Descriptor:
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=1, platform=platform)  # type: ignore[arg-type]


def test_children_of_the_nodes_platforms_are_judged_and_those_that_name_none() -> None:
    children = (child(IMAGE, AMD64), child(CHILD, ARM64), child(OTHER, None))
    index = ImageIndex(media_type=OCI_INDEX, manifests=children)
    assert [item.digest for item in children_to_judge(index, (AMD64,))] == [IMAGE, OTHER]
    assert [item.digest for item in children_to_judge(index, (AMD64, ARM64))] == [IMAGE, CHILD, OTHER]
    with pytest.raises(GateError) as refused:
        children_to_judge(ImageIndex(media_type=OCI_INDEX, manifests=children[:2]), (Platform("linux", "s390x"),))
    assert refused.value.code == "IMG_PLATFORM_UNSCANNED"
