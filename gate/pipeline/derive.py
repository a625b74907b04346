"""Derive: from what was collected to the evidence that one policy is decided on, without network, scanners or files.

What does not depend on a policy was collected once and is kept with its verdict. Under another policy, or other keys, other rules
and documents are answered again from what is kept; what nobody collected, because the earlier policy did not ask, is unavailable
(`EVIDENCE_NOT_COLLECTED`), never taken for absent.

    evidence = derive(collected, policy, now, deadline)
    verdict = decide(evidence, policy, now)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gate.codec.rule_facts import ProvenanceFact, SignatureFact, rule_facts
from gate.decide import needed_evidence
from gate.errors import GateError
from gate.findings.merge import merge_findings
from gate.model.attachment import Attachments
from gate.model.collected import Conditions
from gate.model.evidence import (
    EvidenceKind,
    EvidenceSet,
    LayerFacts,
    RuleResult,
    ScanReport,
    SubjectEvidence,
    Unavailable,
)
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.model.reasons import REASONS
from gate.pipeline.collect.documents import validate_documents
from gate.sandbox.rules import evaluate_rules
from gate.verification.match import match_signatures
from gate.verification.provenance import require_provenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.clock import Deadline
    from gate.codec.strict_json import JsonValue
    from gate.model.collected import Collected
    from gate.model.finding import PackageKey
    from gate.model.policy import Policy

NOT_COLLECTED: Final = "EVIDENCE_NOT_COLLECTED"
# Kinds of evidence of one image that stand in a field of their own, under its name.
_FIELDS: Final = {
    EvidenceKind.CONFIG: "config",
    EvidenceKind.LAYERS: "layers",
    EvidenceKind.TRIVY: "trivy",
    EvidenceKind.GRYPE: "grype",
    EvidenceKind.SECRETS: "secrets",
}


def conditions_of(policy: Policy, *, platforms: tuple[Any, ...] = ()) -> Conditions:
    """Return what evidence that is collected now, under this policy, depends on; `platforms` are those of the request."""
    return Conditions(
        platforms=platforms or policy.platforms,
        limits=policy.limits,
        secret_rules=tuple(file.digest for file in policy.secrets.rules) if policy.secrets is not None else (),
    )


def derive(collected: Collected, policy: Policy, now: datetime, deadline: Deadline) -> EvidenceSet:
    """Return the evidence for deciding under `policy` at `now`; rules and documents are answered within the deadline.

    What was answered under this very policy at this moment is not asked again: it is what the verdict was decided from.
    """
    # `decide` knows whole seconds: both must look at the same documents and signatures.
    moment = now.replace(microsecond=0)
    needs = needed_evidence(policy)
    evidence = _with_gaps(collected, policy, needs)
    answered = collected.conditions
    same_policy = answered.policy == policy.digest and not answered.overridden
    if same_policy and answered.answered_at == moment:
        return evidence
    if EvidenceKind.DOCUMENTS in needs:
        known = {answer.payload: answer for answer in evidence.documents}
        documents = validate_documents(evidence.attachments, policy, moment, deadline, known)
        evidence = replace(evidence, documents=documents)
    # Where texts that rules may read were withheld, what this policy's rules said of them is all that is left.
    if EvidenceKind.RULES in needs and not (same_policy and answered.withheld):
        evidence = _with_rules(evidence, policy, moment, withheld=answered.withheld)
    return evidence


def _with_gaps(collected: Collected, policy: Policy, needs: frozenset[EvidenceKind]) -> EvidenceSet:
    """Put a reason where the policy needs what was not collected, or was collected under settings that do not fit."""
    evidence, conditions = collected.evidence, collected.conditions
    if evidence.fault is not None or evidence.root is None:
        return evidence
    if EvidenceKind.ATTACHMENTS in needs and evidence.attachments is None:
        evidence = replace(evidence, attachments=_gap("what is attached to the image"))
    asked = evidence.request.platforms or policy.platforms
    if evidence.index is not None and asked != conditions.platforms:
        gap = _gap("the images of these platforms")
        return replace(evidence, subjects=tuple(_without(subject, gap) for subject in evidence.subjects))
    subjects = (_subject_with_gaps(subject, conditions, policy, needs) for subject in evidence.subjects)
    return replace(evidence, subjects=tuple(subjects))


def _subject_with_gaps(
    subject: SubjectEvidence, conditions: Conditions, policy: Policy, needs: frozenset[EvidenceKind]
) -> SubjectEvidence:
    if isinstance(subject.manifest, Unavailable):
        return subject
    changed: dict[str, Any] = {
        name: _gap(f"the {name} of the image")
        for kind, name in _FIELDS.items()
        if kind in needs and getattr(subject, name) is None
    }
    trivy = subject.trivy
    if EvidenceKind.TRIVY_SECRETS in needs and isinstance(trivy, ScanReport) and not trivy.searched_secrets:
        changed["trivy"] = _gap("Trivy's search for secrets")
    own = conditions_of(policy)
    if EvidenceKind.SECRETS in needs and own.secret_rules != conditions.secret_rules:
        changed["secrets"] = _gap("a search for secrets by these rules")
    if not _limits_hold(subject, conditions.limits, policy.limits):
        changed |= {name: _gap("the layers within these limits") for name in ("layers", "trivy", "grype", "secrets")}
    return replace(subject, **changed)


def _without(subject: SubjectEvidence, gap: Unavailable) -> SubjectEvidence:
    return replace(subject, manifest=gap, config=gap, layers=gap, trivy=gap, grype=gap, secrets=gap, rules=gap)


def _limits_hold(subject: SubjectEvidence, before: LayerLimits, now: LayerLimits) -> bool:
    """Return whether layers that were read under some limits would be read alike under others."""
    if before == now or subject.layers is None:
        return True
    if isinstance(subject.layers, Unavailable):
        return not subject.layers.code.startswith("LIMIT_")
    names = ("layers", "uncompressed_bytes", "entries", "ratio", "seconds_per_gib")
    return before.ratio_window_bytes == now.ratio_window_bytes and all(
        getattr(before, name) <= getattr(now, name) for name in names
    )


def _gap(what: str) -> Unavailable:
    return Unavailable(
        code=NOT_COLLECTED,
        reason=f"{what}: not collected for the verdict whose evidence this is",
        next_step=REASONS[NOT_COLLECTED].next_step,
    )


def _with_rules(evidence: EvidenceSet, policy: Policy, now: datetime, *, withheld: bool) -> EvidenceSet:
    if withheld:
        gap = _gap("texts of the configuration, which may hold secrets")
        return replace(evidence, subjects=tuple(replace(subject, rules=gap) for subject in evidence.subjects))
    signatures = tuple(dict.fromkeys(_signature_facts(evidence, policy, now)))
    provenance = _provenance_facts(evidence, policy, now)
    subjects = (
        replace(subject, rules=_rule_results(subject, evidence, policy, signatures, provenance))
        for subject in evidence.subjects
    )
    return replace(evidence, subjects=tuple(subjects))


def _rule_results(
    subject: SubjectEvidence,
    evidence: EvidenceSet,
    policy: Policy,
    signatures: tuple[SignatureFact, ...],
    provenance: tuple[ProvenanceFact, ...],
) -> tuple[RuleResult, ...] | Unavailable:
    """Evaluate the rules over one image; where a variable's evidence is unavailable, all rules are without an answer."""
    for value in (evidence.attachments, subject.config, subject.layers, subject.trivy, subject.grype):
        if isinstance(value, Unavailable):
            return value
    if not isinstance(subject.config, ImageConfig):
        return Unavailable(code="POL_EVAL", reason="the rules have no configuration to speak of")
    reports = [report for report in (subject.trivy, subject.grype) if isinstance(report, ScanReport)]
    facts: dict[str, JsonValue] = rule_facts(
        subject=subject.subject,
        repository=evidence.request.repository,
        config=subject.config,
        packages=[package.key for report in reports for package in report.packages] + _own_packages(subject),
        findings=merge_findings(finding for report in reports for finding in report.findings),
        signatures=signatures,
        provenance=provenance,
    )
    return evaluate_rules(policy.rules, facts)


