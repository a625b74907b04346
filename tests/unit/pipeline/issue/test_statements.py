"""What may be signed: verdicts that were decided, with the images that were judged, and nothing that was told (attack A17)."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

import gate.pipeline.issue.statements
from gate.codec.bundle import parse_bundle
from gate.codec.vsa import parse_summary
from gate.errors import InternalError
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, Descriptor
from gate.model.policy import AttestSettings
from gate.model.statement import VerificationResult
from gate.model.subject import OTHER_PLATFORM, SkippedChild
from gate.model.verdict import Verdict
from gate.pipeline.issue.statements import SignedVerdict, sign_verdict, subject_descriptors
from gate.verification.signature import signed_statement
from tests.support.signing import GATE, REPOSITORY
from tests.support.verdicts import AMD64, ARM64, CHILD, IMAGE, NOW, make_subject, make_verdict

INDEX = Descriptor(media_type=OCI_INDEX, digest=IMAGE, size=9)


def of_an_index() -> Verdict:
    """Return a verdict on an index of two platforms."""
    children = (make_subject(CHILD, AMD64), make_subject(type(CHILD).of(b"arm64"), ARM64))
    return replace(make_verdict(), root=INDEX, subjects=children)


def sign(verdict: Verdict) -> SignedVerdict:
    return sign_verdict(verdict, REPOSITORY, AttestSettings(), signer=GATE, started=NOW, finished=NOW)


def test_the_index_and_every_judged_child_are_subjects() -> None:
    verdict = of_an_index()
    digests = [descriptor.digest for descriptor in subject_descriptors(verdict)]
    assert digests == [IMAGE, *(subject.digest for subject in verdict.subjects)]
    signed = sign(verdict)
    # The evidence hangs on the index, the verdict on each.
    assert [publication.subject.digest for publication in signed.publications] == [IMAGE, *digests]


def test_an_index_of_which_a_part_was_judged_is_no_subject() -> None:
    verdict = of_an_index()
    narrowed = replace(verdict, request=replace(verdict.request, platforms=(AMD64,)), subjects=verdict.subjects[:1])
    assert [descriptor.digest for descriptor in subject_descriptors(narrowed)] == [CHILD]
    assert IMAGE not in {publication.subject.digest for publication in sign(narrowed).publications}


def test_an_index_of_which_the_policy_left_a_child_out_is_no_subject() -> None:
    verdict = replace(of_an_index(), subjects=of_an_index().subjects[:1])
    left_out = SkippedChild(digest=Digest.of(b"arm64"), platform="linux/arm64", reason=OTHER_PLATFORM)
    beside = SkippedChild(digest=Digest.of(b"statements"), platform="unknown/unknown", reason="attestation")
    for skipped, expected in (((left_out, beside), [CHILD]), ((beside,), [IMAGE, CHILD]), ((), [IMAGE, CHILD])):
        named = subject_descriptors(replace(verdict, skipped=skipped))
        assert [descriptor.digest for descriptor in named] == expected


def test_nothing_judged_is_nothing_to_sign() -> None:
    verdict = of_an_index()
    for nothing in (
        replace(verdict, root=None, subjects=()),
        replace(verdict, request=replace(verdict.request, platforms=(AMD64,)), subjects=()),
    ):
        assert subject_descriptors(nothing) == ()
        with pytest.raises(InternalError):
            sign(nothing)


@pytest.mark.parametrize(
    ("decision", "result"),
    [(Decision.PASSED, VerificationResult.PASSED), (Decision.REFUSED, VerificationResult.FAILED)],
)
def test_the_result_is_the_decision(decision: Decision, result: VerificationResult) -> None:
    signed = sign(replace(of_an_index(), decision=decision))
    summary = parse_summary(
        signed_statement(parse_bundle(signed.summary.bundle)), extension_prefixes=(AttestSettings().extension_prefix,)
    )
    assert (signed.result, summary.result) == (result, result)


def test_an_error_cannot_be_signed() -> None:
    with pytest.raises(InternalError):
        sign(replace(of_an_index(), decision=Decision.ERROR))


def test_a17_there_is_no_way_to_sign_what_was_told() -> None:
    """Only a `Verdict` goes in: neither statements, nor predicates, nor results of others."""
    public = {
        name: value
        for name, value in vars(gate.pipeline.issue.statements).items()
        if inspect.isfunction(value) and value.__module__ == gate.pipeline.issue.statements.__name__ and name[0] != "_"
    }
    assert set(public) == {"sign_verdict", "subject_descriptors"}
    assert [parameter.annotation for parameter in inspect.signature(sign_verdict).parameters.values()][:1] == [
        "Verdict"
    ]
