"""Turn an error that was caught while gathering into evidence that could not be had."""

from __future__ import annotations

from gate.errors import GateError
from gate.model.evidence import Unavailable


def unavailable_from(error: GateError) -> Unavailable:
    """Return the error's code and texts as a value, which survives the worker that gathered and is recorded."""
    return Unavailable(
        code=error.code, reason=error.message, expected=error.expected, seen=error.seen, next_step=error.next_step
    )
