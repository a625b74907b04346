"""One value of a YAML document with its place, read as what the reader demands.

The demand decides the type, never the look of the text: where a text is demanded `no`, `1e3` and `2027-01-31` are
texts, where a boolean is demanded only `true` and `false` are one, where a number is demanded `1e3` and `0x10` are
none. A bare `12`, `true` or `null` is refused as a text, because every other reader sees something else. Nothing is
ever null: a key without a value is a mistake.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from gate.codec.strict_json import JsonValue, printable
from gate.errors import PolicyError

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)

MAX_TEXT_BYTES: Final = 4096
_JSON_WORD: Final = re.compile(r"true|false|null|~|[-+]?(?:[0-9]+|[0-9]*\.[0-9]+|[0-9]+\.)|", re.ASCII)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,18})?", re.ASCII)
_DURATION: Final = re.compile(r"([1-9][0-9]{0,7})([smhd])", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNITS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Ten years: longer is a slip of the unit, and an end that never comes is none.
_MAX_DURATION: Final = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as it is written; `plain` says that it stands without quotes and is no block."""

    text: str
    plain: bool

    @property
    def is_json_word(self) -> bool:
        """Say whether JSON's types would make this something else than text."""
        return self.plain and _JSON_WORD.fullmatch(self.text) is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its place and value."""

    key: str
    line: int
    column: int
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value with its place: `document` is the file's name, `path` reads `spec.image.user`.

    Lines and columns count from 1. `kind` is `scalar`, `sequence` or `mapping`, and `value` fits it.
    """

    document: str
    path: str
    line: int
    column: int
    kind: str
    value: Scalar | tuple[Node, ...] | tuple[Entry, ...]

    @property
    def is_nothing(self) -> bool:
        """Say whether nothing stands here."""
        return isinstance(self.value, Scalar) and self.value == Scalar("", plain=True)

    def refuse(
        self, message: str, *, code: str = "POL_MALFORMED", expected: str = "", seen: str = "", next_step: str = ""
    ) -> PolicyError:
        """Make (not raise) the error about this value; `seen` is cut and escaped here."""
        where = f"{self.document}:{self.line}:{self.column}: {self.path or 'the document'}"
        return PolicyError(
            f"{where} {message}", code=code, expected=expected, seen=printable(seen), next_step=next_step
        )

    def text(self, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
        """Return a text that is not empty."""
        scalar = self._scalar("a text")
        if scalar.is_json_word and scalar.text:
            raise self.refuse("is not a text", expected="a text; put it in quotes", seen=scalar.text)
        if not scalar.text.strip() or len(scalar.text.encode()) > max_bytes:
            raise self.refuse("has the wrong length", expected=f"a text of 1 to {max_bytes} bytes", seen=scalar.text)
        return scalar.text

    def matching(self, pattern: re.Pattern[str], expected: str, *, code: str = "POL_MALFORMED") -> str:
        """Return a text that fits the pattern as a whole; `expected` says it in words."""
        text = self.text()
        if not pattern.fullmatch(text):
            raise self.refuse("is not acceptable", code=code, expected=expected, seen=text)
        return text

    def choice(self, words: type[E], *, without: frozenset[E] = frozenset()) -> E:
        """Return a member of an enumeration, but none of `without`."""
        allowed = [word for word in words if word not in without]
        text = self.text()
        for word in allowed:
            if word.value == text:
                return word
        near = nearest(text, [word.value for word in allowed])
        raise self.refuse("is not one of the words", expected=near or " | ".join(allowed), seen=text)

    def boolean(self) -> bool:
        """Return `true` or `false`; `yes`, `on` and `True` are neither."""
        scalar = self._scalar("true or false")
        if not scalar.plain or scalar.text not in {"true", "false"}:
            raise self.refuse("is not a boolean", expected="true or false", seen=scalar.text)
        return scalar.text == "true"

    def integer(self, minimum: int, maximum: int) -> int:
        """Return a decimal integer within the bounds, both included."""
        scalar = self._scalar("an integer")
        if not scalar.plain or not _INTEGER.fullmatch(scalar.text) or not minimum <= int(scalar.text) <= maximum:
            raise self.refuse("is not acceptable", expected=f"an integer {minimum} to {maximum}", seen=scalar.text)
        return int(scalar.text)

    def number(self, minimum: float, maximum: float) -> float:
        """Return a decimal number within the bounds, both included, without exponent."""
        scalar = self._scalar("a number")
        if not scalar.plain or not _NUMBER.fullmatch(scalar.text) or not minimum <= float(scalar.text) <= maximum:
            raise self.refuse("is not acceptable", expected=f"a number {minimum} to {maximum}", seen=scalar.text)
        return float(scalar.text)

    def duration(self, most: timedelta = _MAX_DURATION) -> timedelta:
        """Return a duration of more than nothing, and of at most `most`: `30s`, `15m`, `48h`, `7d`."""
        text = self._scalar("a duration").text
        match = _DURATION.fullmatch(text)
        length = timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else timedelta()
        if not match or length > most:
            expected = f"a duration as 30s, 15m, 48h or 7d, at most {most.days}d"
            raise self.refuse("is not a duration", expected=expected, seen=text)
        return length

    def date(self) -> date:
        """Return a day of the calendar, written `YYYY-MM-DD`; a malformed one never counts as "always" (attack A14)."""
        text = self._scalar("a date").text
        try:
            return date.fromisoformat(text if _DATE.fullmatch(text) else "")
        except ValueError as error:
            raise self.refuse("is not a date", expected="a day as 2027-01-31", seen=text) from error

    def items(self, *, most: int = 1000, empty_code: str = "") -> tuple[Node, ...]:
        """Return a list's values; an empty list is refused with `empty_code` where one is given."""
        if self.kind != "sequence":
            raise self.refuse("is not a list", expected="a list", seen=self._seen())
        items = tuple(item for item in self.value if isinstance(item, Node)) if isinstance(self.value, tuple) else ()
        if len(items) > most or (empty_code and not items):
            code = "POL_MALFORMED" if items else empty_code
            expected = f"{1 if empty_code else 0} to {most} entries"
            raise self.refuse("has the wrong length", code=code, expected=expected, seen=f"{len(items)} entries")
        return items

    def entries(self, *, most: int = 1000) -> tuple[Entry, ...]:
        """Return a mapping's entries in their order, whatever their keys."""
        if self.kind != "mapping":
            raise self.refuse("is not a mapping", expected="keys with values", seen=self._seen())
        entries = tuple(item for item in self.value if isinstance(item, Entry)) if isinstance(self.value, tuple) else ()
        if len(entries) > most:
            raise self.refuse("has too many keys", expected=f"at most {most}", seen=str(len(entries)))
        return entries

    def fields(self, known: Iterable[str], *, later: Iterable[str] = (), missing: str = "POL_MALFORMED") -> Fields:
        """Return a mapping whose keys are all known; `later` are keys that a later release understands.

        Raises:
            PolicyError: `POL_UNKNOWN_KEY` with the nearest right word.
        """
        words = tuple(known)
        entries = self.entries()
        if not self.path and not any(entry.key in words or nearest(entry.key, words) for entry in entries):
            # Another document, or none: its words are not shown, for they may be a password.
            expected = f"one of {', '.join(sorted(words))}"
            raise self.refuse("has none of the keys of this document", code="POL_UNKNOWN_KEY", expected=expected)
        for entry in entries:
            if entry.key not in words:
                raise self._unknown(entry, words, frozenset(later))
        return Fields(self, {entry.key: entry.node for entry in self.entries()}, missing)

    def plain(self) -> JsonValue:
        """Return the value as JSON would hold it, which is what the shipped schema describes."""
        if isinstance(self.value, Scalar):
            return _plain_scalar(self.value)
        if self.kind == "mapping":
            return {entry.key: entry.node.plain() for entry in self.entries(most=len(self.value))}
        return [item.plain() for item in self.items(most=len(self.value))]

    def _unknown(self, entry: Entry, known: tuple[str, ...], later: frozenset[str]) -> PolicyError:
        path = f"{self.path}." if self.path else ""
        where = f"{self.document}:{entry.line}:{entry.column}: {path}{printable(entry.key, 60)}"
        if entry.key in later:
            step = "Remove it, or use a release that understands it."
            return PolicyError(f"{where} is not understood by this release", code="POL_UNKNOWN_KEY", next_step=step)
        near = nearest(entry.key, known)
        expected = f"{near!r}" if near else f"one of {', '.join(sorted(known))}"
        return PolicyError(f"{where} is not a known key", code="POL_UNKNOWN_KEY", expected=expected)

    def _scalar(self, expected: str) -> Scalar:
        if not isinstance(self.value, Scalar) or self.is_nothing:
            raise self.refuse("has a wrong value", expected=expected, seen=self._seen())
        return self.value

    def _seen(self) -> str:
        if self.is_nothing:
            return "nothing"
        # Kind and length, never the text: it may be a key or a password, named by mistake for a document.
        return f"a text of {len(self.value.text)} characters" if isinstance(self.value, Scalar) else f"a {self.kind}"


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping whose keys are known; `missing` is the code for a key that is demanded and not there."""

    node: Node
    values: Mapping[str, Node] = field(default_factory=dict)
    missing: str = "POL_MALFORMED"

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def demand(self, key: str, read: Callable[[Node], T]) -> T:
        """Return the value of a key that must be there."""
        if key not in self.values:
            seen = ", ".join(self.values) or "none"
            raise self.node.refuse(f"lacks the key {key!r}", code=self.missing, expected=key, seen=seen)
        return read(self.values[key])

    def get(self, key: str, read: Callable[[Node], T], default: D) -> T | D:
        """Return the value of a key, or the default where it is not there."""
        return read(self.values[key]) if key in self.values else default

    def one_of(self, *keys: str) -> str:
        """Return the one key of these that is there; none or several are refused."""
        present = [key for key in keys if key in self.values]
        if len(present) != 1:
            seen = ", ".join(present) or "none"
            expected = f"exactly one of {', '.join(keys)}"
            raise self.node.refuse("is not clear", code=self.missing, expected=expected, seen=seen)
        return present[0]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, or ""."""
    lowered = {right.lower(): right for right in known}
    found = difflib.get_close_matches(word[:80].lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""


def _plain_scalar(scalar: Scalar) -> JsonValue:
    if not scalar.is_json_word:
        return scalar.text
    words: dict[str, JsonValue] = {"true": True, "false": False, "null": None, "~": None, "": None}
    if scalar.text in words:
        return words[scalar.text]
    return int(scalar.text) if scalar.text.lstrip("-+").isdigit() else float(scalar.text)
