"""From evidence that could not be had to the problem that a check reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.reasons import REASONS
from gate.model.verdict import Problem


def problem_of(unavailable: Unavailable | None, what: str, subject: Digest | None = None) -> Problem:
    """Return the problem of evidence that is missing; None means that a check was asked and nobody looked, which is a defect.

    A code that this release does not declare (evidence may be older) is a defect too, and never a pass.
    """
    if unavailable is None:
        return Problem(code="INTERNAL", message=f"{what} was needed and not gathered", subject=subject)
    return Problem(
        code=unavailable.code if unavailable.code in REASONS else "INTERNAL",
        message=unavailable.reason,
        expected=unavailable.expected,
        seen=unavailable.seen,
        next_step=unavailable.next_step,
        subject=subject,
    )


def missing(value: object, what: str, subject: Digest | None = None) -> Problem | None:
    """Return the problem where a piece of evidence is missing, else None."""
    if isinstance(value, Unavailable):
        return problem_of(value, what, subject)
    return problem_of(None, what, subject) if value is None else None


def holds_unobtained(value: object) -> bool:
    """Say whether a value is, or holds at any depth, evidence that could not be had: such a value is never kept for later."""
    if isinstance(value, Unavailable):
        return True
    if isinstance(value, (tuple, list, set, frozenset)):
        return any(map(holds_unobtained, value))
    if isinstance(value, Mapping):
        return any(map(holds_unobtained, (*value.keys(), *value.values())))
    if is_dataclass(value) and not isinstance(value, type):
        return any(holds_unobtained(getattr(value, field.name)) for field in fields(value))
    return False
