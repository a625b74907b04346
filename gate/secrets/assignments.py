"""Secrets that are known by the name that they are assigned to: `DB_PASSWORD=...`, `--token ...`.

A weak password in a configuration is a secret, so that no entropy is asked of passwords; keys and tokens must look random.
Specification: checks reference, sections 8.3 and 8.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gate.model.severity import Severity
from gate.secrets.encrypted import is_encrypted
from gate.secrets.json_web_tokens import jwt_is_sample
from gate.secrets.names import NAME_TEXTS, kind_of
from gate.secrets.validators import entropy, is_aws_secret, is_placeholder, is_reference, names_itself


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value that a name makes a secret; the value must not leave this package."""

    rule: str
    title: str
    severity: Severity
    value: str

    def __repr__(self) -> str:
        """Show the rule alone."""
        return f"Assigned({self.rule})"


_MIN_CHARACTERS: Final = 6
_MAX_CHARACTERS: Final = 4096
# Hexadecimal text has at most 4 bits a character; the words of a language that are used as values stay under 3.
_TOKEN_ENTROPY: Final = 3.0

# `--name value`, or `name=value`, `name: value`, `"name": value`; the value is matched where the name is one of a secret.
_NAME = re.compile(
    r"""(?<!\$\{)(?<![\w.-])(?:--?([A-Za-z][\w.-]{0,80})\s{1,4}|-{0,2}([A-Za-z_][\w.-]{0,80})["']?\s{0,4}[=:]\s{0,4})""",
    re.ASCII,
)
_VALUE = re.compile(r""""([^"]{1,512})"|'([^']{1,512})'|([^\s"'&|;,]{1,512})""", re.ASCII)

# What names a place and a way to it holds a secret only where a password or key stands in it.
_CONNECTION = re.compile(r"(?:dsn|connection[_.-]?string)$", re.IGNORECASE)
_CREDENTIAL = re.compile(
    r"(?:pass(?:word|wd)?|pwd|secret|key|token|signature|sig)\s{0,4}=|//[^/@\s]*:[^/@\s]+@|//[0-9a-f]{32}@",
    re.IGNORECASE,
)

# The rules as text, for their digest.
ASSIGNMENT_TEXTS: Final = (
    _NAME.pattern,
    _VALUE.pattern,
    _CONNECTION.pattern,
    _CREDENTIAL.pattern,
    *NAME_TEXTS,
)


def find_assignment(name: str, value: str) -> Assigned | None:
    """Say whether this value of this name is a secret; None where the name or the value says that it is none."""
    kind = kind_of(name)
    if kind is None or not _MIN_CHARACTERS <= len(value) <= _MAX_CHARACTERS:
        return None
    if is_placeholder(value) or is_reference(value) or names_itself(name, value):
        return None
    if is_encrypted(value) or jwt_is_sample(value):
        return None
    if _CONNECTION.search(name) and not _CREDENTIAL.search(value):
        return None
    if kind == "password":
        return Assigned("password-assignment", "Password that is assigned to a name", Severity.HIGH, value)
    if is_aws_secret(value) and "aws" in name.lower():
        return Assigned("aws-secret-access-key", "AWS secret access key", Severity.CRITICAL, value)
    is_random = entropy(value) >= _TOKEN_ENTROPY and not value.isalpha() and " " not in value
    return (
        Assigned("token-assignment", "Token or key that is assigned to a name", Severity.HIGH, value)
        if is_random
        else None
    )


def find_assignments(text: str) -> Iterator[Assigned]:
    """Yield the secrets that a command line or another free text assigns to names."""
    for found in _NAME.finditer(text):
        name = found[1] or found[2]
        value = _VALUE.match(text, found.end()) if kind_of(name) is not None else None
        hit = find_assignment(name, value[1] or value[2] or value[3]) if value else None
        if hit is not None:
            yield hit
