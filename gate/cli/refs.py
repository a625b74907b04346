"""`gate refs`: the references in the files of a repository."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options
from gate.cli.messages import say_error
from gate.cli.types import PLACE
from gate.pipeline.refs import find_references
from gate.report.codes import worst_exit_code
from gate.report.content import Listing

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.found_reference import FoundReference
    from gate.pipeline.refs import FoundReferences
    from gate.report.content import Cell

_TIME: Final = timedelta(minutes=15)
_COLUMNS: Final = (
    "state", "location", "reference", "reached", "code", "reason",
    "path", "line", "column", "start", "end", "kind", "text", "platform", "comment", "fixable",
)  # fmt: skip
# What only programs read: the place is told by `location`.
_DETAIL: Final = frozenset(_COLUMNS[6:])
_ACCEPTED: Final = frozenset({"pinned", "exempt"})


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=PLACE)
@click.option("--all", "show_all", is_flag=True, envvar="GATE_ALL", help="Show pinned references in the table too.")
@common_options
def refs(common: Common, *, paths: tuple[Path, ...], show_all: bool) -> None:
    """Find references to images and other code; refuse those that can move.

    PATH is a file or a folder. Each file is read as the program reads it that runs it. Ends with 1 where a reference can move
    or only a run decides it, and with 3 where a file could not be judged.
    """
    deadline = common.deadline(_TIME)
    found = find_references(paths, check_deadline=lambda: deadline.check("references were looked for"))
    for fault in found.faults:
        say_error(fault)
    rows = [_row(reference) for reference in found.references] + [_fault_row(fault) for fault in found.faults]
    listing = Listing(
        kind="references", columns=_COLUMNS, rows=tuple(rows), state="state", notes=_notes(found),
        exit_code=worst_exit_code(found.exit_codes), detail=_DETAIL, accepted=frozenset() if show_all else _ACCEPTED,
    )  # fmt: skip
    common.finish(listing)


def _row(found: FoundReference) -> tuple[Cell, ...]:
    span = found.span
    state = "warning" if found.advisory and found.code else found.state.value
    return (
        state, f"{found.path}:{span.line}:{span.column}", found.value, found.reached, found.code or None, found.note or None,
        found.path, span.line, span.column, span.start, span.end, found.kind.value, found.text,
        found.platform or None, found.comment or None, found.fixable,
    )  # fmt: skip


def _fault_row(fault: GateError) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {"state": "error", "code": fault.code, "reason": str(fault)}
    return tuple(cells.get(column) for column in _COLUMNS)


def _notes(found: FoundReferences) -> tuple[str, ...]:
    refused = sum(reference.refuses for reference in found.references)
    accepted = sum(not reference.code for reference in found.references)
    return (f"{len(found.references)} references in {found.files} files: {accepted} accepted, {refused} refused",)
