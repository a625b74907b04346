"""HCL as blocks and attributes with places: literals are read, every other expression is only known to be one.

`jsonencode` and `yamlencode` of a literal are that literal. Specification: HashiCorp, "HCL Native Syntax Specification".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gate.sources.text import malformed

if TYPE_CHECKING:
    from gate.sources.text import SourceText

_SPACE: Final = re.compile(r"(?:[ \t\r]+|#[^\n]*|//[^\n]*|/\*(?s:.*?)\*/)*")
_SPACE_AND_LINES: Final = re.compile(r"(?:\s+|#[^\n]*|//[^\n]*|/\*(?s:.*?)\*/)*")
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*")
_HEREDOC: Final = re.compile(r"<<(-?)([A-Za-z_][\w-]*)\r?\n")
_ENCODERS: Final = re.compile(r"(?:jsonencode|yamlencode)\s*\(")
_ENDS: Final = frozenset("\n,]})")
_CLOSING: Final = _ENDS - {"\n"}
_PLAIN: Final = re.compile(r"[^\s\"'(\[{<,\]})#/]+")
_ESCAPES: Final = re.compile(r'\\(["\\nrt])')
_MAX_DEPTH: Final = 60


@dataclass(slots=True)
class Value:
    """An expression from `start` up to `end`; `text` is that of a literal string, with its quotes left out of the place."""

    start: int
    end: int
    text: str | None = None
    items: list[Value] = field(default_factory=list)
    fields: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Block:
    """A block: its type, its labels, its attributes and the blocks in it."""

    type: str
    labels: tuple[str, ...]
    start: int
    end: int
    attributes: dict[str, Value] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


def read_hcl(source: SourceText) -> Block:
    """Return the file as one block without a type.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`.
    """
    reader = _Reader(source)
    root = Block("", (), 0, 0)
    reader.body(root, "", 0)
    return root


class _Reader:
    def __init__(self, source: SourceText) -> None:
        self.source, self.text, self.at = source, source.text, 0
        self.brackets = 0

    def wrong(self, message: str) -> Exception:
        line = self.source.line_of(min(self.at, len(self.text)))
        return malformed(self.source.path, line, message, expected="well-formed HCL")

    def skip(self, pattern: re.Pattern[str] = _SPACE_AND_LINES) -> str:
        """Skip blanks and comments; return the character that follows, or nothing at the end."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def body(self, block: Block, end: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self.wrong("nested too deeply")
        while (character := self.skip()) != end:
            word = _WORD.match(self.text, self.at)
            if word is None:
                raise self.wrong("an attribute or a block must stand here" if character else "a block does not end")
            start, self.at = self.at, word.end()
            if self.skip(_SPACE) == "=" and not self.text.startswith("==", self.at):
                self.at += 1
                block.attributes[word[0]] = self.value(depth, inside=False)
            else:
                block.blocks.append(self.block(word[0], start, depth))
        self.at += len(end)

    def block(self, kind: str, start: int, depth: int) -> Block:
        labels: list[str] = []
        while (character := self.skip(_SPACE)) != "{":
            word = _WORD.match(self.text, self.at)
            if character == '"':
                labels.append(self.string().text or "")
            elif word is not None:
                labels.append(word[0])
                self.at = word.end()
            else:
                raise self.wrong("a block has no body")
        self.at += 1
        block = Block(kind, tuple(labels), start, start + len(kind))
        self.body(block, "}", depth + 1)
        return block

    def value(self, depth: int, *, inside: bool) -> Value:
        """Return an expression; `inside` brackets a line may end within it."""
        if depth > _MAX_DEPTH:
            raise self.wrong("nested too deeply")
        pattern = _SPACE_AND_LINES if inside else _SPACE
        character = self.skip(pattern)
        start = self.at
        value = self.primary(character, depth)
        following = self.skip(pattern)
        if value is not None and (not following or following in _ENDS):
            return value
        self.at = value.end if value is not None else start
        self.rest(inside=inside)
        return Value(start, start + len(self.text[start : self.at].rstrip()))

    def primary(self, character: str, depth: int) -> Value | None:
        if character == '"':
            return self.string()
        if character == "[":
            return self.sequence(depth)
        if character == "{":
            return self.mapping(depth)
        if heredoc := _HEREDOC.match(self.text, self.at):
            return self.heredoc(heredoc)
        if encoder := _ENCODERS.match(self.text, self.at):
            self.at = encoder.end()
            value = self.value(depth + 1, inside=True)
            if self.skip() == ")":
                self.at += 1
                return Value(value.start, self.at, value.text, value.items, value.fields)
        return None

    def string(self) -> Value:
        """Return a quoted string; one with a template in it has no text."""
        start, literal = self.at + 1, True
        self.at += 1
        while (character := self.text[self.at : self.at + 1]) != '"':
            if not character or character == "\n":
                raise self.wrong("a string does not end")
            if character == "\\":
                self.at += 2
            elif self.text.startswith(("$${", "%%{"), self.at):
                self.at += 3
            elif self.text.startswith(("${", "%{"), self.at):
                literal = False
                self.at += 2
                self.nested("}")
            else:
                self.at += 1
        raw = self.text[start : self.at]
        self.at += 1
        return Value(start, self.at - 1, _unescaped(raw) if literal else None)

    def heredoc(self, opening: re.Match[str]) -> Value:
        closing = re.compile(rf"^[ \t]*{re.escape(opening[2])}[ \t]*\r?$", re.MULTILINE).search(
            self.text, opening.end()
        )
        if closing is None:
            raise self.wrong("a heredoc does not end")
        self.at = closing.end()
        body = self.text[opening.end() : closing.start()]
        return Value(opening.end(), closing.start(), None if "${" in body else body)

    def sequence(self, depth: int) -> Value:
        result = Value(self.at, self.at)
        self.at += 1
        while self.skip() != "]":
            result.items.append(self.value(depth + 1, inside=True))
            if self.skip() == ",":
                self.at += 1
            elif self.skip() != "]":
                self.rest(inside=True)  # `[for ...]`: its parts are no literals
        self.at += 1
        result.end = self.at
        return result

    def mapping(self, depth: int) -> Value:
        result = Value(self.at, self.at)
        self.at += 1
        while (character := self.skip()) != "}":
            if not character:
                raise self.wrong("a brace is not closed")
            if character == ",":
                self.at += 1
                continue
            key = self.key()
            if self.skip() not in {"=", ":"} or self.text.startswith("=>", self.at):
                self.rest(inside=True)  # `{for ...}`
                continue
            self.at += 1
            result.fields[key] = self.value(depth + 1, inside=False)
        self.at += 1
        result.end = self.at
        return result

    def key(self) -> str:
        if self.text[self.at] == '"':
            return self.string().text or ""
        word = _WORD.match(self.text, self.at)
        if word is not None:
            self.at = word.end()
            return word[0]
        self.at += 1
        if self.text[self.at - 1] in "([":
            self.nested(")" if self.text[self.at - 1] == "(" else "]")
        return ""

    def rest(self, *, inside: bool) -> None:
        """Skip what is left of an expression."""
        while (character := self.skip(_SPACE_AND_LINES if inside else _SPACE)) and character not in _ENDS - (
            {"\n"} if inside else set()
        ):
            self.step(character)
        if not character and inside:
            raise self.wrong("a bracket is not closed")

    def nested(self, end: str) -> None:
        """Skip up to and with a closing bracket."""
        self.brackets += 1
        if self.brackets > _MAX_DEPTH:
            raise self.wrong("nested too deeply")
        while (character := self.skip()) != end:
            if not character:
                raise self.wrong("a bracket is not closed")
            self.step(character)
        self.at += 1
        self.brackets -= 1

    def step(self, character: str) -> None:
        heredoc = _HEREDOC.match(self.text, self.at)
        if character == '"':
            self.string()
        elif heredoc is not None:
            self.heredoc(heredoc)
        elif character in "([{":
            self.at += 1
            self.nested({"(": ")", "[": "]", "{": "}"}[character])
        else:
            plain = _PLAIN.match(self.text, self.at)
            self.at = plain.end() if plain else self.at + 1


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPES.sub(lambda match: {"n": "\n", "r": "\r", "t": "\t"}.get(match[1], match[1]), text)
