"""Patterns over bytes that run in linear time whatever the text: RE2, in the part of its syntax that Hyperscan shares.

Refuses look-around, back-references and patterns that match nothing at all (attack X11: a rule must not hang the gate).
Specification: RE2 `Syntax` wiki page; checks reference, section 8.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

_VALUE: Final = "secret"


class PatternRefusedError(ValueError):
    """A pattern that RE2 does not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a pattern fits: all of it, and the span of its value."""

    start: int
    end: int
    value: tuple[int, int]
    groups: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `value_group` is the number of the group that holds the secret, 0 for all of the match."""

    compiled: Any
    value_group: int
    names: tuple[tuple[str, int], ...]

    def fits(self, text: bytes | memoryview) -> bool:
        """Say whether it matches anywhere."""
        return self.compiled.search(text) is not None

    def find(self, text: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Found]:
        """Yield the matches that begin at `start` or later, in order, none over another."""
        for match in self.compiled.finditer(text, start, len(text) if end is None else end):
            value = match.span(self.value_group)
            if value[0] < 0:
                # The group is in another branch of the pattern than the one that fitted.
                value = match.span()
            groups = {name: bytes(match.group(number)) for name, number in self.names if match.span(number)[0] >= 0}
            yield Found(match.start(), match.end(), value, groups)


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """Return the pattern, compiled over bytes (Latin-1: one byte is one character).

    Raises:
        PatternRefusedError: RE2 does not take it, or it matches the empty text.
    """
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        compiled = re2.compile(text.encode("utf-8"), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternRefusedError(
            reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        ) from error
    if compiled.search(b"") is not None:
        raise PatternRefusedError("it matches the empty text")
    names = {name.decode(): number for name, number in compiled.groupindex.items()}
    group = names.get(_VALUE, 1 if compiled.groups else 0)
    return Pattern(compiled, group, tuple((name, number) for name, number in names.items() if name != _VALUE))
