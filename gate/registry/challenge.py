"""`WWW-Authenticate` as registries send it: several challenges in one header, quoted strings that hold commas.

Specification: RFC 9110, section 11.6.1; formats reference, section 3.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gate.errors import RegistryError

MAX_HEADER_CHARACTERS: Final = 8192
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_SCHEME: Final = re.compile(rf"({_WORD})(?=\s|,|$)")
_ESCAPED: Final = re.compile(r"\\(.)")
_GAP: Final = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How the registry wants to be convinced: `scheme` in lower case; all texts are untrusted."""

    scheme: str
    realm: str = ""
    service: str = ""
    error: str = ""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Parse a header's challenges, Bearer before Basic; other schemes are left out.

    Raises:
        RegistryError: `REG_MALFORMED`.
    """
    if len(header) > MAX_HEADER_CHARACTERS:
        raise _malformed()
    found: list[tuple[str, dict[str, str]]] = []
    place = _skip(header, 0)
    while place < len(header):
        parameter = _PARAMETER.match(header, place)
        scheme = None if parameter else _SCHEME.match(header, place)
        match = parameter or scheme
        if match is None or (parameter and not found):
            raise _malformed()
        if parameter:
            _add(found[-1][1], parameter)
        else:
            found.append((match.group(1).lower(), {}))
        place = _skip(header, match.end())
    known = [_challenge(scheme, values) for scheme, values in found if scheme in {"bearer", "basic"}]
    return tuple(sorted(known, key=lambda challenge: challenge.scheme != "bearer"))


def _skip(header: str, place: int) -> int:
    gap = _GAP.match(header, place)
    return gap.end() if gap else place


def _add(values: dict[str, str], parameter: re.Match[str]) -> None:
    name = parameter.group(1).lower()
    if name in values:
        raise _malformed()
    quoted, token = parameter.group(2), parameter.group(3)
    values[name] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)


def _challenge(scheme: str, values: dict[str, str]) -> Challenge:
    return Challenge(
        scheme=scheme,
        realm=values.get("realm", ""),
        service=values.get("service", ""),
        error=values.get("error", ""),
    )


def _malformed() -> RegistryError:
    return RegistryError(
        "the registry asks for a login in a form that is not specified",
        code="REG_MALFORMED",
        expected="WWW-Authenticate",
    )
