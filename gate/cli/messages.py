"""What is said on standard error: one line an error, with its code and what to do next; never a secret, never an escape.

The lines are for people and for logs: everything foreign goes through `gate.report.escape`, so that an error message cannot
begin a command of a CI runner either (attacks O01, O04).
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from gate.report.codes import next_step
from gate.report.escape import guard_lines, visible

if TYPE_CHECKING:
    from gate.errors import GateError

_MAX_MESSAGE: int = 1200
_USAGE: int = 2


def say(text: str) -> None:
    """Write one line to standard error; a closed or full one is no reason to end differently."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(guard_lines(visible(text, _MAX_MESSAGE) + "\n"))
        sys.stderr.flush()


def say_variables(names: tuple[str, ...], exit_code: int) -> None:
    """Name the environment variables that set options, where the request is what was wrong: nobody sees them typed."""
    if names and exit_code == _USAGE:
        say(f"gate: options taken from the environment: {', '.join(names)}")


def say_error(error: GateError) -> None:
    """Write `gate: CODE message (expected …, saw …)` and `next: …`."""
    say(f"gate: {error.code} {error}")
    if step := next_step(error.code, error.next_step):
        say(f"next: {step}")
