"""Names and patterns in policies: what could never match, or could match too much, is refused when the policy is read.

A pattern over repositories is compared with normalised names (`docker.io/library/nginx`), so one that is written another
way would be a rule that nobody notices to be dead (attacks D12, P02).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from packageurl import PackageURL

from gate.codec.purl import COMPARED_TYPES, KNOWN_TYPES
from gate.codec.yaml_node import nearest
from gate.errors import UsageError
from gate.model.glob import Glob
from gate.model.reference import Repository, parse_repository

if TYPE_CHECKING:
    from gate.codec.yaml_node import Node

H = TypeVar("H")

EVERYTHING: Final = "**"
# As many logs or timestamps as a bundle may name at all (formats 7).
_MAX_AUTHORITIES: Final = 8
_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
_URI: Final = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[!-~]*)?", re.ASCII)
_PURL_PATTERN: Final = re.compile(r"pkg:[a-z0-9.+-]+/[A-Za-z0-9._~%/*+-]+", re.ASCII)


def read_glob(node: Node) -> Glob:
    """Read a pattern over `host/path`, or `**` for every image.

    Raises:
        PolicyError: `POL_MALFORMED`, it is no pattern, or one that no normalised repository can match.
    """
    text = node.text(max_bytes=512)
    try:
        pattern = Glob(text)
        # A name that the pattern matches: if the parser writes it another way, no image can ever have it.
        example = text.replace("**", "x/x").replace("*", "x")
        normal = str(parse_repository(example))
    except (ValueError, UsageError) as error:
        expected = "a pattern over host/path, as registry.example/shop/**"
        raise node.refuse("is not a pattern over repositories", expected=expected, seen=text) from error
    if text != EVERYTHING and normal != example:
        expected = f"host and path in normal form, as {normal}"
        raise node.refuse("can never match a repository", expected=expected, seen=text)
    return pattern


def read_narrow_glob(node: Node, *, code: str = "POL_WAIVER") -> Glob:
    """Read a pattern whose host is written out: for exceptions, which must not cover the world (attack P08)."""
    pattern = read_glob(node)
    host, _, path = pattern.pattern.partition("/")
    if "*" in host or not path:
        expected = "a pattern that begins with a host, as registry.example/shop/**"
        raise node.refuse("is too wide", code=code, expected=expected, seen=pattern.pattern)
    return pattern


def read_repository(node: Node) -> Repository:
    """Read the name of a repository, without tag and digest."""
    text = node.text()
    try:
        return parse_repository(text)
    except UsageError as error:
        raise node.refuse(
            "is not a repository", expected="host/path, as registry.example/verdicts", seen=text
        ) from error


def read_id(node: Node) -> str:
    """Read an id of the policy's own: letters, digits, `.`, `_`, `-`."""
    return node.matching(_ID, "1 to 128 of A-Z a-z 0-9 . _ -, with a letter or digit at both ends")


def read_name(node: Node) -> str:
    """Read a name in lower case, as of an environment."""
    return node.matching(_NAME, "1 to 64 of a-z 0-9 . _ -, with a letter or digit at both ends")


def read_trust_name(text: str, node: Node) -> str:
    """Return the name of a trusted root, a key of its mapping; in the form of `read_name`."""
    if not _NAME.fullmatch(text):
        raise node.refuse("is not a name", expected="1 to 64 of a-z 0-9 . _ -", seen=text)
    return text


def read_count(node: Node) -> int:
    """Read how many distinct authorities must vouch."""
    return node.integer(0, _MAX_AUTHORITIES)


def read_uri(node: Node) -> str:
    """Read an absolute http or https URI; it names something and is never fetched."""
    return node.matching(_URI, "an absolute http or https URI with a lower-case host")


def read_prefix(node: Node) -> str:
    """Read a URI that names begin with: it ends with `/` or `#`, so that no other word can follow it."""
    text = read_uri(node)
    if not text.endswith(("/", "#")):
        raise node.refuse("is not a prefix", expected="a URI that ends with / or #", seen=text)
    return text


def read_package(node: Node) -> str:
    """Read the purl of one package without version, in canonical form."""
    text = node.text(max_bytes=512)
    try:
        purl = PackageURL.from_string(text)
        canonical = PackageURL(purl.type, purl.namespace, purl.name).to_string()
    except ValueError as error:
        raise node.refuse("is not a purl", expected="as pkg:deb/debian/zlib1g", seen=text) from error
    if purl.type not in COMPARED_TYPES:
        expected = nearest(purl.type, COMPARED_TYPES) or " | ".join(sorted(COMPARED_TYPES))
        raise node.refuse("is of a type whose versions nobody compares", expected=expected, seen=purl.type)
    if canonical != text or "*" in text:
        expected = f"a purl without version, qualifiers and wildcards, as {canonical}"
        raise node.refuse("is not the purl of one package", expected=expected, seen=text)
    return text


def read_purl_pattern(node: Node) -> str:
    """Read a glob over purls without version, as `pkg:deb/debian/*`."""
    text = node.matching(_PURL_PATTERN, "a pattern over purls without version, as pkg:deb/debian/*")
    named = text.removeprefix("pkg:").partition("/")[0]
    if "*" not in named and named not in KNOWN_TYPES:
        expected = nearest(named, KNOWN_TYPES) or "a type of the purl specification"
        raise node.refuse("is of a type of packages that does not exist", expected=expected, seen=named)
    return text


def distinct(node: Node, items: Iterable[H], what: str) -> tuple[H, ...]:
    """Return the items as a tuple; two equal ones are refused, because the second says nothing or hides a slip."""
    seen: list[H] = []
    for item in items:
        if item in seen:
            raise node.refuse(f"gives one {what} twice", expected=f"every {what} once", seen=str(item))
        seen.append(item)
    return tuple(seen)
