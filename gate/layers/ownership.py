"""Which files the packages of a distribution claim, by the lists in their own databases.

Both scanners leave out what such a list claims, whatever name and version it has, so that one line of a list hides a
vulnerable wheel (`docs/threat-model.md`). The gate reads the same lists to know where that can happen, and believes them
nothing more. Specification: dpkg `info/*.list` and `*.md5sums` (`status.d/*.md5sums` in distroless images); apk `F:` and `R:`
lines of `installed`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from gate.layers.bodies import Capture
from gate.layers.entry import BodySink, Entry
from gate.layers.merged_view import MergedView
from gate.model.evidence import OsPackage

# The longest list of Debian 13 (linux-headers) has 3 MB; an apk database of a large image 10 MB.
_MAX_LIST_BYTES: Final = 64 << 20
_DPKG: Final = re.compile(rb"var/lib/dpkg/(?:info|status\.d)/([^/:]+)(?::[^/.]+)?\.(list|md5sums)")
_APK: Final = frozenset({b"lib/apk/db/installed", b"usr/lib/apk/db/installed"})
_MD5SUM: Final = re.compile(rb"\\?[0-9a-f]{32}[ \t]+\*?(.+)")


class OwnershipReader:
    """Keep the lists of every layer as they are, and look paths up in those that the finished view shows."""

    def __init__(self) -> None:
        self._lists: dict[tuple[int, bytes], bytes] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of a list."""
        if entry.path not in _APK and not _DPKG.fullmatch(entry.path):
            return None

        def deliver(body: bytes | None) -> None:
            self._lists[layer, entry.path] = body or b""

        return Capture(_MAX_LIST_BYTES, deliver)

    def owners(self, view: MergedView, wanted: set[bytes]) -> dict[bytes, tuple[str, ...]]:
        """Return the names of the packages that claim each of these paths."""
        found: defaultdict[bytes, set[str]] = defaultdict(set)
        real = _real_paths(view, wanted)
        for (layer, path), body in self._lists.items() if wanted else ():
            node = view.find(path)
            if node is None or node.body_of(path) != (layer, path):
                continue
            for owner, claimed in files_of(path, body):
                for place in real.get(claimed, ()):
                    found[place].add(owner)
        return {path: tuple(sorted(owners)) for path, owners in found.items()}

    def dpkg_files(self) -> dict[str, tuple[frozenset[bytes], ...]]:
        """Return, by the name of a package of dpkg, the files of each list that any layer held."""
        found: defaultdict[str, list[frozenset[bytes]]] = defaultdict(list)
        for (_, path), body in self._lists.items():
            pairs = list(files_of(path, body)) if path.endswith(b".list") else []
            if pairs:
                found[pairs[0][0]].append(frozenset(claimed for _, claimed in pairs))
        return {name: tuple(lists) for name, lists in found.items()}


def _real_paths(view: MergedView, wanted: set[bytes]) -> Mapping[bytes, set[bytes]]:
    """Map what a list may call a path to the path: lists name `lib/x` where the image has `lib` as a link to `usr/lib`."""
    names: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for path in wanted:
        names[path].add(path)
        head, _, rest = path.partition(b"/")
        top, _, tail = rest.partition(b"/")
        if head == b"usr" and (node := view.find(top)) is not None and node.link.strip(b"/") == b"usr/" + top:
            names[top + b"/" + tail].add(path)
    return names


def files_of(path: bytes, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Return owner and path, without leading slash, of every claim of a list."""
    dpkg = _DPKG.fullmatch(path)
    if dpkg is None:
        yield from _apk_files(body)
        return
    owner = dpkg[1].decode("ascii", "replace")
    for line in body.split(b"\n"):
        found = _MD5SUM.fullmatch(line) if dpkg[2] == b"md5sums" else None
        claimed = found[1] if found is not None else line if dpkg[2] == b"list" else b""
        if claimed:
            yield owner, claimed.removeprefix(b"./").lstrip(b"/").rstrip()


def _apk_files(body: bytes) -> Iterator[tuple[str, bytes]]:
    owner, folder = "", b""
    for line in body.split(b"\n"):
        if line.startswith(b"P:"):
            owner, folder = line[2:].strip().decode("ascii", "replace"), b""
        elif line.startswith(b"F:"):
            folder = line[2:].strip()
        elif line.startswith(b"R:") and owner:
            yield owner, folder + b"/" + line[2:].strip() if folder else line[2:].strip()


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
