"""Which signatures of an image satisfy one entry of the policy.

All conditions of an entry are met by one and the same signature (attack S22). Verdicts and other attestations are never
signatures of an image, although Cosign takes them for such (formats 4.3): only `.sig` layers, Cosign's signature
statement and signatures over the manifest itself count. Pure; the policy's signers and the clock are arguments.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gate.codec.attachments import MAX_ATTACHMENTS, parse_attachment
from gate.codec.legacy import parse_simple_signing
from gate.codec.signed_claim import claim_of
from gate.errors import EvidenceError, GateError, RefusedError, SignatureError
from gate.model.attachment import FAILED_VERDICT
from gate.model.bundle import Envelope, SimpleSigning
from gate.model.statement import COSIGN_SIGNATURE
from gate.model.string_map import StringMap
from gate.verification.authorship import require_own
from gate.verification.progress import furthest
from gate.verification.signature import VerifiedSignature, demanded_of, signed_statement, verify_image_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from gate.model.attachment import Attachment, Attachments
    from gate.model.bundle import Bundle
    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.policy_signers import SignatureRule, Signer


# Log entries and timestamps that are verified without asking first whose signature they are about: some tens of milliseconds.
MAX_MATERIAL: Final = 256


def match_signatures(
    attachments: Attachments,
    rule: SignatureRule,
    now: datetime,
    *,
    expect_time: Callable[[], None] | None = None,
) -> tuple[VerifiedSignature, ...]:
    """Return the signatures that satisfy the entry: one of `any_of`, and one by each of `all_of`.

    The caller has compared the entry's `images` with the repository. `expect_time` is called before each candidate and
    raises when no time is left.

    Raises:
        SignatureError, AttestationError: `SIG_MISSING` without any candidate, `LIMIT_SIGNATURES` with too many; else the
            reason of the candidate that came furthest, `SIG_NO_SINGLE_MATCH` where several meet all conditions only
            together.
    """
    bundles, broken = _candidates(attachments)
    require_bounded(len(bundles))
    if not bundles and not broken:
        raise SignatureError("the image digest has no signature", code="SIG_MISSING", seen=_ignored(attachments))
    search = _Search(attachments, bundles, broken, rule, now, expect_time)
    matched = [search.by_one_of((signer,)) for signer in rule.all_of]
    if rule.any_of or not rule.all_of:
        matched.append(search.by_one_of(rule.any_of))
    return tuple(matched)


def require_bounded(count: int) -> None:
    """Return if there are few enough candidates to look at all of them; raises `LIMIT_SIGNATURES` (attack S23)."""
    if count > MAX_ATTACHMENTS:
        raise SignatureError(
            "too many signatures and verdicts are attached to this digest",
            code="LIMIT_SIGNATURES",
            expected=f"at most {MAX_ATTACHMENTS}",
            seen=f"more than {MAX_ATTACHMENTS}",
        )


class _Search:
    """The candidates of one digest and what one signature must carry."""

    __slots__ = ("_annotations", "_attachments", "_broken", "_bundles", "_expect_time", "_is_flood", "_now", "_rule")

    def __init__(
        self,
        attachments: Attachments,
        bundles: Sequence[Bundle],
        broken: Sequence[GateError],
        rule: SignatureRule,
        now: datetime,
        expect_time: Callable[[], None] | None,
    ) -> None:
        self._attachments = attachments
        self._bundles = bundles
        self._broken = broken
        self._annotations = rule.annotations
        self._rule = rule
        self._now = now
        # Beyond this much work it is asked first whose a signature is; below it the steps say what is wrong with one.
        material = sum(len(bundle.entries) + len(bundle.timestamps) for bundle in bundles)
        self._is_flood = material * len((*rule.any_of, *rule.all_of)) > MAX_MATERIAL
        self._expect_time = expect_time

    def by_one_of(self, signers: Sequence[Signer]) -> VerifiedSignature:
        """Return the first signature by one of these signers that meets every condition."""
        errors = list(self._broken)
        for bundle in self._bundles:
            if self._expect_time is not None:
                self._expect_time()
            for signer in signers:
                try:
                    return self._verify(bundle, signer)
                except (RefusedError, EvidenceError) as error:
                    errors.append(error)
        raise self._refusal(errors)

    def _verify(self, bundle: Bundle, signer: Signer) -> VerifiedSignature:
        claim = claim_of(bundle) if self._is_flood else None
        if claim is not None:
            require_own(claim, bundle, signer)
        verified = verify_image_signature(
            bundle,
            signer=signer,
            expected=self._attachments.digest,
            now=self._now,
            demand=_demand(signer, self._rule),
        )
        missing = _missing(self._annotations, verified.annotations)
        if missing:
            raise SignatureError(
                "the signature lacks a demanded annotation",
                code="SIG_ANNOTATION",
                expected=", ".join(f"{name}={self._annotations[name]}" for name in missing),
                seen=", ".join(sorted(verified.annotations)) or "none",
            )
        return verified

    def _refusal(self, errors: Sequence[GateError]) -> GateError:
        """Say why nothing matched; whether each condition is met by some other signature changes only the words."""
        error = furthest(errors)
        if error is None:
            return SignatureError("no signer is accepted for this image", code="ID_MISMATCH", expected="a signer")
        if error.code == "SIG_ANNOTATION" and self._met_together():
            return SignatureError(
                "no single signature meets all conditions, only several together",
                code="SIG_NO_SINGLE_MATCH",
                expected="one signature by a demanded signer with every demanded annotation",
                seen=f"{len(self._bundles)} signatures",
            )
        return error

    def _met_together(self) -> bool:
        claims = [_claimed_annotations(bundle) for bundle in self._bundles]
        return all(any(claim.get(name) == value for claim in claims) for name, value in self._annotations.items())


def _demand(signer: Signer, rule: SignatureRule) -> EvidenceDemand:
    """Return what the signer's trusted root demands, with the counts of the rule where it gives them."""
    demand = demanded_of(signer)
    return replace(
        demand,
        logs=demand.logs if rule.log is None else rule.log,
        timestamps=demand.timestamps if rule.timestamps is None else rule.timestamps,
    )


