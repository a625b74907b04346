"""Version order of each ecosystem, so that the expected findings are computed by code that no scanner shares.

Refuses what is outside the forms that the advisories and planted packages use, instead of guessing an order.
Specification: deb-version(7); apk-tools `src/version.c`; PEP 440 (by `packaging`); semver.org 2.0 (npm, Go);
Maven's `ComparableVersion`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from typing import Any, Final, TypeAlias

from packaging.version import Version

from tools.advisories.model import Ecosystem, VersionRange

_Key: TypeAlias = Callable[[str], Any]

_DEB: Final = re.compile(r"(?:(?P<epoch>\d+):)?(?P<upstream>[A-Za-z0-9.+~-]+?)(?:-(?P<revision>[A-Za-z0-9.+~]+))?")
_DEB_PARTS: Final = re.compile(r"(?P<text>\D*)(?P<number>\d*)")
_APK: Final = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)(?P<suffixes>(?:_[a-z]+\d*)*)(?:-r(?P<revision>\d+))?"
)
_APK_SUFFIXES: Final = {
    "alpha": -4,
    "beta": -3,
    "pre": -2,
    "rc": -1,
    "": 0,
    "cvs": 1,
    "svn": 2,
    "git": 3,
    "hg": 4,
    "p": 5,
}
_SEMVER: Final = re.compile(r"v?(?P<core>\d+\.\d+\.\d+)(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_MAVEN_QUALIFIERS: Final = {
    "alpha": -5,
    "beta": -4,
    "milestone": -3,
    "rc": -2,
    "snapshot": -1,
    "release": 0,
    "final": 0,
    "ga": 0,
    "sp": 1,
}


def is_affected(ecosystem: Ecosystem, version: str, ranges: tuple[VersionRange, ...]) -> bool:
    """Say whether the version lies in one of the ranges. Raises `ValueError` for a version of another form."""
    key = _KEYS[ecosystem]
    return any(_within(key, version, part) for part in ranges)


def sort_versions(ecosystem: Ecosystem, versions: Iterable[str]) -> tuple[str, ...]:
    """Return the versions ascending. Raises `ValueError` for a version of another form."""
    return tuple(sorted(versions, key=_KEYS[ecosystem]))


def _within(key: _Key, version: str, part: VersionRange) -> bool:
    installed = key(version)
    return not (
        (part.introduced and installed < key(part.introduced))
        or (part.fixed and installed >= key(part.fixed))
        or (part.last_affected and installed > key(part.last_affected))
    )


def _match(pattern: re.Pattern[str], version: str) -> re.Match[str]:
    match = pattern.fullmatch(version)
    if match is None:
        raise ValueError(f"not a version of a known form: {version!r}")
    return match


def _deb_key(version: str) -> tuple[object, ...]:
    match = _match(_DEB, version)
    order = cmp_to_key(_compare_deb_part)
    return int(match["epoch"] or 0), order(match["upstream"]), order(match["revision"] or "0")


def _compare_deb_part(left: str, right: str) -> int:
    """Compare as dpkg does: text and numbers in turn, `~` before the end, letters before other characters."""
    while left or right:
        one, two = _match_start(left), _match_start(right)
        keys = ((_deb_text(one["text"]), int(one["number"] or 0)), (_deb_text(two["text"]), int(two["number"] or 0)))
        if keys[0] != keys[1]:
            return -1 if keys[0] < keys[1] else 1
        left, right = left[one.end() :], right[two.end() :]
    return 0


def _match_start(text: str) -> re.Match[str]:
    match = _DEB_PARTS.match(text)
    if match is None:
        raise ValueError(f"not a version: {text!r}")
    return match


def _deb_text(text: str) -> tuple[int, ...]:
    # 0 closes the text: the end sorts after `~` and before all else.
    return (*(-1 if sign == "~" else ord(sign) if sign.isalpha() else ord(sign) + 256 for sign in text), 0)


def _apk_key(version: str) -> tuple[object, ...]:
    match = _match(_APK, version)
    suffixes = tuple(_apk_suffix(text) for text in match["suffixes"].split("_")[1:])
    return (
        tuple(int(number) for number in match["numbers"].split(".")),
        match["letter"],
        (*suffixes, (_APK_SUFFIXES[""], 0)),
        int(match["revision"] or 0),
    )


def _apk_suffix(text: str) -> tuple[int, int]:
    name = text.rstrip("0123456789")
    return _APK_SUFFIXES[name], int(text[len(name) :] or 0)


def _semver_key(version: str) -> tuple[object, ...]:
    match = _match(_SEMVER, version)
    core = tuple(int(number) for number in match["core"].split("."))
    # A version before its release sorts under it.
    pre = tuple(_semver_identifier(text) for text in match["pre"].split(".")) if match["pre"] else ((2, 0, ""),)
    return core, pre


def _semver_identifier(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


def _maven_key(version: str) -> tuple[object, ...]:
    key: list[tuple[int, int]] = []
    # (0, 0) closes: a further qualifier before a release sorts under it, a further number over it. Zeros say nothing
    # at the end and before a qualifier.
    for token in (*_maven_tokens(version.lower()), (0, 0)):
        while token[0] <= 0 and token != (0, 0) and key and key[-1] == (0, 0):
            key.pop()
        key.append(token)
    while len(key) > 1 and key[-2] == (0, 0):
        key.pop()
    return tuple(key)


def _maven_tokens(version: str) -> Iterator[tuple[int, int]]:
    for token in re.findall(r"\d+|[a-z]+", version):
        if token.isdigit():
            yield (1, int(token)) if int(token) else (0, 0)
        elif token in _MAVEN_QUALIFIERS:
            order = _MAVEN_QUALIFIERS[token]
            yield (-1, order) if order < 0 else (0, order)
        else:
            raise ValueError(f"not a Maven version of a known form: {version!r}")


_KEYS: Final[dict[Ecosystem, _Key]] = {
    Ecosystem.DEBIAN: _deb_key,
    Ecosystem.UBUNTU: _deb_key,
    Ecosystem.ALPINE: _apk_key,
    Ecosystem.PYPI: Version,
    Ecosystem.NPM: _semver_key,
    Ecosystem.MAVEN: _maven_key,
    Ecosystem.GO: _semver_key,
}
