"""A Dockerfile as its instructions, each with the way back to where it stands: continuations joined, heredocs left out.

BuildKit's own rules: a comment or blank line inside a continuation is left out, the escape directive changes what continues a
line, and the body of a heredoc is no instruction. Source: moby/buildkit v0.26, frontend/dockerfile/parser (reviewed 2026-12).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from gate.sources.dockerfile_words import heredocs
from gate.sources.text import malformed

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_BLANKS: Final = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE: Final = re.compile(r"(#|//)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$", re.ASCII)
_DIRECTIVES: Final = frozenset({"syntax", "escape", "check"})
# BuildKit's scanner takes no longer line.
MAX_LINE: Final = 64 * 1024 - 1
_HEREDOC_INSTRUCTIONS: Final = frozenset({"add", "copy", "run"})


class Line:
    """A joined line: `text`, and for each character of it where it stands in the file."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self._places: list[int] = []
        self._length = 0

    def append(self, piece: str, place: int) -> None:
        """Append a piece that stands at `place` in the file."""
        self._pieces.append(piece)
        self._starts.append(self._length)
        self._places.append(place)
        self._length += len(piece)

    @cached_property
    def text(self) -> str:
        """The whole line; nothing is appended after it was asked for."""
        return "".join(self._pieces)

    def place(self, index: int) -> int:
        """Return where a character of the line stands in the file; the end of the line stands after its last character."""
        piece = max(0, bisect_right(self._starts, index) - 1)
        return self._places[piece] + index - self._starts[piece]

    def end_place(self, index: int) -> int:
        """Return where the part of the line that ends before `index` ends in the file."""
        return self.place(index - 1) + 1 if index else self.place(0)


@dataclass(frozen=True, slots=True)
class Word:
    """A word without quotes and escapes; `start` and `end` are where it is in its line, quotes included."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `name` in lower case, its `--flags`, and where in the line its arguments begin."""

    name: str
    line: Line
    flags: tuple[Word, ...]
    arguments: int
    trigger: bool = False

    def words(self) -> list[Word]:
        """Return the arguments, split at blanks: quotes mean nothing here."""
        return [Word(m[0], m.start(), m.end()) for m in re.finditer(r"[^\t\v\f\r ]+", self.line.text[self.arguments :])]


@dataclass(frozen=True, slots=True)
class Directive:
    """A parser directive: `name` in lower case, and where its value stands in the file."""

    name: str
    value: str
    start: int


def directives(source: SourceText) -> list[Directive]:
    """Return the directives at the top of the file; `//` begins one too, which BuildKit takes for the syntax alone."""
    return _directives(source, "#") or [found for found in _directives(source, "//") if found.name == "syntax"]


def _directives(source: SourceText, mark: str) -> list[Directive]:
    found: list[Directive] = []
    position = source.text.find("\n") + 1 if source.text.startswith("#!") else 0
    while position < len(source.text):
        end = source.text.find("\n", position)
        end = len(source.text) if end < 0 else end
        match = _DIRECTIVE.match(source.text[position:end].rstrip("\r"))
        if not match or match[1] != mark or match[2].lower() not in _DIRECTIVES:
            break
        found.append(Directive(match[2].lower(), match[3], position + match.start(3)))
        position = end + 1
    return found


def escape_of(found: list[Directive]) -> str:
    """Return the character that escapes and continues lines."""
    return "`" if any(item.name == "escape" and item.value == "`" for item in found) else "\\"


def instructions(source: SourceText, escape: str) -> Iterator[Instruction]:
    """Yield the instructions in order.

    Raises:
        EvidenceError: a heredoc does not end.
    """
    lines = _Lines(source)
    continued = re.compile(rf"(?:^|(?<=[^{re.escape(escape)}])){re.escape(escape)}[ \t]*$")
    while (joined := _joined(lines, continued)) is not None:
        if not joined.text.strip():
            continue
        instruction = _instruction(joined, 0, escape)
        yield instruction
        if "<<" in joined.text and _takes_heredocs(instruction):
            for heredoc in heredocs(joined.text):
                if not lines.skip_to(heredoc.end, tabs=heredoc.tabs):
                    raise malformed(source.path, source.line_of(joined.place(0)), "a heredoc does not end")


class _Lines:
    """The lines of a text, one by one, each with where it begins."""

    def __init__(self, source: SourceText) -> None:
        self.source, self.text, self.position = source, source.text, 0

    def next(self) -> tuple[str, int] | None:
        """Return the next line without its end, and its place."""
        if self.position >= len(self.text):
            return None
        start, end = self.position, self.text.find("\n", self.position)
        end = len(self.text) if end < 0 else end
        self.position = end + 1
        if end - start > MAX_LINE:
            raise malformed(
                self.source.path, self.source.line_of(start), "a line is too long", expected=f"at most {MAX_LINE}"
            )
        return self.text[start:end].rstrip("\r"), start

    def skip_to(self, end: str, *, tabs: bool) -> bool:
        """Leave out lines up to the one that is `end`; report whether there is one."""
        while (line := self.next()) is not None:
            if (line[0].lstrip("\t") if tabs else line[0]) == end:
                return True
        return False


def _joined(lines: _Lines, continued: re.Pattern[str]) -> Line | None:
    """Return the next line with what continues it, or None at the end."""
    result, first = Line(), True
    while (line := lines.next()) is not None:
        text, place = line
        stripped = text.lstrip()
        if stripped.startswith("#"):
            if first:
                return result
            continue
        if first:
            text, place = stripped, place + len(text) - len(stripped)
        elif not stripped:
            continue
        match = continued.search(text)
        result.append(text[: match.start()] if match else text, place)
        if not match:
            return result
        first = False
    return None if first else result


def _instruction(line: Line, start: int, escape: str) -> Instruction:
    text = line.text
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    blank = _BLANKS.search(text, begin)
    name = text[begin : blank.start() if blank else len(text)].rstrip().lower()
    flags, arguments = _flags(text, blank.end() if blank else len(text), escape)
    if name == "onbuild" and arguments < len(text):
        inner = _instruction(line, arguments, escape)
        return Instruction(inner.name, line, inner.flags, inner.arguments, trigger=True)
    return Instruction(name, line, tuple(flags), arguments)


def _flags(text: str, position: int, escape: str) -> tuple[list[Word], int]:
    """Return the words that begin with `--` before the arguments, and where the arguments begin."""
    flags: list[Word] = []
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith("--", position):
            return flags, position
        word = _flag(text, position, escape)
        position = word.end
        if word.text == "--":
            return flags, position
        flags.append(word)


def _flag(text: str, start: int, escape: str) -> Word:
    result, quote, position = "", "", start
    while position < len(text) and (quote or not text[position].isspace()):
        character = text[position]
        position += 1
        if character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif character == escape:
            result += text[position : position + 1]
            position += 1
        else:
            result += character
    return Word(result, start, min(position, len(text)))


def _takes_heredocs(instruction: Instruction) -> bool:
    if instruction.name not in _HEREDOC_INSTRUCTIONS:
        return False
    arguments = instruction.line.text[instruction.arguments :].strip()
    if not arguments.startswith("["):
        return True
    try:
        return not isinstance(json.loads(arguments), list)
    except ValueError:
        return True
    except RecursionError:
        return False