def _own_packages(subject: SubjectEvidence) -> list[PackageKey]:
    return list(subject.layers.language_packages) if isinstance(subject.layers, LayerFacts) else []


def _provenance_facts(evidence: EvidenceSet, policy: Policy, now: datetime) -> tuple[ProvenanceFact, ...]:
    """Return the provenance that meets the policy, for rules to speak of; none where there is none, or none is demanded."""
    if not isinstance(evidence.attachments, Attachments) or policy.provenance is None:
        return ()
    try:
        found = require_provenance(evidence.attachments, policy.provenance, now)
    except GateError:
        return ()
    return (ProvenanceFact(provenance=found.provenance, source=found.source, level=found.level),)


def _signature_facts(evidence: EvidenceSet, policy: Policy, now: datetime) -> Iterator[SignatureFact]:
    """Yield the signatures that verify under the policy's keys, for rules to speak of; none where none does."""
    if not isinstance(evidence.attachments, Attachments):
        return
    for rule in policy.signature or ():
        for signer in rule.any_of or rule.all_of:
            try:
                alone = replace(rule, any_of=(signer,), all_of=())
                matched = match_signatures(evidence.attachments, alone, now)
            except GateError:
                continue
            for found in matched:
                yield SignatureFact(key_id=found.key.key_id, annotations=found.annotations)
