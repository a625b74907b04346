"""The package databases of an image: where they may stand, what each layer's version held, what the merged view has.

Refuses nothing itself; it says what the check of completeness must know: a database that cannot be read whole, one that is
reached through a link that the distribution does not make, one that a later layer took away or emptied (attack L03).
Specification: checks reference, sections 2.3 and 3.3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gate.layers.apk import parse_installed
from gate.layers.bodies import Capture
from gate.layers.dpkg import parse_status
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.merged_view import MergedView, Node
from gate.layers.pacman import parse_desc
from gate.layers.reading import Held, Reading
from gate.layers.rpm import parse_bdb, parse_ndb, parse_rpmdb
from gate.layers.rpm_manifest import parse_manifest
from gate.model.evidence import OsPackage, PackageDatabase

# The status file of a full Debian desktop has some 5 MB, rpmdb.sqlite of one of Fedora some 40 MB (checks reference).
MAX_DATABASE_BYTES: Final = 64 * 1024 * 1024
# Files of databases that have one for each package; the largest distributions offer some 60,000 packages in all.
_MAX_FILES: Final = 100_000

_Parse = Callable[[bytes], Reading]


@dataclass(frozen=True, slots=True)
class _Form:
    kind: str
    parse: _Parse


CHISEL_MANIFEST: Final = b"var/lib/chisel/manifest.wall"
# The last one is of images whose `/var` is not part of the system (ostree).
_RPM_FOLDERS: Final = (b"var/lib/rpm", b"usr/lib/sysimage/rpm", b"usr/share/rpm")
_FILES: Final[Mapping[bytes, _Form]] = MappingProxyType(
    {
        b"var/lib/dpkg/status": _Form("dpkg", parse_status),
        b"lib/apk/db/installed": _Form("apk", parse_installed),
        b"usr/lib/apk/db/installed": _Form("apk", parse_installed),
        **{folder + b"/rpmdb.sqlite": _Form("rpm", parse_rpmdb) for folder in _RPM_FOLDERS},
        **{folder + b"/Packages.db": _Form("rpm", parse_ndb) for folder in _RPM_FOLDERS},
        **{folder + b"/Packages": _Form("rpm", parse_bdb) for folder in _RPM_FOLDERS},
        b"var/lib/rpmmanifest/container-manifest-2": _Form("rpm", parse_manifest),
        # What a chiselled Ubuntu installed: neither scanner reads it.
        CHISEL_MANIFEST: _Form("chisel", lambda _: Reading()),
    }
)
_WRITE_AHEAD_LOGS: Final = frozenset(folder + b"/rpmdb.sqlite-wal" for folder in _RPM_FOLDERS)
# A layer above all others.
_AFTER_ALL: Final = 1 << 30
_DPKG_FOLDER: Final = b"var/lib/dpkg/status.d"
_PACMAN_FOLDER: Final = b"var/lib/pacman/local"


@dataclass(slots=True)
class _Versions:
    """The versions of one file over the layers: the last one, and whether any had packages."""

    layer: int
    reading: Reading
    had_packages: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The databases of the merged view, those that were removed, and all packages."""

    databases: tuple[PackageDatabase, ...]
    removed: tuple[str, ...]
    packages: frozenset[OsPackage]


