"""Single facts that one pass over an image's layers finds; `gate.model.evidence.LayerFacts` holds them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedDatabase:
    """A package database below another root than the image's, with its packages as far as the gate reads them."""

    kind: str
    path: str
    packages: frozenset[tuple[str, str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegedFile:
    """What gives rights in the merged view: setuid or setgid bits (octal mode), file capabilities, or a device.

    `device` is `block MAJOR:MINOR` or `character MAJOR:MINOR`; a directory counts for its setgid bit.
    """

    path: str
    mode: int
    capabilities: bool = False
    device: str = ""
    is_directory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedEntry:
    """A package that a later layer dropped from `database`, or gave another version or origin (`now`), while its files stayed.

    `path` is one of the files; where no list says which files are the package's, it is the database's own.
    """

    name: str
    version: str
    now: str
    path: str
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A file by which Trivy asks about something else than what the image is, or reads less of it, and what it does so."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSeen:
    """A form of package (`gate.model.package_forms`) at one place of the merged view, and how many files of it are there.

    `owner` is the package of the distribution that claims the file, so that the distribution's advisories answer for it. An
    empty `path` stands for places beyond those that are named one by one.
    """

    form: str
    path: str
    count: int = 1
    owner: str = ""
