"""One reason: its class, what it means and what to do; the codes themselves are in `gate.model.reasons`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReasonClass(StrEnum):
    """Whose fault a reason is; the value is used in reports."""

    FAIL = "fail"
    USAGE = "usage"
    ERROR = "error"
    INTERNAL = "internal"


EXIT_CODES: Mapping[ReasonClass, int] = MappingProxyType(
    {ReasonClass.FAIL: 1, ReasonClass.USAGE: 2, ReasonClass.ERROR: 3, ReasonClass.INTERNAL: 4}
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what it means and what to do next."""

    code: str
    kind: ReasonClass
    title: str
    next_step: str

    @property
    def exit_code(self) -> int:
        """Return the exit code of a run that ends with this reason."""
        return EXIT_CODES[self.kind]

    @property
    def page(self) -> str:
        """Return the place of this reason in the documentation."""
        return f"docs/reasons.md#{self.code.lower()}"


def fail(code: str, title: str, next_step: str) -> Reason:
    """Return a reason of class `fail`."""
    return Reason(code, ReasonClass.FAIL, title, next_step)


def usage(code: str, title: str, next_step: str) -> Reason:
    """Return a reason of class `usage`."""
    return Reason(code, ReasonClass.USAGE, title, next_step)


def error(code: str, title: str, next_step: str) -> Reason:
    """Return a reason of class `error`."""
    return Reason(code, ReasonClass.ERROR, title, next_step)


def internal(code: str, title: str, next_step: str) -> Reason:
    """Return a reason of class `internal`."""
    return Reason(code, ReasonClass.INTERNAL, title, next_step)
