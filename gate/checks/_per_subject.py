"""Ask one question of every judged image of a request, and of none silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.model.evidence import Unavailable
from gate.model.problems import missing, problem_of
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, LayerFacts, SubjectEvidence
    from gate.model.image_config import ImageConfig


def over_subjects(evidence: EvidenceSet, ask: Callable[[SubjectEvidence], Iterable[Problem]]) -> tuple[Problem, ...]:
    """Collect the problems of every subject; an image that could not be read, or that has no subject, is a problem itself."""
    return tuple(_problems(evidence, ask))


def image_fault(evidence: EvidenceSet) -> Problem | None:
    """Return the reason why nothing of the image can be judged: it could not be had, or was never named by a digest."""
    if evidence.fault is not None:
        return problem_of(evidence.fault, "the image")
    if evidence.request.digest is None:
        return Problem(
            code="REF_NOT_DIGEST",
            message="not judged: the reference names no digest",
            expected="repository@sha256:...",
            seen=evidence.request.reference,
        )
    return problem_of(None, "the manifest of the reference") if evidence.root is None else None


def _problems(evidence: EvidenceSet, ask: Callable[[SubjectEvidence], Iterable[Problem]]) -> Iterator[Problem]:
    fault = image_fault(evidence)
    if fault is not None:
        yield fault
    elif not evidence.subjects:
        yield Problem(
            code="IMG_PLATFORM_UNSCANNED",
            message="there is no runnable image to judge",
            expected="at least one",
            seen="none",
        )
    for subject in evidence.subjects:
        unreadable = missing(subject.manifest, "the manifest", subject.subject.digest)
        yield from (unreadable,) if unreadable is not None else ask(subject)


def with_config(
    ask: Callable[[ImageConfig, Digest], Iterable[Problem]],
) -> Callable[[SubjectEvidence], Iterable[Problem]]:
    """Make a question about the configuration one about the subject."""

    def asking(subject: SubjectEvidence) -> Iterable[Problem]:
        if subject.config is None or isinstance(subject.config, Unavailable):
            return (problem_of(subject.config, "the configuration", subject.subject.digest),)
        return ask(subject.config, subject.subject.digest)

    return asking


def with_layers(
    ask: Callable[[LayerFacts, Digest], Iterable[Problem]],
) -> Callable[[SubjectEvidence], Iterable[Problem]]:
    """Make a question about the layers one about the subject."""

    def asking(subject: SubjectEvidence) -> Iterable[Problem]:
        if subject.layers is None or isinstance(subject.layers, Unavailable):
            return (problem_of(subject.layers, "the reading of the layers", subject.subject.digest),)
        return ask(subject.layers, subject.subject.digest)

    return asking
