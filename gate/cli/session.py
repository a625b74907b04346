"""What the outermost edge must know of the command that ran; the one value here that changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """Whether to show where an error came from, and what a configuration file that was only found has set."""

    debug: bool = False
    found: str = ""
