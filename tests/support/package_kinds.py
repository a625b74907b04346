"""Package databases of every kind, with the lists of their packages' files, as the entries of one layer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tests.support.layers import rpm_header
from tests.support.rpm_databases import bdb, ndb, rpmdb
from tools.images.archive import Entry, file, whiteout


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of a database: its name, version, files (without leading slash), and the source that it names."""

    name: str
    version: str
    files: tuple[str, ...] = ()
    source: str = "one"


Write = Callable[[Iterable[Installed], Iterable[Installed]], list[Entry]]
"""Writes a layer's part of a database: the packages that are there now, and those that a lower layer had besides."""


def _dpkg(now: Iterable[Installed], gone: Iterable[Installed]) -> list[Entry]:
    stanza = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nSource: {}\nVersion: {}\n"
    lists = [
        file(f"var/lib/dpkg/info/{one.name}.list", "/.\n" + "".join(f"/{path}\n" for path in one.files)) for one in now
    ]
    removed = [whiteout(f"var/lib/dpkg/info/{one.name}.list") for one in gone]
    text = "\n".join(stanza.format(one.name, one.source, one.version) for one in now)
    return [file("var/lib/dpkg/status", text), *lists, *removed]


def _distroless(now: Iterable[Installed], gone: Iterable[Installed]) -> list[Entry]:
    folder, empty = "var/lib/dpkg/status.d", hashlib.md5(b"", usedforsecurity=False).hexdigest()
    entries = [whiteout(f"{folder}/{one.name}{end}") for one in gone for end in ("", ".md5sums")]
    for one in now:
        entries += [
            file(
                f"{folder}/{one.name}",
                f"Package: {one.name}\nArchitecture: amd64\nSource: {one.source}\nVersion: {one.version}\n",
            ),
            file(f"{folder}/{one.name}.md5sums", "".join(f"{empty}  {path}\n" for path in one.files)),
        ]
    return entries


def _apk(now: Iterable[Installed], _: Iterable[Installed]) -> list[Entry]:
    text = ""
    for one in now:
        text += f"C:Q1abc=\nP:{one.name}\nV:{one.version}\nA:x86_64\no:{one.source}\n"
        for path in one.files:
            folder, _slash, name = path.rpartition("/")
            text += f"F:{folder}\nR:{name}\na:0:0:755\nZ:Q1abc=\n"
        text += "\n"
    return [file("lib/apk/db/installed", text)]


def rpm_header_of(one: Installed) -> bytes:
    """Return the header of a package with its files, as rpm splits their paths."""
    version, _, release = one.version.partition("-")
    tags: dict[int, str | int | list[str] | list[int]] = {
        1000: one.name,
        1001: version,
        1002: release,
        1022: "x86_64",
        1044: f"{one.source}-1-1.src.rpm",
    }
    if one.files:
        folders = sorted({f"/{path.rpartition('/')[0]}/" for path in one.files})
        tags |= {
            1116: [folders.index(f"/{path.rpartition('/')[0]}/") for path in one.files],
            1117: [path.rpartition("/")[2] for path in one.files],
            1118: folders,
        }
    return rpm_header(tags)


def _rpm(path: str, write: Callable[..., bytes]) -> Write:
    return lambda now, _: [file(path, write(*map(rpm_header_of, now)))]


def _pacman(now: Iterable[Installed], gone: Iterable[Installed]) -> list[Entry]:
    root = "var/lib/pacman/local"
    entries = [whiteout(f"{root}/{one.name}-{one.version}") for one in gone]
    for one in now:
        folder = f"{root}/{one.name}-{one.version}"
        desc = f"%NAME%\n{one.name}\n\n%BASE%\n{one.source}\n\n%VERSION%\n{one.version}\n\n%ARCH%\nx86_64\n\n"
        files = "%FILES%\n" + "".join(f"{path}\n" for path in one.files) + "\n"
        entries += [file(f"{folder}/desc", desc), file(f"{folder}/files", files)]
    return entries


KINDS: Final = MappingProxyType(
    {
        "dpkg": _dpkg,
        "distroless": _distroless,
        "apk": _apk,
        "rpm-sqlite": _rpm("var/lib/rpm/rpmdb.sqlite", rpmdb),
        "rpm-bdb": _rpm("var/lib/rpm/Packages", bdb),
        "rpm-ndb": _rpm("usr/lib/sysimage/rpm/Packages.db", ndb),
        "pacman": _pacman,
    }
)
