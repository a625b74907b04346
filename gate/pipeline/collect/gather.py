"""Gather: everything that may be known of one image, as evidence. May run on a worker where no key is.

The reference is resolved once, to a digest; from then on every byte is asked for by digest (attack D04). Nothing is judged here,
and a fault of the image as a whole is evidence too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gate.codec.rule_facts import ProvenanceFact, SignatureFact, rule_facts
from gate.errors import GateError
from gate.findings.merge import merge_findings
from gate.model.attachment import Attachments
from gate.model.evidence import (
    EvidenceKind,
    EvidenceSet,
    LayerFacts,
    RuleResult,
    ScanReport,
    SubjectEvidence,
    Unavailable,
)
from gate.model.finding import PackageKey
from gate.model.image import Descriptor
from gate.model.image_config import ImageConfig
from gate.pipeline.collect.context import attempt
from gate.pipeline.collect.documents import validate_documents
from gate.pipeline.collect.image_metadata import surroundings_of
from gate.pipeline.collect.platforms import ResolvedImage, resolve_platforms
from gate.pipeline.collect.subject import SCANNED, gather_subject
from gate.pipeline.handoff import merge_handoff
from gate.sandbox.rules import evaluate_rules
from gate.verification.match import match_signatures
from gate.verification.provenance import require_provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gate.codec.strict_json import JsonValue
    from gate.images.image_source import FetchedManifest, ImageSource
    from gate.model.policy import Policy
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.options import ScanHandoff


def gather(
    source: ImageSource,
    root: FetchedManifest,
    begun: EvidenceSet,
    policy: Policy,
    needs: frozenset[EvidenceKind],
    context: CollectContext,
    handoff: ScanHandoff | None = None,
) -> EvidenceSet:
    """Gather what the policy's checks need about an image that was asked for by digest.

    `begun` holds what is known before the image is looked into: the request, what is attached, the threat data, and when
    findings were first seen. `handoff` holds the scans of another job, which are then not made again.

    Raises:
        AttestationError: `handoff` contradicts what was fetched here.
    """
    family = attempt(lambda: resolve_platforms(source, root, begun.request.platforms or policy.platforms))
    if isinstance(family, Unavailable):
        return replace(begun, root=_descriptor(root), fault=family)
    if handoff is None:
        subjects = tuple(_subjects(source, family, begun.attachments, policy, needs, context))
    else:
        fetched = _subjects(source, family, begun.attachments, policy, needs - SCANNED, context)
        subjects = merge_handoff(fetched, handoff, context.evidence)
    evidence = replace(begun, root=family.root, index=family.index, skipped=family.skipped, subjects=subjects)
    if EvidenceKind.DOCUMENTS in needs:
        # The moment of `decide`, which knows whole seconds: both must look at the same documents.
        moment = context.now.replace(microsecond=0)
        documents = validate_documents(evidence.attachments, policy, moment, context.deadline)
        evidence = replace(evidence, documents=documents)
    return _with_rules(evidence, policy, context) if EvidenceKind.RULES in needs else evidence


def _descriptor(root: FetchedManifest) -> Descriptor:
    return Descriptor(media_type=root.media_type, digest=root.digest, size=len(root.content))


def _subjects(
    source: ImageSource,
    family: ResolvedImage,
    attachments: Attachments | Unavailable | None,
    policy: Policy,
    needs: frozenset[EvidenceKind],
    context: CollectContext,
) -> Iterable[SubjectEvidence]:
    """Gather one child after the other: the two scanners of one image already use every core of a small machine."""
    for child in family.judged:
        around = surroundings_of(family, child, partial(_kept, source, context), attachments)
        yield gather_subject(source, child, around, needs, policy.limits, context)


def _kept(source: ImageSource, context: CollectContext, blob: Descriptor) -> Iterator[bytes]:
    """Return a blob from the store, in which it is kept, so that it is there offline as the layers are."""
    if not context.store.contains(blob):
        context.store.put(blob, source.blob(blob))
    return context.store.chunks(blob)


def _with_rules(evidence: EvidenceSet, policy: Policy, context: CollectContext) -> EvidenceSet:
    signatures = _signature_facts(evidence, policy, context)
    provenance = _provenance_facts(evidence, policy, context)
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
    """Evaluate the rules over this image; a variable whose evidence could not be had leaves all rules without an answer."""
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


def _provenance_facts(evidence: EvidenceSet, policy: Policy, context: CollectContext) -> tuple[ProvenanceFact, ...]:
    """Return the provenance that meets the policy, for rules to speak of; none where there is none, or none is demanded."""
    if not isinstance(evidence.attachments, Attachments) or policy.provenance is None:
        return ()
    try:
        found = require_provenance(evidence.attachments, policy.provenance, context.now)
    except GateError:
        return ()
    return (ProvenanceFact(provenance=found.provenance, source=found.source, level=found.level),)


def _signature_facts(evidence: EvidenceSet, policy: Policy, context: CollectContext) -> tuple[SignatureFact, ...]:
    """Return the signatures that verify under the policy's keys, for rules to speak of; none where none does."""
    if not isinstance(evidence.attachments, Attachments):
        return ()
    facts: list[SignatureFact] = []
    for rule in policy.signature or ():
        for signer in rule.any_of or rule.all_of:
            try:
                alone = replace(rule, any_of=(signer,), all_of=())
                matched = match_signatures(evidence.attachments, alone, context.now)
            except GateError:
                continue
            facts += [SignatureFact(key_id=found.key.key_id, annotations=found.annotations) for found in matched]
    return tuple(dict.fromkeys(facts))
