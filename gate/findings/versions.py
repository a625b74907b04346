"""Version ranges of waivers: comparisons joined by commas, in the order of the package's own ecosystem.

`< 1:1.3` or `>= 2.0, < 2.5`. Comparison is the business of `univers`, which knows Debian, RPM, Alpine, PEP 440, semver,
Maven and others; an ecosystem or version that it cannot read matches nothing, so that a waiver never widens by accident.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from gate.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

_TERM = re.compile(r"(<=|>=|<|>|=)\s*([A-Za-z0-9.+:~^_-]+)", re.ASCII)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


def parse_range(text: str) -> tuple[tuple[str, str], ...]:
    """Read a range into (comparison, version) pairs that must all hold.

    Raises:
        PolicyError: `POL_WAIVER`, the text is empty or not of this form.
    """
    terms = [_TERM.fullmatch(term.strip()) for term in text.split(",")]
    if not all(terms):
        raise PolicyError(
            "not a version range",
            code="POL_WAIVER",
            expected="comparisons such as '< 1:1.3' or '>= 2.0, < 2.5'",
            seen=repr(text[:80]),
        )
    return tuple((term.group(1), term.group(2)) for term in terms if term is not None)


def in_range(version: str, range_text: str, ecosystem: str) -> bool:
    """Say whether a version of a purl type lies in a range; False where either cannot be read."""
    from univers.versions import InvalidVersion  # noqa: PLC0415 - 60 ms that only policies with waivers need

    kind = _version_class(ecosystem)
    if kind is None:
        return False
    try:
        terms = parse_range(range_text)
        if not all(map(_has_digit, (version, *(bound for _, bound in terms)))):
            return False
        found = kind(version)
        return all(_COMPARE[sign](found, kind(bound)) for sign, bound in terms)
    except (PolicyError, InvalidVersion, ValueError, TypeError):
        return False


def _has_digit(version: str) -> bool:
    # No ecosystem has versions without one; for NuGet the library answers with an exception outside its own tree.
    return any("0" <= char <= "9" for char in version)


def _version_class(ecosystem: str) -> type[Any] | None:
    from univers import versions  # noqa: PLC0415

    return {
        "deb": versions.DebianVersion,
        "apk": versions.AlpineLinuxVersion,
        "rpm": versions.RpmVersion,
        "pypi": versions.PypiVersion,
        "npm": versions.SemverVersion,
        "maven": versions.MavenVersion,
        "golang": versions.GolangVersion,
        "gem": versions.RubygemsVersion,
        "cargo": versions.SemverVersion,
        "composer": versions.ComposerVersion,
        "nuget": versions.NugetVersion,
        "alpm": versions.ArchLinuxVersion,
    }.get(ecosystem)
