"""Entries that a later layer drops from a dpkg database, or changes, while the package's files stay as they were.

An honest removal takes the files away, and an honest upgrade writes them anew. A database that was edited alone says that a
library is not there, or is of another version, and both scanners and the gate's own list believe it.
Specification: dpkg `status` and `info/NAME.list`; OCI image-spec 1.1 `layer.md`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gate.layers.entry import EntryKind
from gate.layers.merged_view import MergedView
from gate.model.evidence import OsPackage
from gate.model.layer_facts import DroppedEntry

# What outlives a package honestly: configuration and state; and what slim images leave out, so that its absence tells nothing.
_OUTLIVES: Final = re.compile(rb"(?s)(?:etc|var|run|tmp)/.*|usr/share/(?:doc|man|info|locale|lintian|bug)/.*")
Versions = Sequence[tuple[int, frozenset[OsPackage]]]
"""What each layer's database held, base first."""


def dropped_entries(
    view: MergedView, versions: Versions, files: Mapping[str, tuple[frozenset[bytes], ...]]
) -> Iterator[DroppedEntry]:
    """Return the packages that were dropped or changed without their files; `files` are all lists of a package, by its name."""
    if len(versions) < 2:
        return
    last = versions[-1][1]
    present = {package[0] for package in last}
    claimed = frozenset[bytes]().union(*(one for name in present for one in files.get(name, ())))
    for (_, before), (layer, after) in itertools.pairwise(versions):
        for name, version, architecture in sorted(before - after):
            now = sorted(found[1] for found in after if found[0] == name and found[2] == architecture)
            if not now and name in present:
                continue
            own = frozenset[bytes]().union(*files.get(name, ()))
            staying = _staying(view, own if now else own - claimed, layer)
            if staying and (not now or not _written(view, own, layer)):
                path = min(staying).decode("utf-8", "replace")
                yield DroppedEntry(name=name, version=version, now=now[0] if now else "", path=path)


def _staying(view: MergedView, paths: frozenset[bytes], layer: int) -> list[bytes]:
    return [path for path in paths if not _OUTLIVES.fullmatch(path) and 0 <= _layer_of(view, path) < layer]


def _written(view: MergedView, paths: frozenset[bytes], layer: int) -> bool:
    return any(_layer_of(view, path) >= layer for path in paths)


def _layer_of(view: MergedView, path: bytes) -> int:
    resolved = view.resolve(path)
    return resolved.node.layer if resolved is not None and resolved.node.kind is EntryKind.FILE else -1
