"""YAML and JSON as trees whose values know where they stand. Nothing here is ever written back: only bytes are replaced.

PyYAML's composer gives nodes with marks, libyaml bounds their nesting, and an alias is the node that it names: a bomb of aliases
costs nothing until it is walked, so every walk here goes through a node once. JSON is read by a scanner of its own, because YAML
1.1 takes neither surrogate pairs nor comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

import yaml

from gate.model.found_reference import Standing
from gate.sources.templates import TEMPLATE
from gate.sources.text import About, SourceText, malformed

Node: TypeAlias = yaml.Node
LOADER: Final[type] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
# Aliases that hold each other are followed so far; a file that people write has a tenth of it.
MAX_NODES: Final = 500_000
_MAX_MERGES: Final = 100


def documents(source: SourceText) -> Iterator[Node]:
    """Yield the documents of a YAML file.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`, also after earlier documents were given.
    """
    try:
        yield from yaml.compose_all(source.text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise malformed(source.path, line, "this is not YAML", expected="well-formed YAML") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise malformed(source.path, 0, "this is not YAML", expected="well-formed YAML") from error


def text_of(node: Node | None) -> str:
    """Return the text of a scalar; an empty text for null and for what is no scalar."""
    if not isinstance(node, yaml.ScalarNode) or (not node.style and node.value in _NULLS):
        return ""
    return str(node.value)


def items(node: Node | None) -> list[Node]:
    """Return the items of a sequence, or nothing."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def pairs(source: SourceText, node: Node | None) -> dict[str, Node]:
    """Return the keys of a mapping with their values, merge keys included; nothing for what is no mapping.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`: a key stands twice, and readers differ in which of them counts.
    """
    if not isinstance(node, yaml.MappingNode):
        return {}
    return _pairs(source, node, frozenset())


def _pairs(source: SourceText, node: yaml.MappingNode, above: frozenset[int]) -> dict[str, Node]:
    own: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if name == "<<" and not key.style:
            for below in [value, *items(value)]:
                if isinstance(below, yaml.MappingNode) and id(below) not in above and len(above) < _MAX_MERGES:
                    merged = _merged(source, below, above | {id(node)}) | merged
            continue
        if name in own:
            line = key.start_mark.line + 1
            raise malformed(
                source.path, line, "a key stands twice, and readers differ in which counts", expected="it once"
            )
        own[name] = value
    return merged | own


def _merged(source: SourceText, node: yaml.MappingNode, above: frozenset[int]) -> dict[str, Node]:
    """Return what a merge key brings, worked out once a node: merges of merges would cost ten times more at each level."""
    known = source.merged.get(id(node))
    if known is None:
        # The node is kept with it, so that its id is not given to another one.
        known = source.merged[id(node)] = (node, _pairs(source, node, above))
    return known[1]


def child(source: SourceText, node: Node | None, *path: str) -> Node | None:
    """Return the value at a path of keys, or None."""
    for key in path:
        node = pairs(source, node).get(key)
    return node


def place(source: SourceText, node: Node) -> tuple[int, int]:
    """Return where the text of a scalar stands, without quotes, anchor and tag; all of it where it is written otherwise."""
    start, end = node.start_mark.index, node.end_mark.index
    properties = _PROPERTIES.match(source.text, start, end)
    begin = properties.end() if properties else start
    value = str(node.value)
    at = source.text.find(value, begin, end) if value else -1
    if at >= 0 and source.text.find(value, at + 1, end) < 0:
        return at, at + len(value)
    return start, end


def mappings(source: SourceText, root: Node) -> Iterator[tuple[str, dict[str, Node]]]:
    """Yield every mapping below a node with its path, each node once.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`, for a document of too many values.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Node]] = [("", root)]
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if len(seen) > MAX_NODES:
            raise malformed(source.path, 0, "the document holds too many values", expected=f"at most {MAX_NODES}")
        if isinstance(node, yaml.MappingNode):
            found = pairs(source, node)
            yield path, found
            waiting += [(f"{path}.{key}" if path else key, value) for key, value in reversed(found.items())]
        else:
            waiting += [(f"{path}[{number}]", item) for number, item in reversed(list(enumerate(node.value)))]


def add_embedded(source: SourceText, node: Node | None, read: Callable[[SourceText], None], reached: str) -> None:
    """Report the references of a document that stands as text in a scalar; they are pinned by hand, for the text is indented."""
    text = text_of(node)
    if node is None or not text:
        return
    inner = SourceText(source.path, text.encode(), source.neighbour)
    read(inner)
    position, end = node.start_mark.index, node.end_mark.index
    for found in inner.found:
        at = source.text.find(found.text, position, end)
        span = (at, at + len(found.text)) if at >= 0 else (node.start_mark.index, end)
        position = span[1] if at >= 0 else position
        standing = Standing(found.state, found.code, found.note, found.image)
        about = About(value=found.value, platform=found.platform, fixable=False, advisory=found.advisory)
        source.add(*span, found.kind, standing, f"{reached}: {found.reached}", about)


def add_image(source: SourceText, node: Node | None, reached: str, about: About | None = None) -> None:
    """Report the image that a scalar names; null and what is no scalar name none, a template decides later."""
    text = text_of(node)
    if node is None or not text:
        return
    start, end = place(source, node)
    more = about or About()
    value = more.value or text
    if TEMPLATE.search(value):
        source.add_unresolved(start, end, reached, "a variable or template decides it", value)
        return
    whole = source.text[start:end] == text
    source.add_image(start, end, reached, replace(more, value=value, fixable=more.fixable and whole))
