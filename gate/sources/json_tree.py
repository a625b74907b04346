"""JSON, with comments and trailing commas where people write them, as the same tree that YAML gives: values with their places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import yaml

from gate.sources.text import malformed

if TYPE_CHECKING:
    from gate.sources.text import SourceText
    from gate.sources.yaml_tree import Node

_TOKEN: Final = re.compile(
    r"(?:[ \t\r\n]+|//[^\n]*|/\*(?s:.*?)\*/)*"
    r'(?:(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")|(?P<mark>[{}\[\]:,])|(?P<word>[-+.\w]+)|(?P<end>\Z))'
)
_MAX_DEPTH: Final = 200


def json_values(source: SourceText) -> Iterator[Node]:
    """Yield the values of a JSON file, one or several after another as `kubectl` takes them.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`, also after earlier values were given.
    """
    reader = _Reader(source)
    token = reader.next()
    while token.lastgroup != "end":
        yield reader.value(token, 0)
        token = reader.next()


class _Reader:
    def __init__(self, source: SourceText) -> None:
        self.source, self.position = source, 0

    def wrong(self, message: str) -> Exception:
        line = self.source.line_of(min(self.position, len(self.source.text)))
        return malformed(self.source.path, line, message, expected="well-formed JSON")

    def next(self) -> re.Match[str]:
        match = _TOKEN.match(self.source.text, self.position)
        if match is None:
            raise self.wrong("this is not JSON")
        self.position = match.end()
        return match

    def value(self, token: re.Match[str], depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self.wrong("the document is nested too deeply")
        group = token.lastgroup or ""
        start = token.start(group)
        if group == "mark" and token[group] == "{":
            return self._object(start, depth)
        if group == "mark" and token[group] == "[":
            return self._array(start, depth)
        if group == "text":
            return _scalar(start, token.end(), self._text(token), '"')
        if group == "word":
            return _scalar(start, token.end(), token[group], None)
        raise self.wrong("a value is missing")

    def _text(self, token: re.Match[str]) -> str:
        try:
            return str(json.loads(token["text"], strict=False))
        except ValueError as error:
            raise self.wrong("a text is malformed") from error

    def _object(self, start: int, depth: int) -> Node:
        found: list[tuple[Node, Node]] = []
        token = self.next()
        while not _is(token, "}"):
            if token.lastgroup != "text":
                raise self.wrong("a key is missing")
            key = _scalar(token.start("text"), token.end(), self._text(token), '"')
            if not _is(self.next(), ":"):
                raise self.wrong("a colon is missing")
            found.append((key, self.value(self.next(), depth + 1)))
            token = self._after_value("}")
        return yaml.MappingNode("", found, _mark(start), _mark(self.position))

    def _array(self, start: int, depth: int) -> Node:
        found: list[Node] = []
        token = self.next()
        while not _is(token, "]"):
            found.append(self.value(token, depth + 1))
            token = self._after_value("]")
        return yaml.SequenceNode("", found, _mark(start), _mark(self.position))

    def _after_value(self, end: str) -> re.Match[str]:
        token = self.next()
        if _is(token, ","):
            return self.next()
        if _is(token, end):
            return token
        raise self.wrong("a comma is missing")


def _is(token: re.Match[str], mark: str) -> bool:
    return token.lastgroup == "mark" and token["mark"] == mark


def _mark(index: int) -> yaml.Mark:
    return yaml.Mark("", index, 0, 0, None, 0)


def _scalar(start: int, end: int, value: str, style: str | None) -> Node:
    return yaml.ScalarNode("", value, _mark(start), _mark(end), style)
