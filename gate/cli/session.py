"""What the outermost edge must know of the command that ran; the one value here that changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.registry.options import HostSettings


@dataclass(slots=True)
class Session:
    """Whether to show where an error came from, what a found configuration file set, and which variables set options.

    `registries` is what a configuration file that was named says of each registry.
    """

    debug: bool = False
    found: str = ""
    variables: tuple[str, ...] = ()
    registries: Mapping[str, HostSettings] = field(default_factory=dict)
