"""Entries that a later layer drops from a package database, or changes, while the package's files stay as they were.

An honest removal takes the files away, and an honest upgrade writes them again. A database that was edited alone says that a
library is not there, is of another version, or comes from another source, vendor or module, of which other advisories are asked;
both scanners and the gate's own list believe it. So do those of every kind:
one file for all packages (dpkg's `status`, apk's `installed`, rpm's three forms), and one for each (`status.d`, pacman).
Specification: `gate.layers.file_lists`; OCI image-spec 1.1 `layer.md`.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gate.layers.entry import EntryKind
from gate.layers.file_lists import FileList, keys_of
from gate.layers.merged_view import MergedView
from gate.layers.reading import Held
from gate.model.evidence import OsPackage
from gate.model.layer_facts import DroppedEntry

# What outlives a package honestly: configuration and state; and what slim images leave out, so that its absence tells nothing.
_OUTLIVES: Final = re.compile(rb"(?s)(?:etc|var|run|tmp)/.*|usr/share/(?:doc|man|info|locale|lintian|bug|licenses)/.*")
# What each build makes again. Other files of an upgrade may be the same, time included, and builders then leave them out of the
# layer (containerd `continuity/fs/diff.go`: `sameFile`).
_BUILT: Final = re.compile(rb"(?s).*\.so(?:\.[^/]*)?")
_MOST: Final = 1000
_SHOWN: Final = 100
Versions = Sequence[tuple[int, Held]]
"""What a database held in each layer that wrote it, base first; of one that is gone, an empty last one."""


@dataclass(slots=True)
class _Files:
    """All lists, by key: which layer brought each, and the first layer in which a package that is there claims a path."""

    lists: defaultdict[str, list[tuple[int, FileList]]] = field(default_factory=lambda: defaultdict(list))
    claimed: dict[bytes, int] = field(default_factory=dict)

    def own(self, keys: Iterable[str]) -> frozenset[bytes] | None:
        """Return all files that any list of a package names; None where there is no list of all its files."""
        lists = [one for key in keys for _, one in self.lists.get(key, ())]
        if not any(one.whole for one in lists):
            return None
        return frozenset(path for one in lists for path in one.paths())


def dropped_entries(
    view: MergedView, databases: Mapping[bytes, Versions], lists: Iterable[tuple[int, FileList]]
) -> tuple[DroppedEntry, ...]:
    """Return the packages that were dropped or changed without their files; `lists` are those of every layer."""
    changed = {path: found for path, found in databases.items() if _changes(found)}
    if not changed:
        return ()
    present = Held().union(*(versions[-1][1] for versions in databases.values()))
    files = _gathered(databases, lists)
    found = (one for path, versions in changed.items() for one in _dropped(view, path, versions, present, files))
    return tuple(itertools.islice(found, _MOST))


def _changes(versions: Versions) -> bool:
    return any(before - after for (_, before), (_, after) in itertools.pairwise(versions))


def _gathered(databases: Mapping[bytes, Versions], lists: Iterable[tuple[int, FileList]]) -> _Files:
    here = {key for path, versions in databases.items() for one, _ in versions[-1][1] for key in keys_of(path, one)}
    files = _Files()
    for layer, one in lists:
        files.lists[one.key].append((layer, one))
        for path in one.paths() if one.key in here else ():
            files.claimed[path] = min(layer, files.claimed.get(path, layer))
    return files


def _dropped(
    view: MergedView, database: bytes, versions: Versions, present: Held, files: _Files
) -> Iterator[DroppedEntry]:
    for (_, before), (layer, after) in itertools.pairwise(versions):
        for package, origin in sorted(before - after - present):
            now = _became(package, after - before)
            own = files.own(key for one in (package, now) if one for key in keys_of(database, one))
            place = _staying(view, own, layer, files, renamed=now is not None) if own is not None else database
            if place:
                yield DroppedEntry(
                    name=package[0], version=package[1], now=_in_words(package, origin, now), path=_text(place),
                    database=_text(database),
                )  # fmt: skip


def _became(package: OsPackage, new: Held) -> OsPackage | None:
    """Return the entry that came in its place: of its name and, where there are several, of its architecture."""
    same = sorted((one for one, _ in new if one[0] == package[0]), key=lambda one: (one[2] != package[2], one))
    return same[0] if same else None


def _in_words(package: OsPackage, origin: str, now: OsPackage | None) -> str:
    if now is None:
        return ""
    return now[1] if now[1] != package[1] else f"{now[1]}, no longer of `{origin[:_SHOWN]}`"


def _staying(view: MergedView, own: frozenset[bytes], layer: int, files: _Files, *, renamed: bool) -> bytes:
    """Return a file that stays although its package is gone, or is another version now; empty where that is honest.

    A file that another package claims since it was written is that package's. A claim that came later is only a line.
    """
    layers = {path: _layer_of(view, path) for path in own if not _OUTLIVES.fullmatch(path)}
    stays = [path for path, wrote in layers.items() if 0 <= wrote < layer]
    if not renamed:
        return min((path for path in stays if files.claimed.get(path, layer) > layers[path]), default=b"")
    written = any(wrote >= layer for wrote in layers.values())
    return min((path for path in stays if not written or _BUILT.fullmatch(path)), default=b"")


def _layer_of(view: MergedView, path: bytes) -> int:
    """Return which layer wrote a file, through links in its folder; -1 where there is none, or a link."""
    node = view.find(path)
    if node is None:
        folder, _, name = path.rpartition(b"/")
        resolved = view.resolve(folder)
        node = view.find(resolved.path + b"/" + name) if resolved is not None and resolved.path else None
    return node.layer if node is not None and node.kind is EntryKind.FILE else -1


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")
