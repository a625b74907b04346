"""`gate record`: the database of all verdicts, as its owner sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from gate.admin.record import record_status, repair_record
from gate.cli.commands import Group
from gate.cli.common import Common, common_options, record_option
from gate.report.content import Listing
from gate.store.record import migrate_record
from gate.store.schema import CURRENT

if TYPE_CHECKING:
    from gate.admin.record import RecordFinding

_TIME: Final = timedelta(minutes=15)
_COLUMNS: Final = ("component", "state", "found", "next")
_NOT_JUDGED: Final = 3


@click.group(name="record", cls=Group)
def record_group() -> None:
    """Make, check and repair the record of all verdicts."""


@record_group.command()
@click.option(
    "--grant", "role", default="", envvar="GATE_GRANT", help="Let this PostgreSQL role append and read: a job's."
)
@record_option
@common_options
def migrate(common: Common, *, role: str, record: str | None) -> None:
    """Make the record's tables, or bring them to this release, as their owner.

    A gate needs only to append and to read. It makes a record in a file itself, and never the tables of a server.

    \b
    gate record migrate --record postgresql://owner@db.example/gate --grant gate_job
    """  # noqa: D301  click reads \b
    places = common.places(record=record)
    before = migrate_record(places.record, places.evidence, role=role, deadline=common.deadline(_TIME))
    found = f"version {CURRENT}" if before == CURRENT else f"version {CURRENT}, was {before or 'not there'}"
    common.finish(Listing(kind="record", columns=_COLUMNS, rows=(("schema", "ok", found, ""),), state="state"))


@record_group.command()
@record_option
@common_options
def status(common: Common, *, record: str | None) -> None:
    """Read every row and all evidence, and report damage with its place; ends with 3 where there is any."""
    found = record_status(common.places(record=record), common.deadline(_TIME))
    code = _NOT_JUDGED if any(item.damaged for item in found) else 0
    rows = tuple(map(_row, found))
    common.finish(Listing(kind="record", columns=_COLUMNS, rows=rows, state="state", exit_code=code))


@record_group.command()
@record_option
@common_options
def repair(common: Common, *, record: str | None) -> None:
    """Abandon what an earlier run left to be published and whose bytes are damaged, as a row of the record."""
    found = repair_record(common.places(record=record), common.now, common.deadline(_TIME))
    notes = () if found else ("nothing to repair",)
    common.finish(Listing(kind="record", columns=_COLUMNS, rows=tuple(map(_row, found)), state="state", notes=notes))


def _row(item: RecordFinding) -> tuple[str, str, str, str]:
    return item.component, item.state, item.found, item.next_step
