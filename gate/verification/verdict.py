"""One verdict against one demand: who signed it, and the steps of the table in the formats reference, section 10.2.

A verdict is bound by what it signs, never by a listing, a tag, a media type or an annotation (attack A04). Signers are
pairs of key or identity and verifier id (attack A18). What several verdicts say together is the business of
`gate.verification.demand`.
"""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.bundle import key_hint
from gate.codec.signed_claim import claim_of
from gate.codec.strict_json import printable
from gate.codec.times import format_duration, format_time
from gate.codec.vsa import parse_summary, resource_uri
from gate.errors import AttestationError, EvidenceError, GateError, RefusedError, SignatureError
from gate.model.bundle import Bundle, CertificateMaterial, SignatureFormat
from gate.model.evidence_demand import Inclusion
from gate.model.policy_signers import KeySigner
from gate.model.statement import VerificationResult, VerificationSummary
from gate.verification.authorship import hint_of, require_own
from gate.verification.progress import furthest
from gate.verification.signature import VerifiedSignature, VerifiedStatement, demanded_of, verify_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.reference import Repository
    from gate.model.requirement import VerdictRule, VerdictSigner

# Formats 10.2: how far clocks of different machines may be apart, and a timestamp from the signer's own time.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
TIMESTAMP_TOLERANCE: Final = timedelta(minutes=15)
_FINGERPRINT_BYTES: Final = 32
# As a signer by key is written: `sha256:` and twelve digits.
_KEY_ID_SHOWN: Final = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictDemand:
    """What is asked for: the digest in its repository, under the stage's own rule.

    `index` is the digest of the index through which a child was reached: then only this index or the child itself may
    be the verdict's resource. None: the digest was asked for directly.
    """

    asked: Digest
    repository: Repository
    rule: VerdictRule
    index: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedVerdict:
    """A verdict whose signature verified by an accepted key: what it says, by whom, when.

    `signers` are the rule's entries that it verifies by. `at` is a trusted time where there is one (`trusted`), else
    the signer's own word, in whole seconds.
    """

    summary: VerificationSummary
    signature: VerifiedSignature
    signers: tuple[VerdictSigner, ...]
    at: datetime
    trusted: bool

    @property
    def passed(self) -> bool:
        """Say whether the verdict says PASSED; whether that counts is decided elsewhere."""
        return self.summary.result is VerificationResult.PASSED


def verify_verdict(bundle: Bundle, rule: VerdictRule, now: datetime) -> VerifiedVerdict:
    """Verify a bundle by any of the rule's signers and read the verdict in it.

    Raises:
        SignatureError, AttestationError: `SIG_BUNDLE_VERSION` for a bundle older than 0.3 (attack S11); `ID_MISMATCH`
            where none of the signers signed it, `SIG_INVALID` where it claims to be by one of them; the codes of
            `verify_statement` and `parse_summary`.
    """
    if bundle.format is SignatureFormat.BUNDLE and bundle.version != "0.3":
        raise SignatureError(
            "verdicts come in bundles of version 0.3", code="SIG_BUNDLE_VERSION", expected="0.3", seen=bundle.version
        )
    verified, signers = verify_by_any(bundle, rule.signed_by + rule.failed_by, now)
    summary = parse_summary(verified.statement, extension_prefixes=rule.extension_prefixes)
    times = verified.signature.times
    return VerifiedVerdict(
        summary=summary,
        signature=verified.signature,
        signers=signers,
        at=min(times, default=summary.time_verified).replace(microsecond=0),
        trusted=bool(times),
    )


def verify_by_any(
    bundle: Bundle, signers: tuple[VerdictSigner, ...], now: datetime
) -> tuple[VerifiedStatement, tuple[VerdictSigner, ...]]:
    """Return the statement and every signer by whom it verifies; raises the furthest error where none does.

    A log's promise alone is never enough for what the gate itself writes, whatever the format says (attack S11).
    """
    claim = claim_of(bundle)
    verified: VerifiedStatement | None = None
    accepted: list[VerdictSigner] = []
    errors: list[GateError] = []
    for signer in signers:
        try:
            if claim is not None:
                require_own(claim, bundle, signer.signer)
            demanded = replace(demanded_of(signer.signer), inclusion=Inclusion.PROOF)
            verified = verify_statement(bundle, signer=signer.signer, now=now, demand=demanded)
            accepted.append(signer)
        except (RefusedError, EvidenceError) as error:
            errors.append(error)
    if verified is None:
        raise _not_ours(bundle, signers, furthest(errors))
    return verified, tuple(accepted)


def _not_ours(bundle: Bundle, signers: tuple[VerdictSigner, ...], error: GateError | None) -> GateError:
    """Tell a foreign signature from a broken one by the unsigned hint; both refuse."""
    hint = hint_of(bundle)
    claims_ours = hint in {key_hint(entry.signer.key) for entry in signers if isinstance(entry.signer, KeySigner)}
    keyed = not isinstance(bundle.material, CertificateMaterial) and not claims_ours
    if error is not None and not (keyed and error.code in {"SIG_INVALID", "ID_MISMATCH"}):
        return error
    return SignatureError(
        "the attestation is by none of the accepted signers",
        code="ID_MISMATCH",
        expected=" or ".join(sorted({str(entry.signer) for entry in signers})) or "an accepted signer",
        seen=_key_of(hint) or "no key hint",
    )


