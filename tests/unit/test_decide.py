"""`decide` is pure and total: nothing that is taken away admits, nothing that is added admits, no order shows."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.checks import CHECKS
from gate.codec.values import decode_value, encode_value
from gate.decide import decide, needed_evidence
from gate.model.decision import Decision, Outcome
from gate.model.evidence import (
    EvidenceKind,
    EvidenceSet,
    ScanReport,
    SecretEvidence,
    SubjectEvidence,
    Unavailable,
)
from gate.model.finding import SecretFinding, Tool, ToolFinding
from gate.model.policy import Policy
from gate.model.reasons import REASONS
from gate.model.verdict import Verdict
from tests.support.any_evidence import GONE, any_evidence, any_subject, findings, secrets
from tests.support.cases import check_of
from tests.support.evidence import FULL_SPEC, good_evidence, index_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW
from tests.support.sources import ROOT

T = TypeVar("T")

FULL = policy(policy_document(**FULL_SPEC))
POLICIES = [
    FULL,
    policy(policy_document(vulnerabilities={"scanners": {"quorum": "all"}, "ignoreUnfixed": True})),
    policy(policy_document(vulnerabilities={"scanners": {"quorum": "agree"}, "failOn": "critical"}, secrets={})),
    policy(policy_document(vulnerabilities={"scanners": {"require": ["grype"]}, "grace": {"high": "7d"}})),
    policy(policy_document(secrets={"failOn": "live", "unopened": "ignore"}, image={"user": "any"})),
    policy(policy_document(rules=[{"id": "few", "cel": "size(findings) < 9", "message": "few"}])),
    policy(policy_document(signature=FULL_SPEC["signature"])),
    policy(policy_document(references={"registries": ["registry.example/**"]})),
    policy(policy_document(**FULL_SPEC, warn=["image-user", "revision", "rules", "secret", "vulnerability"])),
]
PIECES = ("manifest", "config", "layers", "trivy", "grype", "secrets", "rules")


def admits(evidence: EvidenceSet, wanted: Policy) -> bool:
    return decide(evidence, wanted, NOW).decision is Decision.PASSED


def with_subject(evidence: EvidenceSet, position: int, **pieces: Any) -> EvidenceSet:  # noqa: ANN401
    subjects = list(evidence.subjects)
    subjects[position] = replace(subjects[position], **pieces)
    return replace(evidence, subjects=tuple(subjects))


@given(any_evidence(), st.sampled_from(POLICIES))
def test_any_evidence_has_a_verdict_over_every_check(evidence: EvidenceSet, wanted: Policy) -> None:
    made = decide(evidence, wanted, NOW)
    assert [result.id for result in made.checks] == [check.id for check in CHECKS]
    assert made.exit_code in {0, 1, 3}
    for result in made.checks:
        assert {problem.code for problem in result.problems} <= REASONS.keys()
        assert (result.outcome in {Outcome.FAIL, Outcome.ERROR}) is bool(result.codes)


@given(any_evidence(), st.sampled_from(POLICIES))
def test_it_passes_only_if_every_asked_check_says_pass(evidence: EvidenceSet, wanted: Policy) -> None:
    made = decide(evidence, wanted, NOW)
    outcomes = {result.outcome for result in made.checks if not result.warned}
    if made.decision is Decision.PASSED:
        assert outcomes <= {Outcome.PASS, Outcome.DISABLED}
    if Outcome.FAIL in outcomes:
        assert made.decision is Decision.REFUSED


@given(any_evidence(), st.sampled_from(POLICIES))
def test_same_input_same_bytes(evidence: EvidenceSet, wanted: Policy) -> None:
    copied = pickle.loads(pickle.dumps(evidence))  # noqa: S301 - made a line before
    assert encode_value(decide(evidence, wanted, NOW)) == encode_value(decide(copied, wanted, NOW))


# Taking away

REMOVALS: dict[str, Callable[[EvidenceSet, int], EvidenceSet]] = {
    **{
        f"{piece} is {word}": lambda evidence, position, piece=piece, value=value: with_subject(  # type: ignore[misc]
            evidence, position, **{piece: value}
        )
        for piece in PIECES
        for word, value in (("unobtained", GONE), ("not there", None))
        if (piece, word) != ("manifest", "not there")
    },
    "attachments are unobtained": lambda evidence, _: replace(evidence, attachments=GONE),
    "attachments are not there": lambda evidence, _: replace(evidence, attachments=None),
    "attachments are empty": lambda evidence, _: replace(
        evidence,
        attachments=replace(evidence.attachments, items=()),  # type: ignore[type-var]
    ),
    "a subject is dropped": lambda evidence, position: replace(
        evidence, subjects=evidence.subjects[:position] + evidence.subjects[position + 1 :]
    ),
    "every subject is dropped": lambda evidence, _: replace(evidence, subjects=()),
    "the index is dropped": lambda evidence, _: replace(evidence, index=None),
    "the index and a subject are dropped": lambda evidence, position: replace(
        evidence, index=None, subjects=evidence.subjects[:position] + evidence.subjects[position + 1 :]
    ),
    "the root is dropped": lambda evidence, _: replace(evidence, root=None),
    "the skipped are dropped": lambda evidence, _: replace(evidence, skipped=()),
    "the digest is dropped": lambda evidence, _: replace(evidence, request=replace(evidence.request, digest=None)),
    "the repository is dropped": lambda evidence, _: replace(
        evidence, request=replace(evidence.request, repository=None)
    ),
}


@given(
    st.sampled_from([good_evidence(), index_evidence()]),
    st.integers(0, 1),
    st.data(),
    st.sampled_from(sorted(REMOVALS)),
)
def test_removing_evidence_never_turns_refuse_into_admit(
    base: EvidenceSet, position: int, data: st.DataObject, removal: str
) -> None:
    position %= len(base.subjects)
    spoilt = data.draw(any_subject(base.subjects[position]))
    evidence = replace(base, subjects=tuple(spoilt if n == position else s for n, s in enumerate(base.subjects)))
    wanted = data.draw(st.sampled_from(POLICIES))
    if not admits(evidence, wanted):
        assert not admits(REMOVALS[removal](evidence, position), wanted)


@pytest.mark.parametrize("removal", sorted(REMOVALS))
@pytest.mark.parametrize("base", [good_evidence(), index_evidence()], ids=["image", "index"])
def test_the_full_policy_misses_every_piece(base: EvidenceSet, removal: str) -> None:
    assert admits(base, FULL)
    without = REMOVALS[removal](base, len(base.subjects) - 1)
    assert admits(without, FULL) is (without == base)


@pytest.mark.parametrize("check", [check for check in CHECKS if check.asked(FULL)], ids=lambda check: str(check.id))
def test_a_check_errs_where_evidence_that_it_needs_is_missing(check: Any) -> None:  # noqa: ANN401 - a Check
    pieces = {
        EvidenceKind.CONFIG: "config",
        EvidenceKind.LAYERS: "layers",
        EvidenceKind.TRIVY: "trivy",
        EvidenceKind.GRYPE: "grype",
        EvidenceKind.SECRETS: "secrets",
        EvidenceKind.RULES: "rules",
    }
    # A numeric user needs no passwd file, and the configuration that secrets are read from is `secrets` itself.
    spared = {("image-user", EvidenceKind.LAYERS), ("secret", EvidenceKind.CONFIG)}
    for kind in sorted(check.needs(FULL)):
        for value, code in ((GONE, "REG_UNREACHABLE"), (None, "INTERNAL")):
            if (check.id, kind) in spared:
                continue
            spoilt = (
                replace(good_evidence(), attachments=value)
                if kind is EvidenceKind.ATTACHMENTS
                else with_subject(good_evidence(), 0, **{pieces[kind]: value})
            )
            result = check_of(decide(spoilt, FULL, NOW), check.id)
            assert (result.outcome, result.codes) == (Outcome.ERROR, (code,)), kind


# Adding


def with_finding(evidence: EvidenceSet, position: int, more: ToolFinding) -> EvidenceSet:
    piece = more.tool.value
    report = getattr(evidence.subjects[position], piece)
    assert isinstance(report, ScanReport)
    return with_subject(evidence, position, **{piece: replace(report, findings=(*report.findings, more))})


@given(
    st.sampled_from([good_evidence(), index_evidence()]),
    st.integers(0, 1),
    st.sampled_from(POLICIES),
    st.data(),
    st.sampled_from([Tool.TRIVY, Tool.GRYPE]),
)
def test_adding_a_finding_never_turns_refuse_into_admit(
    base: EvidenceSet, position: int, wanted: Policy, data: st.DataObject, tool: Tool
) -> None:
    position %= len(base.subjects)
    evidence = base
    for known in data.draw(st.lists(st.sampled_from([Tool.TRIVY, Tool.GRYPE]).flatmap(findings), max_size=3)):
        evidence = with_finding(evidence, position, known)
    more = replace(data.draw(findings(tool)), id="CVE-2026-777", aliases=frozenset(), kev=frozenset())
    if not admits(evidence, wanted):
        assert not admits(with_finding(evidence, position, more), wanted)


@given(st.lists(secrets(), max_size=3), secrets(), st.sampled_from(POLICIES))
def test_adding_a_secret_never_turns_refuse_into_admit(
    known: list[SecretFinding], more: SecretFinding, wanted: Policy
) -> None:
    def evidence(*all_: SecretFinding) -> EvidenceSet:
        return with_subject(good_evidence(), 0, secrets=SecretEvidence(findings=all_))

    if not admits(evidence(*known), wanted):
        assert not admits(evidence(*known, more), wanted)


# Order


@given(any_evidence(), st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_does_not_matter(evidence: EvidenceSet, wanted: Policy, random: Any) -> None:  # noqa: ANN401
    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(random.sample(items, len(items)))

    def mixed(report: ScanReport | Unavailable | None) -> ScanReport | Unavailable | None:
        if not isinstance(report, ScanReport):
            return report
        return replace(
            report,
            findings=shuffled(report.findings),
            packages=shuffled(report.packages),
            secrets=shuffled(report.secrets),
        )

    other = replace(
        evidence,
        subjects=shuffled(tuple(replace(s, trivy=mixed(s.trivy), grype=mixed(s.grype)) for s in evidence.subjects)),
    )
    assert encode_value(decide(evidence, wanted, NOW)) == encode_value(decide(other, wanted, NOW))


def test_the_zone_of_the_clock_does_not_matter() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=14)))
    assert encode_value(decide(good_evidence(), FULL, NOW)) == encode_value(decide(good_evidence(), FULL, elsewhere))


PROGRAM = """
import hashlib
from dataclasses import replace
from gate.codec.values import encode_value
from gate.decide import decide
from tests.support.evidence import index_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW
wanted = policy(policy_document(vulnerabilities={"failOn": "low"}, secrets={}, image={"maxAge": "1d"}))
print(hashlib.sha256(encode_value(decide(index_evidence(), wanted, NOW))).hexdigest())
"""


def test_the_hash_seed_of_the_process_does_not_show() -> None:
    def digest(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert len({digest(seed) for seed in ("0", "1", "2", "3")}) == 1


# What a verdict says


def test_no_check_asked_is_no_pass() -> None:
    nothing = replace(FULL, signature=None, vulnerabilities=None, secrets=None, image=None, rules=())
    assert admits(good_evidence(), nothing)  # allowed repositories are something
    assert decide(good_evidence(), replace(nothing, registries=()), NOW).decision is Decision.ERROR


def test_needed_evidence_is_that_of_the_asked_checks_alone() -> None:
    assert needed_evidence(FULL) == frozenset(EvidenceKind) - {EvidenceKind.DOCUMENTS, EvidenceKind.TRIVY_SECRETS}
    attested = {"attestations": [{"type": "cyclonedx", "signers": [{"key": {"file": "keys/a.pub"}}]}]}
    wanted = policy(policy_document(**attested))
    assert needed_evidence(wanted) == {EvidenceKind.ATTACHMENTS, EvidenceKind.DOCUMENTS}
    assert needed_evidence(policy(policy_document(references={"registries": ["**"]}))) == frozenset()
    assert needed_evidence(policy(policy_document(signature=FULL_SPEC["signature"]))) == {EvidenceKind.ATTACHMENTS}


ROOTS = {"trust": {name: {"trustedRoot": {"file": f"trust/{name}.json"}} for name in ("sigstore", "other")}}


def keyless(trust: str) -> dict[str, Any]:
    return {"keyless": {"issuer": "https://token.example", "subject": "build@shop.example", "trust": trust}}


def roots_of(evidence: EvidenceSet, **spec: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401 - sections of a policy
    made = decide(evidence, policy(policy_document(**ROOTS, **spec)), NOW)
    return [(root.name, root.source, root.place) for root in made.trusted_roots]


def test_the_roots_of_entries_that_apply_are_named_and_no_others() -> None:
    entries = [
        {"images": "registry.example/shop/**", "anyOf": [keyless("sigstore"), {"key": {"file": "keys/a.pub"}}]},
        {"images": "registry.example/elsewhere/**", "anyOf": [keyless("other")]},
    ]
    sigstore, other = ("sigstore", "file", "trust/sigstore.json"), ("other", "file", "trust/other.json")
    assert roots_of(good_evidence(), signature=entries) == [sigstore]
    attested = [{"type": "spdx", "signers": [keyless("other")]}]
    assert roots_of(good_evidence(), signature=entries, attestations=attested) == [other, sigstore]
    built = {"signers": [keyless("other")], "builder": ["https://builds.example/b"]}
    assert roots_of(good_evidence(), provenance=built) == [other]
    vex = [{"signers": [keyless("sigstore")], "products": ["pkg:deb/debian/*"]}]
    assert roots_of(good_evidence(), vulnerabilities={"vex": vex}) == [sigstore]
    by_key = [{"images": "**", "anyOf": [{"key": {"file": "keys/a.pub"}}]}]
    assert roots_of(good_evidence(), signature=by_key) == []


def test_where_nobody_could_look_no_root_judged() -> None:
    gone = replace(good_evidence(), attachments=Unavailable(code="REG_DENIED", reason="no"))
    vex = {"vex": [{"signers": [keyless("sigstore")], "products": ["pkg:deb/debian/*"]}]}
    asked = {
        "signature": [{"images": "**", "anyOf": [keyless("sigstore")]}],
        "provenance": {"signers": [keyless("other")], "builder": ["https://builds.example/b"]},
        "attestations": [{"type": "spdx", "signers": [keyless("other")]}],
        "vulnerabilities": vex,
    }
    assert roots_of(gone, **asked) == []
    assert len(roots_of(good_evidence(), **asked)) == 2


def test_a_tag_is_refused_with_that_reason_alone() -> None:
    request = replace(good_evidence().request, digest=None, tag="latest", reference="registry.example/shop/web:latest")
    made = decide(EvidenceSet(request=request), FULL, NOW)
    asked = [result for result in made.checks if result.outcome is not Outcome.DISABLED]
    assert made.decision is Decision.REFUSED
    assert {code for result in asked for code in result.codes} == {"REF_NOT_DIGEST"}


def test_environments_of_the_run_take_the_place_of_the_policys() -> None:
    wanted = policy(policy_document(**FULL_SPEC, attest={"environments": ["staging"]}))
    assert decide(good_evidence(), wanted, NOW).environments == ("staging",)
    assert decide(good_evidence(), wanted, NOW, ()).environments == ()


def test_a_failure_decides_over_an_error() -> None:
    evidence = with_subject(good_evidence(), 0, grype=GONE)
    assert decide(evidence, FULL, NOW).decision is Decision.ERROR
    root = replace(evidence.subjects[0].config, user="0")  # type: ignore[type-var]
    assert decide(with_subject(evidence, 0, config=root), FULL, NOW).decision is Decision.REFUSED


@given(any_evidence(), st.sampled_from(POLICIES))
def test_a_verdict_and_its_evidence_can_be_kept_and_read_again(evidence: EvidenceSet, wanted: Policy) -> None:
    made = decide(evidence, wanted, NOW)
    assert decode_value(EvidenceSet, encode_value(evidence)) == evidence
    assert decode_value(Verdict, encode_value(made)) == made


def test_every_field_of_the_evidence_of_a_subject_is_a_piece_that_can_be_taken_away() -> None:
    names = {field.name for field in dataclasses.fields(SubjectEvidence)}
    assert names - {"subject"} == set(PIECES)
