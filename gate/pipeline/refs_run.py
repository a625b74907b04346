"""Changing references, with the registries that are asked for it; loaded only where something is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gate.disk.tree import read_tree_file
from gate.pipeline.refs_actions import ActionLookups, plan_actions, plan_unpin_actions
from gate.pipeline.refs_change import add_notes, plan_images, plan_unpin, write_changes
from gate.pipeline.refs_lookup import ImageLookups
from gate.registry.client import RegistryClient
from gate.registry.github import GitHub
from gate.registry.options import RegistryOptions
from gate.registry.service import Service

if TYPE_CHECKING:
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.found_reference import FoundReference
    from gate.pipeline.refs import FoundReferences, Wanted
    from gate.sources.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who is asked: registries, and a GitHub by the URL of its API with a token, which may be empty."""

    registry: RegistryOptions
    github: str
    token: str = field(default="", repr=False)


def change_references(
    found: FoundReferences, wanted: Wanted, sources: Sources, deadline: Deadline, now: datetime
) -> dict[FoundReference, Change]:
    """Change the files of what was found as it is wanted; return what stands there now, with the change that made it.

    What could not be changed is a fault in `found` or a note on its reference.
    """

    def data(path: str) -> bytes:
        return read_tree_file(found.places[path]) or b""

    if wanted.unpin:
        plan = plan_unpin(found)
        plan_unpin_actions(found, data, plan)
    else:
        with RegistryClient(sources.registry, deadline) as client, ImageLookups(client, now) as images:
            plan = plan_images(found, wanted, images)
        with (
            Service(sources.github, sources.registry, deadline) as service,
            ActionLookups(GitHub(service, sources.token)) as actions,
        ):
            plan_actions(found, wanted, actions, data, now, plan)
    changed = write_changes(found, plan)
    add_notes(found, plan)
    return changed
