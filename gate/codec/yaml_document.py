"""YAML, read so that nobody can be surprised: text into places with values, or one refusal with line and column.

Only the part of YAML that people write in configuration is taken: mappings, sequences, texts. Refused are anchors,
aliases and merge keys (a bomb, or a value that stands elsewhere than it works), tags (`!!python/...`), directives, a
second document, a key that is given twice, keys that are not text, other encodings than UTF-8, characters that a reviewer
and a parser do not read alike (`gate.codec.yaml_characters`), and more than the limits below. No scalar is converted here:
what `true` or `2027-01-31` means, says whoever asks for a text, a boolean or a date (`gate.codec.yaml_node`), so that no
reader's list of magic words decides.

Specification: YAML 1.2.2; attack P05.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from gate.codec.strict_json import printable
from gate.codec.yaml_characters import deceiving, deceiving_value
from gate.codec.yaml_node import Entry, Node, Scalar
from gate.errors import PolicyError

# A policy of this size holds about a thousand waivers: more is a mistake or an attack.
MAX_BYTES: Final = 512 * 1024
MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 24
# The C parser where PyYAML has it (every wheel has); both give the same events, and a test compares them.
SAFE_LOADER: Final[type] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(data: bytes, *, name: str) -> Node | None:
    """Parse one untrusted document; `name` is the file's name in messages. None: the document holds nothing.

    Raises:
        PolicyError: `POL_MALFORMED`, or `POL_DUPLICATE_KEY`; the message begins with `name:line:column`.
    """
    if len(data) > MAX_BYTES:
        raise _refusal(name, 1, 1, "the document is too large", f"at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(name, line, 1, "the document is not UTF-8", "UTF-8", f"a wrong byte at {error.start}") from error
    text = text.removeprefix("\ufeff")
    _require_plain_characters(text, name)
    try:
        return _Builder(name, yaml.parse(text, Loader=SAFE_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _refusal(name, *place, "this is not YAML", "well-formed YAML", str(error.problem or "")) from error
    except yaml.YAMLError as error:
        raise _refusal(name, 1, 1, "this is not YAML", "printable characters only", "a control character") from error


def _require_plain_characters(text: str, name: str) -> None:
    """Refuse what a reviewer and a parser do not read alike, comments included."""
    found = deceiving(text)
    if found is not None:
        before = text[: found[0]]
        line, column = before.count("\n") + 1, found[0] - (before.rfind("\n") + 1) + 1
        raise _refusal(name, line, column, "readers differ on a character here", "plain text", found[1])


def _refusal(
    name: str, line: int, column: int, message: str, expected: str, seen: str, *, code: str = "POL_MALFORMED"
) -> PolicyError:
    return PolicyError(f"{name}:{line}:{column}: {message}", code=code, expected=expected, seen=printable(seen))


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Builder:
    """Turn the parser's events into nodes, counting as it goes: a bomb ends at the limit, not in memory."""

    def __init__(self, name: str, events: Iterator[yaml.Event]) -> None:
        self.name = name
        self.events = events
        self.nodes = 0

    def document(self) -> Node | None:
        """Read the stream's only document."""
        root: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._wrong(event, "a second document begins here", "one document")
                if event.version or event.tags:
                    raise self._wrong(event, "the document has a directive", "no %YAML and no %TAG")
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, "", 1)
        return None if root is not None and root.is_nothing else root

    def _node(self, event: yaml.Event, path: str, depth: int) -> Node:
        self._count(event, depth)
        value: Scalar | tuple[Node, ...] | tuple[Entry, ...]
        kind = "mapping"
        if isinstance(event, yaml.ScalarEvent):
            self._require_plain_value(event)
            kind, value = "scalar", Scalar(event.value, plain=not event.style)
        elif isinstance(event, yaml.SequenceStartEvent):
            kind, value = "sequence", self._items(path, depth)
        else:
            value = self._entries(path, depth)
        line, column = _place(event)
        return Node(document=self.name, path=path, line=line, column=column, kind=kind, value=value)

    def _count(self, event: yaml.Event, depth: int) -> None:
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._wrong(event, "an anchor or alias stands here", "every value where it is used")
        if getattr(event, "tag", None):
            raise self._wrong(event, "a tag stands here", "no tags", str(getattr(event, "tag", "")))
        if depth > MAX_DEPTH:
            raise self._wrong(event, "the document is nested too deeply", f"at most {MAX_DEPTH} levels")
        if self.nodes > MAX_NODES:
            raise self._wrong(event, "the document is too large", f"at most {MAX_NODES} values")

    def _items(self, path: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, f"{path}[{len(items)}]", depth + 1))
        return tuple(items)

    def _entries(self, path: str, depth: int) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, entries)
            below = f"{path}.{printable(key, 60)}" if path else printable(key, 60)
            entries[key] = Entry(key, *_place(event), self._node(next(self.events), below, depth + 1))
        return tuple(entries.values())

    def _key(self, event: yaml.Event, before: dict[str, Entry]) -> str:
        self._count(event, 1)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._wrong(event, "a key is not text", "a word")
        self._require_plain_value(event)
        if event.value == "<<" and not event.style:
            raise self._wrong(event, "a merge key stands here", "every value where it is used")
        if event.value in before:
            message = f"the key {printable(event.value, 60)!r} is given twice"
            first = f"the first at line {before[event.value].line}"
            raise self._wrong(event, message, "it once", first, "POL_DUPLICATE_KEY")
        return str(event.value)

    def _require_plain_value(self, event: yaml.ScalarEvent) -> None:
        """Refuse in a value or key, escapes resolved, what is refused in the text, and spaces that part nothing."""
        found = deceiving_value(event.value)
        if found:
            raise self._wrong(event, "readers differ on a character here", "plain text", found)

    def _wrong(
        self, event: yaml.Event, message: str, expected: str, seen: str = "", code: str = "POL_MALFORMED"
    ) -> PolicyError:
        return _refusal(self.name, *_place(event), message, expected, seen, code=code)
