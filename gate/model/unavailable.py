"""Turn an error that was caught while gathering into evidence that could not be had."""

from __future__ import annotations

from gate.errors import GateError
from gate.model.evidence import Unobtained


def unobtained_from(error: GateError) -> Unobtained:
    """Return the error's code and texts as a value, which survives the worker that gathered and is recorded."""
    return Unobtained(
        code=error.code, reason=error.message, expected=error.expected, seen=error.seen, next_step=error.next_step
    )
