r"""Patterns over identities: what may be written, so that a pattern means what it looks like and matches in bounded time.

A pattern always fits as a whole text (attack I02). Refused are: a bare dot (`gmail.com` would fit `gmailXcom`), a pattern
that does not begin with a literal scheme and host (or, for an address, end with a literal domain), alternatives outside a
group, and what surprises its reader: repeated groups, look-around, back-references, lazy and possessive repetition. The text
that is matched is the attacker's: it is matched in linear time by RE2, whatever the pattern, and its length is bounded.

The language: literals, `\` before a sign, `\d`, `\w`, `.` with a repetition, `[...]`, `(...)` and `(?:...)` with `|`, the
repetitions `*`, `+`, `?`, `{m}`, `{m,n}`, `{m,}`; `^` at the start and `$` at the end are allowed and say nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import printable
from gate.errors import PolicyError

if TYPE_CHECKING:
    import re2

MAX_PATTERN_CHARACTERS: Final = 512
# Nobody reads a pattern with more of them for what it means.
MAX_REPETITIONS: Final = 4
MAX_CHOICES: Final = 16
_REPETITION: Final = re.compile(r"[*+]|\{(?:[0-9]{1,3})(?:,[0-9]{0,3})?\}", re.ASCII)
_CLASS: Final = re.compile(r"\[\^?(?:\\[^A-Za-z0-9]|\\[dw]|[^\\\[\]])+\]", re.ASCII)
_ESCAPED: Final = re.compile(r"\\([^A-Za-z0-9])|\\[dw]", re.ASCII)
_SIGNS: Final = frozenset("*+?{}[]()|^$\\")
_PLAIN: Final = re.compile(r"[ -~]+", re.ASCII)


class PatternKind(Enum):
    """What a pattern is about; the value says which literal part it must have, in words."""

    ISSUER = "a pattern that begins with a literal scheme and host, as https://token\\.example/.+"
    SUBJECT = "a pattern that begins with a literal scheme and host, or ends with a literal @domain"
    CLAIM = "a pattern that begins with a literal, as refs/tags/v.+"


# A host is literal up to the slash that ends it.
_HOSTED: Final = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.-]+(?::[0-9]+)?/.*", re.ASCII)
_DOMAIN: Final = re.compile(r".*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII)


def require_pattern(text: str, kind: PatternKind) -> str:
    """Return the pattern if it may be used.

    Raises:
        PolicyError: `POL_REGEX`.
    """
    try:
        if not _PLAIN.fullmatch(text) or len(text) > MAX_PATTERN_CHARACTERS:
            raise _PatternError(f"it is not 1 to {MAX_PATTERN_CHARACTERS} printable ASCII characters")
        edges = _Reader(text).read()
        compiled(text)
    except (_PatternError, OverflowError) as error:
        raise _refuse(f"the pattern cannot be trusted: {error}", kind, text) from error
    if not _is_anchored(edges, kind):
        raise _refuse("the pattern fits identities of anybody", kind, text)
    return text


@lru_cache(maxsize=256)
def compiled(text: str) -> re2._Regexp:
    """Return the pattern for matching whole texts, as ASCII bytes, in linear time, whatever they are.

    Raises:
        ValueError: RE2 does not take it.
    """
    # Imported where there is a pattern: most identities are written out.
    import re2  # noqa: PLC0415

    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(text.encode(), options)
    except re2.error as error:
        raise _PatternError("it cannot be matched in linear time, or is too large") from error


def _is_anchored(edges: _Edges, kind: PatternKind) -> bool:
    if edges.is_whole:
        return bool(edges.leading)
    match kind:
        case PatternKind.ISSUER:
            return _HOSTED.fullmatch(edges.leading) is not None
        case PatternKind.SUBJECT:
            hosted = _HOSTED.fullmatch(edges.leading) is not None
            return hosted or _DOMAIN.fullmatch(edges.trailing) is not None
        case PatternKind.CLAIM:
            return bool(edges.leading)


def _refuse(message: str, kind: PatternKind, seen: str) -> PolicyError:
    return PolicyError(message, code="POL_REGEX", expected=kind.value, seen=printable(seen))


class _PatternError(ValueError):
    """Say what in a pattern is not in the language."""


@dataclass(frozen=True, slots=True)
class _Edges:
    """The literal texts at both ends of every text that fits; `is_whole` says that nothing else is in the pattern."""

    leading: str
    trailing: str
    is_whole: bool


class _Reader:
    """Read one pattern from left to right."""

    __slots__ = ("_choices", "_place", "_repetitions", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._place = 0
        self._repetitions = 0
        self._choices = 0

    def read(self) -> _Edges:
        atoms = self._sequence(depth=0)
        if self._place < len(self._text):
            raise _PatternError("it has alternatives outside a group, or a group that does not begin")
        leading = _literal_run(atoms)
        return _Edges(leading, _literal_run(atoms[::-1])[::-1], is_whole=all(atoms))

    def _sequence(self, *, depth: int) -> list[str]:
        """Return one item for each atom: its character where it is one literal that stands exactly once, else ""."""
        if depth > 8:
            raise _PatternError("its groups are nested too deeply")
        atoms: list[str] = []
        while self._place < len(self._text) and self._text[self._place] not in "|)":
            atoms.append(self._atom(depth))
        return atoms

    def _atom(self, depth: int) -> str:
        start = self._text[self._place]
        literal = ""
        if start == "(":
            self._group(depth)
            self._expect_no_repetition()
        elif start == "[":
            self._take(_CLASS, "a class that is not simple")
        elif start == "\\":
            literal = self._take(_ESCAPED, "an escape that is not in the language").group(1) or ""
        elif start in _SIGNS:
            raise _PatternError(f"it has a {start!r} where none may stand")
        else:
            self._place += 1
            literal = "" if start == "." else start
        return "" if self._repeated(bare_dot=start == ".") else literal

    def _group(self, depth: int) -> None:
        self._place += 3 if self._text.startswith("(?:", self._place) else 1
        self._sequence(depth=depth + 1)
        while self._text.startswith("|", self._place):
            self._place += 1
            self._count_choice()
            self._sequence(depth=depth + 1)
        if not self._text.startswith(")", self._place):
            raise _PatternError("it has a group that does not end")
        self._place += 1

    def _expect_no_repetition(self) -> None:
        if _REPETITION.match(self._text, self._place):
            raise _PatternError("it repeats a group")

    def _repeated(self, *, bare_dot: bool) -> bool:
        """Read a repetition, if one stands here; a second one would make it lazy or possessive."""
        match = _REPETITION.match(self._text, self._place)
        optional = self._text.startswith("?", self._place)
        if match is not None:
            self._repetitions += 1
            self._place = match.end()
        elif optional:
            self._count_choice()
            self._place += 1
        elif bare_dot:
            raise _PatternError("a dot fits every character: write it as \\.")
        if self._repetitions > MAX_REPETITIONS:
            raise _PatternError(f"it has more than {MAX_REPETITIONS} repetitions")
        if (match is not None or optional) and self._text.startswith(("*", "+", "?", "{"), self._place):
            raise _PatternError("it has two repetitions in a row")
        return match is not None or optional

    def _count_choice(self) -> None:
        self._choices += 1
        if self._choices > MAX_CHOICES:
            raise _PatternError(f"it has more than {MAX_CHOICES} choices")

    def _take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        match = pattern.match(self._text, self._place)
        if match is None:
            raise _PatternError(f"it has {what}")
        self._place = match.end()
        return match


def _literal_run(atoms: list[str]) -> str:
    run: list[str] = []
    for atom in atoms:
        if not atom:
            break
        run.append(atom)
    return "".join(run)
