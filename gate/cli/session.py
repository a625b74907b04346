"""What the outermost edge must know of the command that ran; the one value here that changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """Whether to show where an error came from, what a found configuration file set, and which variables set options."""

    debug: bool = False
    found: str = ""
    variables: tuple[str, ...] = ()
