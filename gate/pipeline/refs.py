"""`refs`: every reference in the files of a repository, and whether it can move. Files are read one by one, and kept by none.

A file that could not be read or understood was not judged: it is an error beside what was found in the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gate.disk.tree import TreeFile, files_below, read_tree_file
from gate.errors import EvidenceError, GateError, UsageError
from gate.model.reasons import REASONS
from gate.sources.files import is_candidate, is_relevant, read_source
from gate.sources.text import SourceText, malformed

if TYPE_CHECKING:
    from gate.model.found_reference import FoundReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: pin what moves, follow tags that moved, only tell so, or leave tags alone again."""

    fix: bool = False
    update: bool = False
    tell: bool = False
    unpin: bool = False
    min_age: timedelta | None = None

    @property
    def online(self) -> bool:
        """Report whether registries are asked."""
        return self.fix or self.update or self.tell


@dataclass(slots=True)
class FoundReferences:
    """What was found: references in the order of files and places, faults of files, and how many files were read.

    `places` opens the files that hold references again.
    """

    references: list[FoundReference] = field(default_factory=list)
    faults: list[GateError] = field(default_factory=list)
    places: dict[str, TreeFile] = field(default_factory=dict)
    files: int = 0

    @property
    def exit_codes(self) -> list[int]:
        """Return the exit code of every reason."""
        codes = [fault.code for fault in self.faults] + [found.code for found in self.references if found.refuses]
        return [REASONS[code].exit_code for code in codes]


def find_references(paths: Sequence[Path], *, check_deadline: Callable[[], None]) -> FoundReferences:
    """Return the references of files and folders.

    Raises:
        UsageError: `REF_PATH`, a path that does not exist; EvidenceError: no time is left.
    """
    result = FoundReferences()
    for file in _files(paths, result.faults.append):
        check_deadline()
        try:
            source = read_file(file)
        except GateError as fault:
            result.faults.append(fault)
            continue
        if source is None:
            continue
        result.files += 1
        try:
            read_source(source)
        except EvidenceError as fault:
            result.faults.append(fault)
        except RecursionError:
            result.faults.append(malformed(source.path, 0, "the file is nested too deeply"))
        if source.found:
            result.places[source.path] = file
        result.references += sorted(source.found, key=lambda found: found.span)
    return result


def read_file(file: TreeFile) -> SourceText | None:
    """Return the text of a file, or None where it can hold no reference; raises EvidenceError."""
    content = read_tree_file(file, partial(is_relevant, file.name))
    return None if content is None else SourceText(file.name, content, partial(_neighbour, file))


def _files(paths: Sequence[Path], failed: Callable[[GateError], None]) -> Iterator[TreeFile]:
    seen: set[str] = set()
    for path in paths:
        if not os.path.lexists(path):
            shown = ascii(str(path))
            raise UsageError(
                "there is nothing at this path", code="REF_PATH", expected="a file or a folder", seen=shown
            )
        for file in files_below(path, is_candidate, failed):
            real = os.path.realpath(file.path)
            if real not in seen:
                seen.add(real)
                yield file


def _neighbour(file: TreeFile, name: str) -> bytes | None:
    """Return the bytes of another file of the same folder, or None where there is none that may be read."""
    path = file.path.parent / name
    if not os.path.lexists(path):
        return None
    try:
        return read_tree_file(TreeFile(path, name, file.root))
    except EvidenceError:
        return None
