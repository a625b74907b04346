"""Provenance of one digest against what a policy demands of it, and against the certificate of whoever signed it.

The predicate is the signer's word. Where a certificate signed, its authority says which workflow ran on which repository, and
the predicate must not say anything else: `builder.id` against extension .9, the source against .12, the commit against .13, the
ref against .14 (attacks I05, I09). A builder's level is what the policy trusts that builder with; the predicate proves none by
itself, and unsigned provenance, as BuildKit writes it, is never looked at.

Specification: SLSA 1.2, verifying artifacts; formats reference, sections 8.7 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.provenance import parse_provenance
from gate.codec.source_uri import normal_source
from gate.codec.strict_json import printable
from gate.errors import AttestationError, SignatureError
from gate.model.identity import Claim
from gate.model.policy import ANY_RELEASE
from gate.model.provenance import PROVENANCE_TYPES
from gate.verification.attestations import require_attestation

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.attachment import Attachments
    from gate.model.glob import Glob
    from gate.model.identity import VerifiedIdentity
    from gate.model.policy import ProvenancePolicy, TrustedBuilder
    from gate.model.provenance import Provenance, Source
    from gate.model.source_glob import SourceGlob
    from gate.verification.signature import VerifiedSignature, VerifiedStatement

# What GitHub wrote as builder before it wrote the workflow; the certificate says the same in another extension.
_OLD_GITHUB_BUILDER: Final = "https://github.com/actions/runner/"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProvenance:
    """Provenance that meets a policy: what it says, who signed it, and the build level that it proves under that policy."""

    provenance: Provenance
    source: Source
    level: int
    signature: VerifiedSignature


def require_provenance(attachments: Attachments, policy: ProvenancePolicy, now: datetime) -> VerifiedProvenance:
    """Return the first provenance on this digest that meets every demand of the policy.

    Raises:
        AttestationError: `PROV_MISSING` without any, `PROV_MISMATCH` for another source, ref, build type, parameter or level.
        SignatureError: `ID_BUILDER`, `ID_WORKFLOW`, or as `verify_statement`.
    """
    return require_attestation(
        attachments,
        policy.signers,
        now,
        accepts=PROVENANCE_TYPES.__contains__,
        wanted="SLSA provenance v0.2 or v1",
        judge=lambda statement: _judged(statement, policy),
        missing="PROV_MISSING",
    )


def _judged(verified: VerifiedStatement, policy: ProvenancePolicy) -> VerifiedProvenance:
    found = parse_provenance(verified.statement)
    identity = verified.signature.identity
    builder = _trusted_builder(found, policy)
    if identity is not None:
        _expect_builder_of(identity, found.builder)
    source = _clear_source(found)
    if identity is not None:
        _expect_source_of(identity, source)
    _expect(policy.sources, source.uri, "source")
    _expect(policy.refs, source.ref, "ref")
    if policy.build_types and found.build_type not in policy.build_types:
        raise _mismatch("build type", " or ".join(policy.build_types), found.build_type)
    for path, demanded in policy.parameters.pairs:
        if found.parameters.get(path) != demanded:
            raise _mismatch(f"external parameter {path}", demanded, found.parameters.get(path, ""))
    if builder.level < policy.minimum_level:
        raise _mismatch("build level", f"at least {policy.minimum_level}", f"{builder.level}, trusted to this builder")
    return VerifiedProvenance(provenance=found, source=source, level=builder.level, signature=verified.signature)


def _trusted_builder(found: Provenance, policy: ProvenancePolicy) -> TrustedBuilder:
    # An exact id says more than one of any release, whatever their order.
    for builder in sorted(policy.builders, key=lambda builder: builder.id.endswith(ANY_RELEASE)):
        if builder.is_builder(found.builder):
            return builder
    raise SignatureError(
        "the provenance is of another builder",
        code="ID_BUILDER",
        expected=" or ".join(builder.id for builder in policy.builders),
        seen=printable(found.builder) or "no builder",
    )


def _expect_builder_of(identity: VerifiedIdentity, builder: str) -> None:
    """Compare the builder that is claimed with the workflow that the certificate's authority saw."""
    signer = identity.claims.get(Claim.BUILDER, "")
    environment = identity.claims.get(Claim.RUNNER_ENVIRONMENT, "")
    old = f"{_OLD_GITHUB_BUILDER}{environment}" if environment else ""
    if signer and builder not in {signer, old}:
        raise SignatureError(
            "the provenance names another builder than its certificate",
            code="ID_BUILDER",
            expected=printable(signer),
            seen=printable(builder),
        )


def _clear_source(found: Provenance) -> Source:
    source = found.source
    if source is None:
        seen = ", ".join(f"{item.uri}@{item.commit}" for item in found.sources[:4])
        raise _mismatch("source", "exactly one repository at one commit", seen or "none")
    return source


def _expect_source_of(identity: VerifiedIdentity, source: Source) -> None:
    """Compare repository, commit and ref with the certificate's, each as far as the certificate names it."""
    repository = identity.claims.get(Claim.SOURCE_REPOSITORY, "")
    pairs = (
        ("source repository", normal_source(repository) or repository, source.uri),
        ("commit", identity.claims.get(Claim.COMMIT, ""), source.commit),
        ("ref", identity.claims.get(Claim.REF, ""), source.ref),
    )
    for what, certified, claimed in pairs:
        if certified and claimed != certified:
            raise SignatureError(
                f"the provenance names another {what} than its certificate",
                code="ID_WORKFLOW",
                expected=printable(certified),
                seen=printable(claimed) or "none",
            )


def _expect(patterns: tuple[SourceGlob, ...] | tuple[Glob, ...], text: str, what: str) -> None:
    if patterns and not any(pattern.matches(text) for pattern in patterns):
        raise _mismatch(what, " or ".join(str(pattern) for pattern in patterns), text)


def _mismatch(what: str, expected: str, seen: str) -> AttestationError:
    return AttestationError(
        f"the provenance's {what} is not what the policy demands",
        code="PROV_MISMATCH",
        expected=expected,
        seen=printable(seen) or "nothing",
    )
