"""Which files the packages of a distribution claim, by the lists in their own databases.

Both scanners leave out what such a list claims, whatever name and version it has, so that one line of a list hides a
vulnerable wheel (`docs/threat-model.md`). The gate reads the same lists to know where that can happen, and believes them
nothing more; and by the lists of every layer it knows which files belong to an entry that a later layer dropped.
Specification: `gate.layers.file_lists`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry
from gate.layers.file_lists import FileList, is_list, is_rpm_database, lists_in
from gate.layers.merged_view import MergedView
from gate.model.evidence import OsPackage

# The longest list of Debian 13 (linux-headers) has 3 MB; an apk database of a large image 10 MB; one of rpm some 40 MB.
_MAX_LIST_BYTES: Final = 64 << 20


class OwnershipReader:
    """Keep the lists of every layer, and look paths up in those that the finished view shows."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, bytes], bytes | tuple[FileList, ...]] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a list."""
        if not is_list(entry.path):
            return None

        def deliver(body: bytes | None) -> None:
            # Texts are parsed when somebody asks, which few images make necessary; an rpm database is far larger than its lists.
            is_text = not is_rpm_database(entry.path)
            self._bodies[layer, entry.path] = (body or b"") if is_text else tuple(lists_in(entry.path, body or b""))

        return Capture(_MAX_LIST_BYTES, deliver)

    def owners(self, view: MergedView, wanted: set[bytes]) -> dict[bytes, tuple[str, ...]]:
        """Return the names of the packages that claim each of these paths."""
        found: defaultdict[bytes, set[str]] = defaultdict(set)
        bases = {path.rpartition(b"/")[2] for path in wanted}
        for layer, path in self._bodies if wanted else ():
            node = view.find(path)
            if node is None or node.body_of(path) != (layer, path):
                continue
            for one in self._lists_in(layer, path):
                for claimed in one.paths():
                    if claimed.rpartition(b"/")[2] in bases and (place := _real(view, claimed)) in wanted:
                        found[place].add(one.name)
        return {path: tuple(sorted(owners)) for path, owners in found.items()}

    def lists(self) -> Iterator[tuple[int, FileList]]:
        """Return the list of each package in each layer that has one, with the layer's number."""
        return ((layer, one) for layer, path in self._bodies for one in self._lists_in(layer, path))

    def _lists_in(self, layer: int, path: bytes) -> Iterable[FileList]:
        body = self._bodies[layer, path]
        return lists_in(path, body) if isinstance(body, bytes) else body


def _real(view: MergedView, claimed: bytes) -> bytes:
    """Return where a claimed path is: lists name `lib/x` where the image has `lib` as a link to `usr/lib`."""
    if view.find(claimed) is not None:
        return claimed
    folder, _, name = claimed.rpartition(b"/")
    resolved = view.resolve(folder)
    return resolved.path + b"/" + name if resolved is not None and resolved.path else claimed


def claims_of(
    owners: Mapping[bytes, tuple[str, ...]], packages: frozenset[OsPackage]
) -> Iterator[tuple[str, OsPackage]]:
    """Return path and owner, as the package database has it, of every claim by a package that is installed."""
    by_name: defaultdict[str, list[OsPackage]] = defaultdict(list)
    for package in packages:
        by_name[package[0]].append(package)
    for path, names in owners.items():
        for name in names:
            for package in by_name.get(name, ()):
                yield path.decode("utf-8", "backslashreplace"), package
