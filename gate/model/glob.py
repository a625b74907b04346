"""Globs over `host/path`: `*` within a path component, `**` across; no negation (attack A19).

`registry.example/shop/**` matches everything below `shop/`, not `shop` itself and not `registry.example.evil/shop/x`
(attack D12): a pattern is compared component by component with a parsed, normalised repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_ALLOWED = re.compile(r"[A-Za-z0-9._:\[\]/*-]+", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Glob:
    """A pattern over normalised repository names; `**` must be a whole component.

    Raises:
        ValueError: the pattern holds a character or a component that the grammar does not have.
    """

    pattern: str

    def __post_init__(self) -> None:
        """Refuse what could be read in two ways."""
        components = self.pattern.split("/")
        if not _ALLOWED.fullmatch(self.pattern) or not all(components):
            raise ValueError(f"not a pattern over host/path: {self.pattern!r}")
        if any("**" in component and component != "**" for component in components):
            raise ValueError(f"** must stand alone between slashes: {self.pattern!r}")

    def matches(self, name: str) -> bool:
        """Say whether the whole name fits."""
        return _compiled(self.pattern).fullmatch(name) is not None

    def __str__(self) -> str:
        return self.pattern


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = [".+" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/")]
    return re.compile("/".join(parts), re.ASCII)
