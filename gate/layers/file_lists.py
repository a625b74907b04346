"""The lists of files in the databases of a distribution's packages: which package, and which paths.

Specification: dpkg `info/NAME[:ARCH].list`, `.md5sums` and `.conffiles`, `status.d/NAME.md5sums` (distroless), the `Conffiles` of
`status`; apk `F:` and `R:` lines of `installed`; rpm `docs/manual/tags.md` (`Basenames`, `Dirnames`, `Dirindexes`); pacman
`local/NAME-VERSION/files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gate.layers.reading import os_package
from gate.layers.rpm import rpm_file_lists
from gate.model.evidence import OsPackage

_DPKG: Final = re.compile(rb"var/lib/dpkg/info/([^/:]+)(?::([^/.]+))?\.(list|md5sums|conffiles)")
_STATUS: Final = re.compile(rb"var/lib/dpkg/status(?:\.d/(?!.*\.md5sums\Z)[^/]+)?")
_DISTROLESS: Final = re.compile(rb"(var/lib/dpkg/status\.d/([^/]+))\.md5sums")
_PACMAN: Final = re.compile(rb"(var/lib/pacman/local/([^/]+)-[^/-]+-[^/-]+)/(?:files|desc)")
_APK: Final = frozenset({b"lib/apk/db/installed", b"usr/lib/apk/db/installed"})
_RPM: Final = re.compile(rb"(?:var/lib/rpm|usr/lib/sysimage/rpm|usr/share/rpm)/(?:rpmdb\.sqlite|Packages|Packages\.db)")
_MD5SUM: Final = re.compile(rb"\\?[0-9a-f]{32}[ \t]+\*?(.+)")
_CONFFILE: Final = re.compile(rb" (/\S+) [0-9a-f]{32}(?: .*)?")


@dataclass(frozen=True, slots=True)
class FileList:
    """The files of one package: its name, the `key` by which its entry finds the list, and paths between NULs.

    `whole` says that these are all its files, and not only some of them.
    """

    name: str
    key: str
    packed: bytes
    whole: bool = True

    def paths(self) -> Iterator[bytes]:
        """Return the paths, without leading slash."""
        return (path for path in self.packed.split(b"\0") if path)


def is_list(path: bytes) -> bool:
    """Say whether a file holds such lists."""
    patterns = (_DPKG, _DISTROLESS, _RPM)
    return (
        path in _APK
        or (path.endswith(b"/files") and _PACMAN.fullmatch(path) is not None)
        or _STATUS.fullmatch(path) is not None
        or any(pattern.fullmatch(path) for pattern in patterns)
    )


def is_rpm_database(path: bytes) -> bool:
    """Say whether a file is a database of rpm, whose headers hold the lists."""
    return _RPM.fullmatch(path) is not None


def keys_of(database: bytes, package: OsPackage) -> tuple[str, ...]:
    """Return the keys of the lists that belong to an entry of a database, which stands at this path."""
    name, _, architecture = package
    if database == b"var/lib/dpkg/status":
        return name, f"{name}:{architecture}"
    if (found := _PACMAN.fullmatch(database)) is not None:
        return (_text(found[1]),)
    return (_text(database),) if b"/dpkg/" in database else (_key(package),)


def lists_in(path: bytes, body: bytes) -> Iterator[FileList]:
    """Parse the lists in a file (untrusted)."""
    if (dpkg := _DPKG.fullmatch(path)) is not None:
        name, architecture = _text(dpkg[1]), _text(dpkg[2] or b"")
        lines = _md5sums(body) if dpkg[3] == b"md5sums" else body.split(b"\n")
        key = f"{name}:{architecture}" if architecture else name
        yield FileList(name, key, _packed(lines), whole=dpkg[3] == b"list")
    elif (distroless := _DISTROLESS.fullmatch(path)) is not None:
        yield FileList(_text(distroless[2]), _text(distroless[1]), _packed(_md5sums(body)))
    elif _STATUS.fullmatch(path) is not None:
        yield from _conffiles(body)
    elif (pacman := _PACMAN.fullmatch(path)) is not None:
        lines = body.partition(b"%FILES%\n")[2].partition(b"\n\n")[0].split(b"\n")
        yield FileList(_text(pacman[2]), _text(pacman[1]), _packed(lines))
    elif path in _APK:
        yield from _apk(body)
    elif _RPM.fullmatch(path) is not None:
        yield from (FileList(one[0], _key(one), packed) for one, packed in rpm_file_lists(path, body).items())


def _md5sums(body: bytes) -> Iterator[bytes]:
    return (found[1] for line in body.split(b"\n") if (found := _MD5SUM.fullmatch(line)) is not None)


def _conffiles(body: bytes) -> Iterator[FileList]:
    """Parse what the entries of `status` list themselves, which Syft takes for files of the package as well."""
    for stanza in body.split(b"\n\n"):
        head, mark, rest = stanza.partition(b"\nConffiles:")
        name = re.search(rb"(?m)^Package:[ \t]*(\S+)", head + rest)
        if mark and name is not None:
            found = (_CONFFILE.fullmatch(line) for line in rest.split(b"\n"))
            yield FileList(_text(name[1]), "", _packed(line[1] for line in found if line is not None), whole=False)


def _apk(body: bytes) -> Iterator[FileList]:
    for stanza in body.split(b"\n\n"):
        fields = {line[:1]: line[2:].strip() for line in stanza.split(b"\n") if line[:2] in {b"P:", b"V:", b"A:"}}
        name, version, architecture = (_text(fields.get(key, b"")) for key in (b"P", b"V", b"A"))
        if name:
            package = os_package("apk", name, version, architecture)
            yield FileList(package[0], _key(package), _packed(_apk_paths(stanza)))


def _apk_paths(stanza: bytes) -> Iterator[bytes]:
    folder = b""
    for line in stanza.split(b"\n"):
        if line.startswith(b"F:"):
            folder = line[2:].strip()
        elif line.startswith(b"R:"):
            yield folder + b"/" + line[2:].strip() if folder else line[2:].strip()


def _packed(paths: Iterator[bytes] | list[bytes]) -> bytes:
    return b"\0".join(path.removeprefix(b"./").lstrip(b"/").rstrip() for path in paths)


def _key(package: OsPackage) -> str:
    return " ".join(package)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
