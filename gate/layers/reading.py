"""What reading a package database gives: its packages, or why it could not be read whole."""

from __future__ import annotations

from dataclasses import dataclass

from gate.codec.purl import key_of
from gate.model.evidence import OsPackage


@dataclass(frozen=True, slots=True)
class Reading:
    """Packages as (name, version, architecture); `problem` is empty only if the database was read whole."""

    packages: frozenset[OsPackage] = frozenset()
    problem: str = ""


def os_package(kind: str, name: str, version: str, architecture: str) -> OsPackage:
    """Return a package in the spelling of the keys that scanners' packages are joined on (an epoch of zero left out)."""
    key = key_of(kind, "", name, version, architecture)
    return key.name, key.version, key.arch


def is_plain(*texts: str) -> bool:
    """Say whether all are printable ASCII without blanks, as names and versions of packages are."""
    return all(text.isascii() and text.isprintable() and " " not in text for text in texts)