def _key_of(hint: str) -> str:
    """Return a hint as key ids are written, so that it can be compared; what is none is returned as it is."""
    with contextlib.suppress(ValueError):
        fingerprint = base64.b64decode(hint, validate=True)
        if len(fingerprint) == _FINGERPRINT_BYTES:
            return f"sha256:{fingerprint.hex()}"[:_KEY_ID_SHOWN]
    return printable(hint, 48)


def admit_verdict(verdict: VerifiedVerdict, demand: VerdictDemand, now: datetime) -> None:
    """Return if this verdict alone is what the stage demands, whatever others say.

    Raises:
        AttestationError, SignatureError, EvidenceError: the code of the first row of the table that does not hold.
    """
    summary, rule = verdict.summary, demand.rule
    _expect_subject(summary, demand)
    _expect_signer(verdict, rule)
    _expect_age(verdict, rule, now)
    _expect_resource(summary, demand)
    _expect_policy(summary, rule)
    if not verdict.passed:
        raise AttestationError(
            "the verdict says FAILED", code="ATT_VERDICT_FAIL", expected="PASSED", seen=_named(verdict)
        )
    if not covers_environment(summary, rule.environment):
        raise AttestationError(
            "the verdict was not given for this environment",
            code="ATT_ENVIRONMENT",
            expected=rule.environment or "a verdict that names no environment",
            seen=printable(", ".join(summary.environments)) or "no environment",
        )
    if summary.expires is not None and now > summary.expires:
        raise AttestationError(
            "the verdict has ended",
            code="ATT_EXPIRED",
            expected=f"use until {format_time(summary.expires)}",
            seen=format_time(now),
        )


def _expect_subject(summary: VerificationSummary, demand: VerdictDemand) -> None:
    digests = [subject.digest for subject in summary.subjects]
    if demand.asked not in digests:
        raise AttestationError(
            "the verdict is about another digest",
            code="ATT_SUBJECT_MISMATCH",
            expected=str(demand.asked),
            seen=", ".join(digest.short for digest in digests[:4]),
        )


def _expect_signer(verdict: VerifiedVerdict, rule: VerdictRule) -> None:
    if signed_by_pair(verdict, rule):
        return
    raise AttestationError(
        "the verdict is not by an accepted pair of key and verifier",
        code="ID_MISMATCH",
        expected=" or ".join(
            sorted({f"{signer.verifier_id or 'any verifier'} by {signer.signer}" for signer in rule.signed_by})
        ),
        seen=f"{printable(verdict.summary.verifier_id)} by {verdict.signature.signer}",
    )


def signed_by_pair(verdict: VerifiedVerdict, rule: VerdictRule) -> bool:
    """Say whether a signer may say this under this verifier id; a key for FAILED verdicts says only FAILED."""
    accepted = rule.signed_by if verdict.passed else rule.signed_by + rule.failed_by
    return any(
        signer in accepted and signer.verifier_id in {None, verdict.summary.verifier_id} for signer in verdict.signers
    )


def _expect_age(verdict: VerifiedVerdict, rule: VerdictRule, now: datetime) -> None:
    """Age by trusted time; else by the signer's own word, unless the rule demands a timestamp."""
    if rule.require_timestamp and not verdict.trusted:
        raise SignatureError(
            "nothing trusted says when the verdict was signed",
            code="SIG_NO_TRUSTED_TIME",
            expected="a timestamp of a trusted authority",
            seen="none",
        )
    claimed = verdict.summary.time_verified
    if max(claimed, verdict.at) > now + CLOCK_TOLERANCE:
        raise _time(f"not after {format_time(now)}", format_time(claimed))
    if verdict.trusted and abs(verdict.at - claimed) > TIMESTAMP_TOLERANCE:
        raise _time(f"near {format_time(verdict.at)}", format_time(claimed))
    if now - verdict.at > rule.max_age:
        raise AttestationError(
            "the verdict is too old",
            code="ATT_EXPIRED",
            expected=f"at most {format_duration(rule.max_age)} old",
            seen=f"{format_duration(now - verdict.at)} old, of {format_time(verdict.at)}",
        )


def _time(expected: str, seen: str) -> EvidenceError:
    return EvidenceError("the verdict's time contradicts the clock", code="POL_TIME", expected=expected, seen=seen)


def _expect_resource(summary: VerificationSummary, demand: VerdictDemand) -> None:
    if not names_resource(summary, demand):
        raise AttestationError(
            "the verdict was given for another repository",
            code="ATT_RESOURCE_MISMATCH",
            expected=resource_uri(demand.repository, demand.asked),
            seen=printable(summary.resource_uri),
        )


def names_resource(summary: VerificationSummary, demand: VerdictDemand) -> bool:
    """Say whether the resource is the asked repository (attack S21), with a digest that the verdict is about."""
    digests = {subject.digest for subject in summary.subjects}
    if demand.index is not None:
        digests &= {demand.asked, demand.index}
    return summary.resource_uri in {resource_uri(demand.repository, digest) for digest in digests}


def _expect_policy(summary: VerificationSummary, rule: VerdictRule) -> None:
    if summary.policy_digest not in rule.policies:
        raise AttestationError(
            "the verdict was given under a policy that is not accepted here",
            code="ATT_POLICY_STALE",
            expected=" or ".join(sorted(digest.short for digest in rule.policies)) or "a policy",
            seen=str(summary.policy_digest or "no policy digest"),
        )


def covers_environment(summary: VerificationSummary, environment: str | None) -> bool:
    """Say whether the verdict holds in this environment; without one only a verdict that names none does."""
    return not summary.environments if environment is None else environment in summary.environments


def _named(verdict: VerifiedVerdict) -> str:
    return f"{verdict.summary.result} of {format_time(verdict.at)}"
