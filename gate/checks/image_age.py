"""`image-age`: the image was built recently enough, so that it is replaced and not left to age.

NIST SP 800-190, 4.2.2. Order of belief: `checks` reference, section 6.3. `created` is the author's word: a fresh one over old
files is the usual way to look young, so the older of `created` and the newest file counts. A `created` before Docker existed
or in the future says nothing; then the newest file alone is asked, and without it the age is unknown, which is no pass.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind, LayerFacts
from gate.model.image_config import ImageConfig
from gate.model.problems import missing
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.model.evidence import EvidenceSet, SubjectEvidence
    from gate.model.policy import Policy

_FIRST_BELIEVABLE = datetime(2013, 1, 1, tzinfo=UTC)  # Docker's first public year; SOURCE_DATE_EPOCH=0 lies before it
_CLOCK_SKEW = timedelta(minutes=5)


def _asked(policy: Policy) -> bool:
    return policy.image is not None and policy.image.max_age is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.CONFIG, EvidenceKind.LAYERS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    limit = (policy.image.max_age if policy.image is not None else None) or timedelta(0)

    def ask(subject: SubjectEvidence) -> Iterable[Problem]:
        return _problems(subject, limit, now)

    return Answer(message=f"not older than {_span(limit)}", problems=over_subjects(evidence, ask))


def _problems(subject: SubjectEvidence, limit: timedelta, now: datetime) -> Iterable[Problem]:
    digest = subject.subject.digest
    if not isinstance(subject.config, ImageConfig) or not isinstance(subject.layers, LayerFacts):
        config = missing(subject.config, "the configuration", digest)
        layers = missing(subject.layers, "the reading of the layers", digest)
        return tuple(problem for problem in (config, layers) if problem is not None)
    built = _built(subject.config.created, subject.layers.newest_file, now)
    if built is None:
        seen = "no believable time in created or in any file"
        return (
            Problem(
                code="IMG_AGE_UNKNOWN",
                message="the age cannot be told",
                expected="a time since 2013",
                seen=seen,
                subject=digest,
            ),
        )
    if now - built <= limit:
        return ()
    seen = f"{_span(now - built)} (built {built:%Y-%m-%d})"
    return (
        Problem(
            code="IMG_TOO_OLD",
            message="the image is too old",
            expected=f"at most {_span(limit)}",
            seen=seen,
            subject=digest,
        ),
    )


def _built(created: datetime | None, newest_file: datetime | None, now: datetime) -> datetime | None:
    """Return the older of the believable answers to when the image was made."""
    believable = [
        time for time in (created, newest_file) if time is not None and _FIRST_BELIEVABLE <= time <= now + _CLOCK_SKEW
    ]
    return min(believable, default=None)


def _span(time: timedelta) -> str:
    return f"{time.days} days" if time >= timedelta(days=3) else f"{int(time.total_seconds() // 3600)} hours"


CHECK = Check(id="image-age", title="Built recently", asked=_asked, needs=_needs, judge=_judge)
