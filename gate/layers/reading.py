"""What reading a package database gives: its packages, or why it could not be read whole."""

from __future__ import annotations

from dataclasses import dataclass

from gate.codec.purl import key_of
from gate.model.evidence import OsPackage

Held = frozenset[tuple[OsPackage, str]]
"""What a database holds: packages, each with what decides beside its version about which advisories are asked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The packages of a database; `problem` is empty only if it was read whole.

    What stands beside a package is the name of its source, who built it, and the module that it is of, as far as its kind has
    these: by each of them a scanner asks for other advisories, or for none.
    """

    held: Held = frozenset()
    problem: str = ""

    @property
    def packages(self) -> frozenset[OsPackage]:
        """Return the packages as (name, version, architecture)."""
        return frozenset(package for package, _ in self.held)


def os_package(kind: str, name: str, version: str, architecture: str) -> OsPackage:
    """Return a package in the spelling of the keys that scanners' packages are joined on (an epoch of zero left out)."""
    key = key_of(kind, "", name, version, architecture)
    return key.name, key.version, key.arch


def is_plain(*texts: str) -> bool:
    """Say whether all are printable ASCII without blanks, as names and versions of packages are."""
    return all(text.isascii() and text.isprintable() and " " not in text for text in texts)
