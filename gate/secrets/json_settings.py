"""Names that JSON assigns values to, with their key paths. The document is parsed only where a place in it may be a secret.

A whole parse costs fifty times what the automaton does; most documents that speak of tokens and passwords assign none.
Specification: RFC 8259; checks reference, section 8.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from gate.secrets.names import kind_of
from gate.secrets.places import NO_OFFSET, Assignment

# A section of an INI or TOML file begins otherwise, and so does a template.
_BEGINNING = re.compile(r"[\xef\xbb\xbf \t\r\n]*(?:\{\s*[\"}]|\[\s*[\"{\]])")
_MAX_NAME: Final = 200
# What stands behind a place: a text, or the text of the member `value`.
_VALUE = re.compile(r'\s{0,80}"(?![{\[<&*!$])([^"\\ ]{4}|[^"\\ ]{0,3}\\)')
_NAMED = re.compile(r'"(?:name|key)"\s{0,20}:\s{0,20}"([^"\\]{1,150})"\s{0,20},$')
_VARIABLE = re.compile(r"([A-Za-z_]\w{0,100})=(.*)", re.ASCII | re.DOTALL)
# A name and its sign at the end of a text, behind a break, a blank, a quote or a dash.
_NAME_BEFORE = re.compile(r"(?:\\[nrt]|[^\w.])([A-Za-z_][\w.-]{0,100})[ \t]{0,4}(?:\\\"|')?[ \t]{0,4}[=:]$", re.ASCII)
_KEY_BEFORE = re.compile(
    r"(?:\\[nrt]|\")[ \t]{0,40}(?:\\{1,7}\"|')?([A-Za-z_][\w.-]{0,100})(?:\\{1,7}\"|')?[ \t]{0,4}:$", re.ASCII
)
_ASSIGNMENT = re.compile(
    r"""(?<![\w.$:/-])-{0,2}["']?([A-Za-z_][\w.-]{0,100})["']?[ \t]{0,4}[=:][ \t]{0,4}"""
    r"""(?:"([^"\r\n]{4,512})"|'([^'\r\n]{4,512})'|([^\s"'&;,{}\[\]]{4,512}))()""",
    re.ASCII,
)
_MAX_TEXT: Final = 64 * 1024
_VALUE_MEMBER: Final = '"value"'
_MEMBER_REACH: Final = 400
_MAX_DEPTH: Final = 60
# A document within a document counts as so many steps: each is parsed once more.
_DOCUMENT_DEPTH: Final = 15


def is_json(text: str) -> bool:
    """Say whether a text begins like a JSON document that holds others."""
    return _BEGINNING.match(text) is not None


def find_json(text: str, ends: Sequence[int]) -> list[Assignment] | None:
    """Return what a document assigns to names of secrets; empty where no place looks so, None where it is no JSON."""
    if not any(_may_assign(text, end) for end in ends):
        return []
    try:
        value = json.loads(text.lstrip("\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    return _walk(value)


def _may_assign(text: str, end: int) -> bool:
    if text[end - 1] == ",":
        named = _NAMED.search(text, max(0, end - _MAX_NAME), end)
        return bool(named and kind_of(named[1]) and text.find(_VALUE_MEMBER, end, end + _MEMBER_REACH) >= 0)
    if text[end - 1] == "=":
        return _names_in_text(text, end, _NAME_BEFORE)
    if text[end - 1] != ":":
        return False
    if not _VALUE.match(text, end):
        # A document in the document: its keys begin a line.
        return _names_in_text(text, end, _KEY_BEFORE)
    close = text.rfind('"', max(0, end - _MAX_NAME), end)
    name = text[text.rfind('"', max(0, close - _MAX_NAME), close) + 1 : close]
    return kind_of(name) is not None


def _names_in_text(text: str, end: int, form: re.Pattern[str]) -> bool:
    """Say whether the name of a secret stands right before a sign inside a text: `"env": "A=1 DB_PASSWORD=..."`."""
    found = form.search(text[max(0, end - _MAX_NAME) : end])
    return found is not None and kind_of(found[1]) is not None


# The steps from the top of a document, the last one first: written out only for the few that are shown.
_Path: TypeAlias = "tuple[_Path, str] | None"


def _dotted(path: _Path) -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return "".join(reversed(steps)).lstrip(".")


def _walk(document: object) -> list[Assignment]:
    found: list[Assignment] = []
    stack: list[tuple[_Path, str, object, int]] = [(None, "", document, 0)]
    while stack:
        path, name, node, depth = stack.pop()
        if isinstance(node, str):
            if len(node) >= 4 and name and kind_of(name) is not None:
                found.append(Assignment(_dotted(path), name, node, NO_OFFSET))
            elif (inner := _document_in(node)) is not None and depth < _MAX_DEPTH:
                stack.append((path, "", inner, depth + _DOCUMENT_DEPTH))
            else:
                found += _in_text(path, node)
        elif depth < _MAX_DEPTH and isinstance(node, dict):
            pairs = [((path, f".{key}"), str(key), item, depth + 1) for key, item in node.items()]
            stack.extend(reversed([*pairs, *_named_pair(path, node, depth)]))
        elif depth < _MAX_DEPTH and isinstance(node, list):
            stack.extend(((path, f"[{number}]"), *_variable(item), depth + 1) for number, item in enumerate(node))
    return found


def _document_in(text: str) -> object | None:
    """Return the document that a text in a document holds; None where it holds none."""
    try:
        return json.loads(text) if text[:1] in {"{", "["} else None
    except (ValueError, RecursionError):
        return None


def _in_text(path: _Path, text: str) -> list[Assignment]:
    """Return what a text inside a document assigns: a file of settings, a command line, a document in the document."""
    # Pages of documentation hold samples in their markup.
    if ("=" not in text and ":" not in text) or "</" in text:
        return []
    return [
        Assignment(
            f"{_dotted(path)}.{one[1]}".lstrip("."), one[1], one[2] or one[3] or one[4], NO_OFFSET, sign=one[5] or ""
        )
        for one in _ASSIGNMENT.finditer(text[:_MAX_TEXT])
        if kind_of(one[1]) is not None
    ]


def _variable(item: object) -> tuple[str, object]:
    """Return name and value of `NAME=value`, as containers' environments are listed; no name where it is none."""
    found = _VARIABLE.match(item) if isinstance(item, str) else None
    return (found[1], found[2]) if found else ("", item)


def _named_pair(path: _Path, node: dict[str, object], depth: int) -> list[tuple[_Path, str, object, int]]:
    """Read `{"name": "DB_PASSWORD", "value": "..."}` as what it says: containers' environments are written so."""
    name, value = node.get("name", node.get("key")), node.get("value")
    if not isinstance(name, str) or not isinstance(value, str):
        return []
    return [((path, f".{name}"), name, value, depth + 1)]
