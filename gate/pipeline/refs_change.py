"""`refs --fix`, `--update`, `--unpin` and `--check-updates`: what to change in which file, and the change itself.

Each tag is asked for once in a run. A file is written only as a whole, only where it still holds what was read, and only after
the new bytes were read again and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from gate.disk.tree import replace_tree_file
from gate.errors import EvidenceError, GateError
from gate.model.found_reference import FoundReference, ReferenceKind, ReferenceState
from gate.pipeline.refs import FoundReferences, Wanted, read_file
from gate.pipeline.refs_lookup import answered
from gate.sources.changes import Change, change_file, pin_image, unpin_image
from gate.sources.files import read_source

if TYPE_CHECKING:
    from gate.pipeline.refs_lookup import ImageLookups


@dataclass(slots=True)
class Changes:
    """What was decided: changes, notes on references that stay as they are (`outdated` could move), and faults."""

    made: list[Change] = field(default_factory=list)
    notes: dict[FoundReference, str] = field(default_factory=dict)
    outdated: set[FoundReference] = field(default_factory=set)
    faults: dict[str, GateError] = field(default_factory=dict)


def plan_images(found: FoundReferences, wanted: Wanted, lookups: ImageLookups) -> Changes:
    """Return what to do with each image."""
    plan = Changes()
    images = [item for item in found.references if item.kind is ReferenceKind.IMAGE and _concerned(item, wanted)]
    for item in images:
        if item.image is not None:
            lookups.prepare(item.image)
    for item in images:
        _plan_image(item, wanted, lookups, plan)
    return plan


def _concerned(found: FoundReference, wanted: Wanted) -> bool:
    if found.image is None or found.advisory:
        return False
    if found.state is ReferenceState.MUTABLE:
        return wanted.fix
    return found.state is ReferenceState.PINNED and (wanted.update or wanted.tell)


def _plan_image(found: FoundReference, wanted: Wanted, lookups: ImageLookups, plan: Changes) -> None:
    image = found.image
    if image is None:
        return
    answer = answered(lambda: lookups.digest(image, found.platform, wanted.min_age), plan.faults)
    if answer is None or answer == image.digest or (image.digest is not None and image.tag is None):
        return
    if isinstance(answer, str):
        plan.notes[found] = answer
    elif wanted.tell:
        plan.notes[found] = f"the tag names {answer} now"
        plan.outdated.add(found)
    elif (change := pin_image(found, answer)) is not None:
        plan.made.append(change)
    else:
        plan.notes[found] = f"cannot be written here: {answer}"


def plan_unpin(found: FoundReferences) -> Changes:
    """Return the changes that leave the tag of every pinned image alone."""
    plan = Changes()
    for item in found.references:
        if item.kind is not ReferenceKind.IMAGE or item.state is not ReferenceState.PINNED:
            continue
        change = unpin_image(item)
        if change is not None:
            plan.made.append(change)
        else:
            plan.notes[item] = "has no tag to go back to"
    return plan


def write_changes(found: FoundReferences, plan: Changes) -> dict[FoundReference, Change]:
    """Write the changes, file by file, and put what the files hold now into `found`; return it with the change that made it."""
    done: dict[FoundReference, Change] = {}
    by_path = groupby(sorted(plan.made, key=lambda change: change.found.path), key=lambda change: change.found.path)
    for path, changes in by_path:
        try:
            now = _write(found, path, list(changes), done)
        except GateError as fault:
            found.faults.append(fault)
            continue
        found.references = [item for item in found.references if item.path != path] + now
    found.faults += plan.faults.values()
    found.references.sort(key=lambda item: (item.path, item.span))
    return done


def _write(
    found: FoundReferences, path: str, changes: list[Change], done: dict[FoundReference, Change]
) -> list[FoundReference]:
    file = found.places[path]
    before = read_file(file)
    if before is None:
        raise _changed(path)
    read_source(before)
    if not {change.found for change in changes} <= set(before.found):
        raise _changed(path)
    after = change_file(before, changes)
    replace_tree_file(file, before.data, after.data)
    now = sorted(after.found, key=lambda item: item.span)
    made = {change.found: change for change in changes}
    # The references of both are the same, in the same order: `change_file` compared them.
    for old, new in zip(sorted(before.found, key=lambda item: item.span), now, strict=True):
        if old in made:
            done[new] = made[old]
    return now


def _changed(path: str) -> EvidenceError:
    expected = "a file that nothing writes to"
    return EvidenceError(f"{path} changed meanwhile", code="REF_FILE_UNREADABLE", expected=expected)


def add_notes(found: FoundReferences, plan: Changes) -> None:
    """Add notes to references that stay as they are; what was changed before them moved them, so that no place tells which."""
    by_name = {_key(item): (note, item in plan.outdated) for item, note in plan.notes.items()}
    for number, item in enumerate(found.references):
        if (noted := by_name.get(_key(item))) is not None:
            note = "; ".join(filter(None, (item.note, noted[0])))
            found.references[number] = replace(item, note=note, outdated=noted[1])


def _key(found: FoundReference) -> tuple[str, str, str]:
    return found.path, found.reached, found.value
