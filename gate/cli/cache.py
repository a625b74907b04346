"""`gate cache`: the blobs of images that are kept between runs."""

from __future__ import annotations

from typing import Final

import click

from gate.cli.commands import Group
from gate.cli.common import Common, common_options
from gate.cli.types import SIZE
from gate.pipeline.collect.context import image_store
from gate.pipeline.image_lock import SCRATCH, sweep_scratch
from gate.report.content import Listing

_BUSY: Final = "a run is using the store, and nothing was removed: try again when it has ended"


@click.group(cls=Group)
def cache() -> None:
    """List and prune the local store of blobs."""


@cache.command(name="list")
@common_options
def list_(common: Common) -> None:
    """List the blobs, the least recently used first."""
    blobs = image_store(common.places()).blobs()
    rows = tuple((str(blob.digest), blob.size, blob.used_at) for blob in blobs)
    total = f"{len(blobs)} blobs, {sum(blob.size for blob in blobs)} bytes"
    common.finish(Listing(kind="blobs", columns=("digest", "size", "used"), rows=rows, notes=(total,)))


@cache.command()
@click.option(
    "--max-bytes", type=SIZE, envvar="GATE_MAX_BYTES", help="How much may stay, as 500M or 20G.  [default: 20G]"
)
@common_options
def prune(common: Common, max_bytes: int | None) -> None:
    """Remove the least recently used blobs, and what killed runs left behind.

    Evidence of recorded verdicts is not kept here and is never removed.
    """
    places = common.places()
    pruned = image_store(places).prune(max_bytes)
    folders, folder_bytes = sweep_scratch(places.cache / SCRATCH)
    row = (pruned.removed, pruned.freed_bytes + folder_bytes, pruned.busy)
    notes: tuple[str, ...] = (_BUSY,) if pruned.busy else ()
    if folders:
        notes += (f"{folders} folders of killed runs removed",)
    common.finish(Listing(kind="pruned", columns=("removed", "freed_bytes", "busy"), rows=(row,), notes=notes))