class DatabaseReader:
    """Take the bodies of package databases in every layer, and judge them against the finished view."""

    def __init__(self) -> None:
        self._versions: dict[bytes, _Versions] = {}
        self._history: defaultdict[bytes, list[tuple[int, Held]]] = defaultdict(list)

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a package database."""
        parse = _parser_of(entry.path)
        if parse is None or (len(self._versions) >= _MAX_FILES and entry.path not in self._versions):
            # A file over the bound stays unread, and with it its database.
            return None

        def deliver(body: bytes | None) -> None:
            reading = Reading(problem=f"it is over {MAX_DATABASE_BYTES} bytes") if body is None else parse(body)
            before = self._versions.get(entry.path)
            had = bool(reading.packages) or (before is not None and before.had_packages)
            self._versions[entry.path] = _Versions(layer, reading, had)
            if not reading.problem:
                self._history[entry.path].append((layer, reading.held))

        return Capture(MAX_DATABASE_BYTES, deliver)

    def versions(self, view: MergedView) -> dict[bytes, list[tuple[int, Held]]]:
        """Return what each database held, layer by layer; one of a single package that is gone held nothing at last."""
        found: dict[bytes, list[tuple[int, Held]]] = {}
        for path, history in self._history.items():
            node = view.find(path)
            is_gone = path not in _FILES and (node is None or node.layer != history[-1][0])
            found[path] = [*history, (_AFTER_ALL, Held())] if is_gone else history
        return found

    def conclude(self, view: MergedView) -> DatabaseFacts:
        """Say what the merged view holds, after the last layer."""
        databases: list[PackageDatabase] = []
        removed: list[str] = []
        packages: set[OsPackage] = set()
        for path, form in _FILES.items():
            self._conclude_file(path, form, view, databases, packages)
            if self._is_removed(path, view):
                removed.append(path.decode())
        for folder, kind in ((_DPKG_FOLDER, "dpkg"), (_PACMAN_FOLDER, "pacman")):
            self._conclude_folder(folder, kind, view, databases, packages)
            if self._is_folder_removed(folder, view):
                removed.append(folder.decode())
        return DatabaseFacts(databases=tuple(databases), removed=tuple(removed), packages=frozenset(packages))

    def _conclude_file(
        self,
        path: bytes,
        form: _Form,
        view: MergedView,
        databases: list[PackageDatabase],
        packages: set[OsPackage],
    ) -> None:
        resolved = view.resolve(path)
        if resolved is None and view.find(path) is None:
            return
        if resolved is not None and resolved.path != path and _kind_at(resolved.path) == form.kind:
            return  # The distribution's own link, e.g. `lib` to `usr/lib`: listed at its end.
        if resolved is None or resolved.via_link or resolved.node.is_hardlink:
            linked, reading = True, Reading(problem="it is reached through a link")
        else:
            linked, reading = False, self._last(path, resolved.node)
        if path.endswith(b".sqlite") and self._has_log(path, view):
            reading = Reading(problem="its write-ahead log is not empty")
        packages |= reading.packages
        databases.append(_database(form.kind, path, reading, linked=linked))

    def _conclude_folder(
        self,
        folder: bytes,
        kind: str,
        view: MergedView,
        databases: list[PackageDatabase],
        packages: set[OsPackage],
    ) -> None:
        resolved = view.resolve(folder)
        if resolved is None or resolved.via_link:
            if view.find(folder) is not None or resolved is not None:
                databases.append(_database(kind, folder, Reading(problem="it is reached through a link"), linked=True))
            return
        readings = [self._member(path, view) for path in _members(folder, view)]
        if not readings:
            return
        reading = next((one for one, _ in readings if one.problem), Reading())
        packages.update(*(one.packages for one, _ in readings))
        count = sum(len(one.packages) for one, _ in readings)
        linked = any(linked for _, linked in readings)
        databases.append(_database(kind, folder, reading, linked=linked, packages=count))

    def _member(self, path: bytes, view: MergedView) -> tuple[Reading, bool]:
        node = view.find(path)
        if node is None or node.kind is EntryKind.SYMLINK or node.is_hardlink:
            return Reading(problem="a file of it is a link"), True
        return self._last(path, node), False

    def _last(self, path: bytes, node: Node) -> Reading:
        versions = self._versions.get(path)
        if node.kind is not EntryKind.FILE or versions is None or versions.layer != node.layer:
            return Reading(problem="it is no regular file")
        return versions.reading

    def _has_log(self, path: bytes, view: MergedView) -> bool:
        log = path + b"-wal"
        node, versions = view.find(log), self._versions.get(log)
        return node is not None and (versions is None or node.layer != versions.layer or bool(versions.reading.problem))

    def _is_removed(self, path: bytes, view: MergedView) -> bool:
        versions = self._versions.get(path)
        if versions is None:
            return False
        resolved = view.resolve(path)
        if resolved is None or resolved.node.kind is not EntryKind.FILE:
            return True
        now = self._versions.get(resolved.path)
        return versions.had_packages and now is not None and not now.reading.packages and not now.reading.problem

    def _is_folder_removed(self, folder: bytes, view: MergedView) -> bool:
        had = any(path.startswith(folder + b"/") and one.had_packages for path, one in self._versions.items())
        members = _members(folder, view)
        return had and not any(self._member(path, view)[0].packages for path in members)


def _parser_of(path: bytes) -> _Parse | None:
    form = _FILES.get(path)
    if form is not None:
        return form.parse
    folder, _, name = path.rpartition(b"/")
    if folder == _DPKG_FOLDER and not name.endswith(b".md5sums"):
        return parse_status
    if name == b"desc" and folder.rpartition(b"/")[0] == _PACMAN_FOLDER:
        return parse_desc
    if path in _WRITE_AHEAD_LOGS:
        return lambda body: Reading(problem="not empty" if body else "")
    return None


def nested_database(path: bytes) -> tuple[str, _Parse] | None:
    """Return kind and reader of a database below another root than the image's; None for any other path."""
    if path in _FILES:
        return None  # of the root itself, though it ends like another one: `usr/lib/apk/db/installed`
    for known, form in _FILES.items():
        if path.endswith(b"/" + known) and form.kind != "chisel":
            return form.kind, form.parse
    folder, _, name = path.rpartition(b"/")
    if folder.endswith(b"/" + _DPKG_FOLDER) and not name.endswith(b".md5sums"):
        return "dpkg", parse_status
    if name == b"desc" and folder.rpartition(b"/")[0].endswith(b"/" + _PACMAN_FOLDER):
        return "pacman", parse_desc
    return None


def _kind_at(path: bytes) -> str:
    form = _FILES.get(path)
    return form.kind if form else ""


def _members(folder: bytes, view: MergedView) -> Iterable[bytes]:
    names = view.names(folder)
    if folder == _DPKG_FOLDER:
        return [folder + b"/" + name for name in names if not name.endswith(b".md5sums")]
    paths = [folder + b"/" + name for name in names]
    return [path + b"/desc" for path in paths if (node := view.find(path)) and node.kind is not EntryKind.FILE]


def _database(
    kind: str, path: bytes, reading: Reading, *, linked: bool, packages: int | None = None
) -> PackageDatabase:
    is_readable = not reading.problem
    return PackageDatabase(
        kind=kind,
        path=path.decode(),
        readable=is_readable,
        linked=linked,
        problem=reading.problem,
        packages=len(reading.packages) if packages is None else packages,
    )
