"""Words of a Dockerfile's line as BuildKit's shell lexer reads them: quotes, escapes, variables, heredocs.

Source: moby/buildkit v0.26, frontend/dockerfile/shell/lex.go and parser/parser.go (reviewed 2026-12).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-]", re.ASCII)
_HEREDOC: Final = re.compile(r"(\d*)<<(-?)\s*([^<]*)", re.ASCII)
_MAX_DEPTH: Final = 20
# Each star more makes matching slower by the length of the value.
_MAX_STARS: Final = 3


class WordError(ValueError):
    """The word is not one that BuildKit would take."""


@dataclass(slots=True)
class Expansion:
    """What a word comes to; `unset` are the variables without a value, `used` those with one."""

    text: str
    unset: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)


def expand(word: str, variables: Mapping[str, str | None], escape: str) -> Expansion:
    """Return a word without quotes and with its variables replaced; a variable of value None is known and has no value yet.

    Raises:
        WordError: a quote or brace is not closed, or the substitution is none.
    """
    lexer = _Lexer(word, variables, escape)
    text = lexer.until("")
    return Expansion(text, lexer.unset, lexer.used)


class _Lexer:
    def __init__(self, word: str, variables: Mapping[str, str | None], escape: str) -> None:
        self.word, self.variables, self.escape = word, variables, escape
        self.position, self.depth = 0, 0
        self.unset: set[str] = set()
        self.used: set[str] = set()

    def until(self, stop: str) -> str:
        """Return the text up to `stop`, or to the end where that is empty."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise WordError("nested too deeply")
        result: list[str] = []
        while self.position < len(self.word):
            character = self._next()
            if stop and character == stop:
                self.depth -= 1
                return "".join(result)
            if character == "'":
                result.append(self._single())
            elif character == '"':
                result.append(self._double())
            elif character == "$":
                result.append(self._dollar())
            elif character == self.escape:
                result.append(self._next() if self.position < len(self.word) else "")
            else:
                result.append(character)
        if stop:
            raise WordError("a brace is not closed")
        self.depth -= 1
        return "".join(result)

    def _next(self) -> str:
        self.position += 1
        return self.word[self.position - 1]

    def _single(self) -> str:
        end = self.word.find("'", self.position)
        if end < 0:
            raise WordError("a quote is not closed")
        text, self.position = self.word[self.position : end], end + 1
        return text

    def _double(self) -> str:
        result: list[str] = []
        while self.position < len(self.word):
            character = self._next()
            if character == '"':
                return "".join(result)
            if character == "$":
                result.append(self._dollar())
                continue
            following = self.word[self.position : self.position + 1]
            if character == self.escape and following and following in ('"', "$", self.escape):
                character = self._next()
            result.append(character)
        raise WordError("a quote is not closed")

    def _dollar(self) -> str:
        if not self.word.startswith("{", self.position):
            name = self._name()
            return self._value(name) or "" if name else "$"
        self.position += 1
        name = self._name()
        if not name or self.position >= len(self.word):
            raise WordError("a bad substitution")
        operator = self._next()
        if operator == "}":
            return self._value(name) or ""
        empty_counts = operator == ":"
        if empty_counts:
            operator = self._next() if self.position < len(self.word) else ""
        return self._modified(name, operator, empty_counts=empty_counts)

    def _modified(self, name: str, operator: str, *, empty_counts: bool) -> str:
        if operator and operator in "-+?":
            before = set(self.unset), set(self.used)
            word = self.until("}")
            value = self.variables.get(name)
            is_set = value is not None and not (empty_counts and not value)
            if (operator == "-") == is_set or (operator == "+" and not is_set):
                self.unset, self.used = before  # the other word is not taken
            if operator == "?":
                return self._value(name) or ""
            self.used.add(name)
            if name in self.variables and value is None:
                self.unset.add(name)  # it is set, and only the run says to what
            return (value or "" if is_set else word) if operator == "-" else (word if is_set else "")
        if operator and operator in "#%/" and not empty_counts:
            return self._pattern(name, operator)
        raise WordError("an unknown modifier")

    def _pattern(self, name: str, operator: str) -> str:
        twice = self.word.startswith(operator, self.position)
        self.position += twice
        pattern = self.until("/" if operator == "/" else "}")
        replacement = self.until("}") if operator == "/" else ""
        value = self._value(name) or ""
        if pattern.count("*") > _MAX_STARS:
            raise WordError("a pattern with too many stars")
        expression = _glob(pattern, greedy=twice or operator == "/")
        if operator == "/":
            return re.sub(expression, lambda _: replacement, value, count=0 if twice else 1)
        if operator == "#":
            return re.sub(f"^(?:{expression})", "", value, count=1)
        return _without_suffix(value, expression, longest=twice)

    def _name(self) -> str:
        match = _NAME.match(self.word, self.position)
        if not match:
            return ""
        self.position = match.end()
        return match[0]

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        (self.unset if value is None else self.used).add(name)
        return value


def _glob(pattern: str, *, greedy: bool) -> str:
    star = ".*" if greedy else ".*?"
    return "".join(star if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)


def _without_suffix(value: str, expression: str, *, longest: bool) -> str:
    starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
    end = next((at for at in starts if re.fullmatch(expression, value[at:], re.DOTALL)), len(value))
    return value[:end]


@dataclass(frozen=True, slots=True)
class Heredoc:
    """The end word of a heredoc, and whether tabs before it are dropped."""

    end: str
    tabs: bool


def heredocs(line: str) -> list[Heredoc]:
    """Return the heredocs that a line opens, in order; their bodies follow it."""
    found = []
    for word in _raw_words(line):
        match = _HEREDOC.fullmatch(word)
        if not match or not match[3]:
            continue
        try:
            end = expand(match[3], {}, "\\")
        except WordError:
            continue
        if end.text:
            found.append(Heredoc(end.text, match[2] == "-"))
    return found


def _raw_words(line: str) -> list[str]:
    """Split at blanks outside quotes, keeping quotes and escapes; blanks after `<<` belong to the word."""
    words: list[str] = []
    current, position, quote = "", 0, ""
    while position < len(line):
        character = line[position]
        position += 1
        if character == "\\" and quote != "'":
            current += character + line[position : position + 1]
            position += 1
        elif quote:
            current += character
            quote = "" if character == quote else quote
        elif character.isspace():
            words += [current] if current else []
            current = ""
        else:
            quote = character if character in "'\"" else ""
            current += character
            if character == "<" and line[position : position + 1] == "<":
                blanks = re.compile(r"<\s*").match(line, position)
                current += blanks[0] if blanks else ""
                position = blanks.end() if blanks else position
    return [*words, current] if current else words
