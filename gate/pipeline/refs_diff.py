"""`refs --diff`: only what a change touches is judged, so that a large repository can begin today."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.model.found_reference import FoundReference
    from gate.pipeline.refs import FoundReferences


def keep_changed(found: FoundReferences, changed: Mapping[str, set[int]]) -> None:
    """Leave in `found` the references on changed lines, and the faults of files that the change names.

    Files are compared as both name them relative to the working directory, which is where `git diff --relative` names them.
    """
    lines = {os.path.normpath(name): numbers for name, numbers in changed.items()}
    found.references = [item for item in found.references if _touches(item, lines)]
    found.faults = [fault for fault in found.faults if any(_names(str(fault), name) for name in lines)]


def _touches(found: FoundReference, lines: Mapping[str, set[int]]) -> bool:
    numbers = lines.get(os.path.normpath(os.path.relpath(found.path)), set())
    last = found.span.line + found.text.count("\n")
    return any(number in numbers for number in range(found.span.line, last + 1))


def _names(message: str, path: str) -> bool:
    return path in message
