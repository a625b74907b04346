"""Globs over `host/path`: `*` within a path component, `**` across; no negation (attack A19).

`registry.example/shop/**` matches everything below `shop/`, not `shop` itself and not `registry.example.evil/shop/x`
(attack D12): a pattern is compared component by component with a parsed, normalised repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

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
        return _compiled(self.pattern).fits(name)

    def __str__(self) -> str:
        return self.pattern


_SLASH, _NEWLINE = "/", "\n"


@dataclass(frozen=True, slots=True)
class _Automaton:
    """A pattern as sets of places, each one bit: a name is read once, whatever stars the pattern has.

    The name is the attacker's; a backtracking matcher takes seconds for a dozen stars over a long one. `literals` holds the
    places at which a character stands, `within` those of `*` and `across` those of `**`; `end` is the place behind all.
    """

    literals: Mapping[str, int]
    within: int
    across: int
    end: int

    def fits(self, name: str) -> bool:
        """Say whether the name leads from the first place to the end."""
        places = self._past_empty(1)
        for character in name:
            following = (places & self.literals.get(character, 0)) << 1
            if character != _SLASH:
                following |= places & self.within
            if character != _NEWLINE:
                # `**` takes at least one character: it stays, or goes on.
                following |= places & self.across | (places & self.across) << 1
            places = self._past_empty(following)
            if not places:
                return False
        return bool(places & self.end)

    def _past_empty(self, places: int) -> int:
        """Add the places behind a `*` that takes nothing; two never stand side by side."""
        return places | (places & self.within) << 1


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> _Automaton:
    literals: dict[str, int] = {}
    within = across = 0
    bit = 1
    for number, part in enumerate(pattern.split("/")):
        if number:
            literals["/"] = literals.get("/", 0) | bit
            bit <<= 1
        for character in ("**",) if part == "**" else part:
            if character == "**":
                across |= bit
            elif character == "*":
                within |= bit
            else:
                literals[character] = literals.get(character, 0) | bit
            bit <<= 1
    return _Automaton(MappingProxyType(literals), within, across, bit)
