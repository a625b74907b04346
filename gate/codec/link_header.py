"""The `Link` header of HTTP, as a registry writes it where a list goes on.

What is not read here is a page that is not asked for, and what stands on it (a FAILED verdict) is not seen. So the whole
grammar is read: several links, parameters in any order and case, quoted texts with commas and semicolons, several relations
in one parameter. A header that does not fit the grammar is refused instead of read as one without a next page.

`requests.utils.parse_header_links` splits at every comma and semicolon, also at those in quoted texts, and keeps the case.

Specification: RFC 8288, sections 3 and B.2; RFC 9110, section 5.6 (tokens and quoted texts).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gate.codec.strict_json import printable
from gate.errors import RegistryError

MAX_LINKS: Final = 64
_MAX_CHARACTERS: Final = 16 * 1024
_SPACE: Final = re.compile(r"[ \t]*")
_TARGET: Final = re.compile(r"<([^<>\s]*)>")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
# RFC 8288 B.3 takes any text up to the next delimiter for a value without quotation marks.
_BARE: Final = re.compile(r'[^",; \t]*')
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its target as written, and its relations in lower case."""

    target: str
    relations: frozenset[str]


def parse_links(text: str) -> tuple[Link, ...]:
    """Parse the joined values of all `Link` headers of an answer; "" has none.

    Raises:
        RegistryError: `REG_MALFORMED`.
    """
    if len(text) > _MAX_CHARACTERS:
        raise _malformed(text)
    links: list[Link] = []
    place = _skip_commas(text, 0)
    while place < len(text):
        link, place = _link(text, place)
        links.append(link)
        place = _past(_SPACE, text, place)
        if place < len(text) and text[place] != ",":
            raise _malformed(text)
        place = _skip_commas(text, place)
        if len(links) > MAX_LINKS:
            raise _malformed(text)
    return tuple(links)


def next_target(text: str) -> str | None:
    """Return where a list goes on, None where it ends.

    Raises:
        RegistryError: `REG_MALFORMED`, also for two different pages that would both be the next.
    """
    targets = {link.target for link in parse_links(text) if "next" in link.relations}
    if len(targets) > 1:
        raise _malformed(text)
    return next(iter(targets), None)


def _link(text: str, place: int) -> tuple[Link, int]:
    match = _TARGET.match(text, place)
    if match is None:
        raise _malformed(text)
    place = match.end()
    relations: frozenset[str] | None = None
    while True:
        place = _past(_SPACE, text, place)
        if not text.startswith(";", place):
            return Link(match.group(1), relations or frozenset()), place
        name, value, place = _parameter(text, _past(_SPACE, text, place + 1))
        # Only the first one counts.
        if name == "rel" and relations is None:
            relations = frozenset(value.lower().split())


def _parameter(text: str, place: int) -> tuple[str, str, int]:
    """Return name, value and the place behind; an empty parameter between two semicolons has no name."""
    match = _NAME.match(text, place)
    if match is None:
        if text.startswith((";", ","), place) or place == len(text):
            return "", "", place
        raise _malformed(text)
    name = match.group().lower()
    place = _past(_SPACE, text, match.end())
    if not text.startswith("=", place):
        return name, "", place
    place = _past(_SPACE, text, place + 1)
    quoted = _QUOTED.match(text, place)
    if quoted is not None:
        return name, _ESCAPED.sub(r"\1", quoted.group(1)), quoted.end()
    if text.startswith('"', place):
        raise _malformed(text)
    end = _past(_BARE, text, place)
    return name, text[place:end], end


def _skip_commas(text: str, place: int) -> int:
    """Skip white space and commas: RFC 9110 allows empty elements of a list."""
    while place < len(text) and text[place] in ", \t":
        place += 1
    return place


def _past(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match is not None else place


def _malformed(text: str) -> RegistryError:
    return RegistryError(
        "the registry's Link header cannot be read",
        code="REG_MALFORMED",
        expected='<address>; rel="next"',
        seen=printable(text),
    )
