"""From a verdict to what is signed: the evidence statement, the summary that names it, and the manifests that carry them.

Nothing here signs what it is told: the only input is a `Verdict` that this process decided (attack A17), and a verdict
that is an error, has no subject, or was made under an unpinned policy has no statements at all.

Specification: DESIGN, section 7; formats reference, sections 10 and 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.evidence_statement import render_evidence, result_of
from gate.codec.verdict_manifest import render_referrer_manifest
from gate.codec.vsa import evidence_input, levels_for, render_summary, resource_uri
from gate.errors import InternalError
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.image import Descriptor
from gate.model.statement import (
    VERIFICATION_SUMMARY,
    InputAttestation,
    NamedSubject,
    VerificationResult,
    VerificationSummary,
)
from gate.model.string_map import StringMap
from gate.model.subject import OTHER_PLATFORM
from gate.model.version import VERSION
from gate.signers.signing import SignedStatement, sign_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.policy import AttestSettings
    from gate.model.reference import Repository
    from gate.model.verdict import Verdict
    from gate.signers.signer import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One manifest that hangs on one digest, with the bundle that it carries; both are recorded before they are pushed."""

    subject: Descriptor
    manifest: bytes
    bundle: bytes
    predicate_type: str

    @property
    def digest(self) -> Digest:
        """Return the digest of the manifest."""
        return Digest.of(self.manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVerdict:
    """A verdict with its signatures: what is published, in the order in which it is pushed."""

    evidence: SignedStatement
    summary: SignedStatement
    result: VerificationResult
    publications: tuple[Publication, ...]


def sign_verdict(
    verdict: Verdict,
    repository: Repository,
    settings: AttestSettings,
    *,
    signer: Signer,
    started: datetime,
    finished: datetime,
) -> SignedVerdict:
    """Sign a verdict that this process decided.

    Raises:
        InternalError: the verdict has nothing that could be signed: it decides nothing, or is about nothing; a defect of the
            caller.
    """
    descriptors = subject_descriptors(verdict)
    if not descriptors or verdict.decision is Decision.ERROR:
        raise InternalError("a verdict that decides nothing, or about nothing, cannot be signed")
    result = result_of(verdict.decision)
    subjects = tuple(NamedSubject(name=str(repository), digest=digest) for digest in _subject_digests(verdict))
    evidence_type = settings.evidence_predicate_type
    payload = render_evidence(verdict, subjects, started_on=started, finished_on=finished, predicate_type=evidence_type)
    summary = _summary(verdict, repository, subjects, settings, payload)
    signed_evidence = sign_statement(signer, payload)
    signed_summary = sign_statement(signer, render_summary(summary, extension_prefix=settings.extension_prefix))
    failed = result is VerificationResult.FAILED
    return SignedVerdict(
        evidence=signed_evidence,
        summary=signed_summary,
        result=result,
        publications=(
            _publication(descriptors[0], signed_evidence, evidence_type, verdict.evaluated_at, failed=failed),
            *(
                _publication(subject, signed_summary, VERIFICATION_SUMMARY, verdict.evaluated_at, failed=failed)
                for subject in descriptors
            ),
        ),
    )


def subject_descriptors(verdict: Verdict) -> tuple[Descriptor, ...]:
    """Return what was judged: the index first and then its judged children, or the one manifest; none of what was not read.

    Where the user narrowed the platforms, or the policy's platforms left a runnable child out, the index was not judged as a
    whole: it is no subject, and no verdict on it exists that a runtime could take for one on the child that it picks.
    """
    root = (verdict.root,) if verdict.root is not None else ()
    children = (
        Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
        for subject in verdict.subjects
    )
    narrowed = bool(verdict.request.platforms) or any(child.reason == OTHER_PLATFORM for child in verdict.skipped)
    named = tuple(children) if narrowed else (*root, *children)
    return tuple({descriptor.digest: descriptor for descriptor in named}.values())


def _subject_digests(verdict: Verdict) -> tuple[Digest, ...]:
    return tuple(descriptor.digest for descriptor in subject_descriptors(verdict))


def _summary(
    verdict: Verdict,
    repository: Repository,
    subjects: tuple[NamedSubject, ...],
    settings: AttestSettings,
    evidence: bytes,
) -> VerificationSummary:
    used = (signature.attachment for signature in verdict.signatures)
    signatures = (InputAttestation(digest=digest) for digest in used if digest is not None)
    result = result_of(verdict.decision)
    return VerificationSummary(
        subjects=subjects,
        verifier_id=settings.verifier_id,
        verifier_versions=StringMap.of({"gate": VERSION, **{use.tool.name: use.tool.version for use in verdict.tools}}),
        time_verified=verdict.evaluated_at,
        resource_uri=resource_uri(repository, subjects[0].digest),
        policy_uri=verdict.policy.uri,
        policy_digest=verdict.policy.digest,
        result=result,
        levels=levels_for(result, verdict.build_level),
        inputs=(evidence_input(evidence), *signatures),
        environments=verdict.environments,
        expires=verdict.evaluated_at + settings.max_age,
    )


def _publication(
    subject: Descriptor, signed: SignedStatement, predicate_type: str, created: datetime, *, failed: bool
) -> Publication:
    manifest = render_referrer_manifest(
        signed.bundle, subject=subject, predicate_type=predicate_type, created=created, failed=failed
    )
    return Publication(subject=subject, manifest=manifest, bundle=signed.bundle, predicate_type=predicate_type)
