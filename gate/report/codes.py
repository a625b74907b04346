"""Exit codes and next steps of errors: what every report and the command line's edge say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.model.reasons import EXIT_CODES, REASONS, ReasonClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.errors import GateError

# DESIGN, section 3: a defect of the gate hides whatever else happened, a request without sense comes next.
_WORST_FIRST: Final = (4, 2, 3, 1, 0)


def exit_code_of(error: GateError) -> int:
    """Return the exit code of an error's reason; a code that nobody declared is a defect of the gate."""
    declared = REASONS.get(error.code)
    return declared.exit_code if declared is not None else EXIT_CODES[ReasonClass.INTERNAL]


def next_step(code: str, own: str) -> str:
    """Return what to do next: what whoever found the problem says, else what is declared with its code."""
    declared = REASONS.get(code)
    return own or (declared.next_step if declared is not None else "")


def worst_exit_code(codes: Iterable[int]) -> int:
    """Return the code that a request for several images ends with; 0 for none."""
    given = set(codes)
    return next((code for code in _WORST_FIRST if code in given), 0)
