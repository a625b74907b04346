"""FAILED verdicts: what one takes back, and when (DESIGN rule 12).

A FAILED verdict counts as soon as its signature under an accepted key is right. Where the whole path of verification holds,
its trusted time counts as well; where it does not, what stands in it is the signer's word. Of a verdict whose payload cannot
be read as the gate writes it only the digest and the word FAILED are known: it takes back every PASSED one.

Specification: DESIGN, section 7; docs/adr/0019-what-a-failed-verdict-needs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.signed_claim import read_claim, readable_summary, says_failed
from gate.codec.times import format_time
from gate.errors import AttestationError
from gate.model.digest import Digest
from gate.verification.authorship import is_author
from gate.verification.verdict import TIMESTAMP_TOLERANCE, covers_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.model.attachment import Attachment
    from gate.model.requirement import VerdictRule, VerdictSigner
    from gate.model.statement import VerificationSummary
    from gate.verification.verdict import VerdictDemand, VerifiedVerdict

_LATER: Final = "Check again with `gate check --reissue`, more than 15 minutes after the FAILED verdict."


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedVerdict:
    """A FAILED verdict on the asked digest by accepted signers.

    `summary` is None where the payload is not as the gate writes it. `at` is its trusted time, None where there is none.
    `place` is the digest of the manifest that holds it, or of its own bytes.
    """

    summary: VerificationSummary | None
    signers: tuple[VerdictSigner, ...]
    at: datetime | None
    place: Digest

    @property
    def own_time(self) -> datetime | None:
        """Return when the signer says it judged, in whole seconds; None where it cannot be read."""
        return self.summary.time_verified.replace(microsecond=0) if self.summary is not None else None


def of_verified(verdict: VerifiedVerdict) -> FailedVerdict:
    """Return a FAILED verdict that went the whole path of verification."""
    return FailedVerdict(
        summary=verdict.summary,
        signers=verdict.signers,
        at=verdict.at if verdict.trusted else None,
        place=verdict.signature.manifest or verdict.signature.digest,
    )


def find_failed(item: Attachment, demand: VerdictDemand) -> FailedVerdict | None:
    """Return the FAILED verdict in an attachment that did not go the whole path, or None where none of ours is in it."""
    claim = read_claim(item)
    if claim is None or not says_failed(claim, demand.asked):
        return None
    accepted = demand.rule.signed_by + demand.rule.failed_by
    signers = tuple(entry for entry in accepted if is_author(claim, entry.signer))
    if not signers:
        return None
    return FailedVerdict(
        summary=readable_summary(claim, demand.rule.extension_prefixes),
        signers=signers,
        at=None,
        place=item.manifest or Digest.of(item.content),
    )


def is_accepted(failed: FailedVerdict, rule: VerdictRule) -> bool:
    """Say whether the verdict is of the scope that the rule is about: alone it then refuses."""
    summary = failed.summary
    return summary is None or (
        summary.policy_digest in rule.policies
        and covers_environment(summary, rule.environment)
        and _is_by_pair(failed, summary)
    )


def _is_by_pair(failed: FailedVerdict, summary: VerificationSummary) -> bool:
    return any(entry.verifier_id in {None, summary.verifier_id} for entry in failed.signers)


def first_objection(
    passed: VerifiedVerdict, failed: Sequence[FailedVerdict], rule: VerdictRule
) -> AttestationError | None:
    """Return why a PASSED verdict does not stand: a FAILED one that is not older, or one that cannot be ordered."""
    conflict: AttestationError | None = None
    for item in failed:
        if not _is_of_scope(item, passed, rule):
            continue
        newer = _is_not_older(item, passed)
        if newer is None:
            conflict = _refusal(
                "ATT_CONFLICT", "two verdicts contradict each other at about the same time", item, _LATER
            )
        elif newer:
            return _refusal("ATT_NEWER_FAIL", "a newer verdict says FAILED", item)
    return conflict


def _is_of_scope(failed: FailedVerdict, passed: VerifiedVerdict, rule: VerdictRule) -> bool:
    """Say whether both are about the same policy, environment and verifier; the repository does not matter."""
    summary = failed.summary
    if summary is None:
        return True
    return (
        summary.policy_digest == passed.summary.policy_digest
        and summary.verifier_id == passed.summary.verifier_id
        and covers_environment(summary, rule.environment)
        and _is_by_pair(failed, summary)
    )


def _is_not_older(failed: FailedVerdict, passed: VerifiedVerdict) -> bool | None:
    """Compare both the signers' own times and trusted times; at the same second FAILED wins.

    None: the one has a trusted time and the other has not, and the signers' own are closer than clocks may be apart. A
    timestamp says that a signature existed, not that it is new: one that is far from the signer's own time says nothing.
    """
    own, passed_own = failed.own_time, passed.summary.time_verified.replace(microsecond=0)
    if own is None or own >= passed_own:
        return True
    stamped = failed.at if failed.at is not None and abs(failed.at - own) <= TIMESTAMP_TOLERANCE else None
    if stamped is not None and passed.trusted:
        return stamped >= passed.at
    if (failed.at is not None) is passed.trusted:
        return False
    return None if passed_own - own <= TIMESTAMP_TOLERANCE else False


def _refusal(code: str, message: str, failed: FailedVerdict, next_step: str = "") -> AttestationError:
    at = failed.at or failed.own_time
    when = f" of {format_time(at)}" if at is not None else ""
    return AttestationError(
        message,
        code=code,
        expected="no FAILED verdict that is not older",
        seen=f"FAILED{when} in {failed.place}",
        next_step=next_step,
    )
