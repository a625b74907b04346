"""Changing references, with the registries that are asked for it; loaded only where something is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.pipeline.refs_change import add_notes, plan_images, plan_unpin, write_changes
from gate.pipeline.refs_lookup import ImageLookups
from gate.registry.client import RegistryClient

if TYPE_CHECKING:
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.found_reference import FoundReference
    from gate.pipeline.refs import FoundReferences, Wanted
    from gate.registry.options import RegistryOptions
    from gate.sources.changes import Change


def change_references(
    found: FoundReferences, wanted: Wanted, registry: RegistryOptions, deadline: Deadline, now: datetime
) -> dict[FoundReference, Change]:
    """Change the files of what was found as it is wanted; return what stands there now, with the change that made it.

    What could not be changed is a fault in `found` or a note on its reference.
    """
    if wanted.unpin:
        plan = plan_unpin(found)
    else:
        with RegistryClient(registry, deadline) as client, ImageLookups(client, now) as lookups:
            plan = plan_images(found, wanted, lookups)
    changed = write_changes(found, plan)
    add_notes(found, plan.notes)
    return changed
