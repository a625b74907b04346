"""Package databases below another root than the image's: a root file system that was unpacked into a folder.

Syft finds them at any depth and takes their packages for the image's own; Trivy reads the image's root alone. So each is named,
and the check of completeness asks the policy. Specification: Syft v1.46.0 globs of `debian`, `redhat`, `alpine` and `arch`.
"""

from __future__ import annotations

from typing import Final

from gate.layers.bodies import Capture
from gate.layers.databases import MAX_DATABASE_BYTES, nested_database
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.merged_view import MergedView
from gate.model.evidence import OsPackage
from gate.model.layer_facts import NestedDatabase

# The last parts of every database's path: all other files are passed over at the cost of one look.
_LAST_PARTS: Final = (
    b"/status",
    b"/installed",
    b"/rpmdb.sqlite",
    b"/Packages.db",
    b"/Packages",
    b"/desc",
    b"/container-manifest-2",
)
_MAX_FILES: Final = 20_000


class NestedReader:
    """Take the bodies of nested databases in every layer, and give those of the finished view."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[int, str, frozenset[OsPackage]]] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a nested package database."""
        if not entry.path.endswith(_LAST_PARTS) and b"/status.d/" not in entry.path:
            return None
        found = nested_database(entry.path)
        if found is None or len(self._found) >= _MAX_FILES:
            return None
        kind, parse = found

        def deliver(body: bytes | None) -> None:
            # One that cannot be read has no packages here: what a scanner sees in it then differs, which refuses.
            packages = parse(body).packages if body is not None else frozenset()
            self._found[entry.path] = (layer, kind, packages)

        return Capture(MAX_DATABASE_BYTES, deliver)

    def conclude(self, view: MergedView) -> tuple[NestedDatabase, ...]:
        """Return the databases of the merged view, sorted by path; files of one folder are one."""
        packages: dict[tuple[str, str], set[OsPackage]] = {}
        for path, (layer, kind, found) in self._found.items():
            node = view.find(path)
            if node is not None and node.kind is EntryKind.FILE and node.layer == layer:
                packages.setdefault((_place(path), kind), set()).update(found)
        return tuple(
            NestedDatabase(kind=kind, path=place, packages=frozenset(found))
            for (place, kind), found in sorted(packages.items(), key=lambda item: item[0])
        )


def _place(path: bytes) -> str:
    for mark in (b"/var/lib/dpkg/status.d", b"/var/lib/pacman/local"):
        if mark + b"/" in path:
            path = path.partition(mark)[0] + mark
    return path.decode("utf-8", "backslashreplace")