def _missing(demanded: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    return [name for name, value in demanded.items() if given.get(name) != value]


def _candidates(attachments: Attachments) -> tuple[list[Bundle], list[GateError]]:
    bundles: list[Bundle] = []
    broken: list[GateError] = []
    for item in attachments.items:
        try:
            bundle = _image_signature(item)
        except RefusedError as error:
            broken.append(error)
            continue
        if bundle is not None:
            bundles.append(bundle)
    return bundles, broken


def _image_signature(attachment: Attachment) -> Bundle | None:
    if attachment.media_type == FAILED_VERDICT:
        return None
    bundle = parse_attachment(attachment)
    return None if is_attestation(bundle) else bundle


def is_attestation(bundle: Bundle) -> bool:
    """Say whether the bundle claims to be anything but a signature of an image, by its unverified predicate type.

    The bytes are equal to their digest and not yet verified; the answer only sorts candidates for the right refusal.
    What is then verified is compared again. A payload that does not parse is no attestation: it is refused as what it
    is.
    """
    if not isinstance(bundle.content, Envelope):
        return False
    try:
        return signed_statement(bundle).predicate_type != COSIGN_SIGNATURE
    except RefusedError:
        return False


def _claimed_annotations(bundle: Bundle) -> StringMap:
    """Return the annotations that a candidate claims, verified or not: only to choose between two refusals."""
    try:
        if isinstance(bundle.content, SimpleSigning):
            return parse_simple_signing(bundle.content.payload).annotations
        return signed_statement(bundle).subjects[0].annotations
    except RefusedError:
        return StringMap()


def _ignored(attachments: Attachments) -> str:
    others = len(attachments.items) + sum(count for _, count in attachments.ignored)
    return f"{others} attachments, none of them a signature of the image" if others else "no attachments"
