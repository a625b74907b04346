"""`gate refs`: the references in the files of a repository."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options, registry_options
from gate.cli.environment import github_token
from gate.cli.environment import registry_options as registry_settings
from gate.cli.messages import say_error
from gate.cli.types import DURATION, PLACE
from gate.codec.unified_diff import changed_lines
from gate.disk.named import MAX_INPUT_BYTES, read_named
from gate.errors import UsageError
from gate.pipeline.refs import Wanted, find_references
from gate.pipeline.refs_diff import keep_changed
from gate.pipeline.refs_policy import judge_references
from gate.report.codes import worst_exit_code
from gate.report.content import Listing

if TYPE_CHECKING:
    from gate.errors import GateError
    from gate.model.found_reference import FoundReference
    from gate.model.policy import Policy
    from gate.model.requirement import Requirement
    from gate.pipeline.refs import FoundReferences
    from gate.report.content import Cell
    from gate.sources.changes import Change

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
@click.option("--fix", is_flag=True, envvar="GATE_FIX", help="Pin what can move, in place: only its bytes change.")
@click.option("--update", is_flag=True, envvar="GATE_UPDATE", help="Move pins whose tag names something else now.")
@click.option("--check-updates", is_flag=True, envvar="GATE_CHECK_UPDATES", help="Only tell which pins could move.")
@click.option("--unpin", is_flag=True, envvar="GATE_UNPIN", help="Leave the tag of every pin alone again.")
@click.option(
    "--min-age", type=DURATION, envvar="GATE_MIN_AGE", help="Pin and move only to what is at least so old, as 7d."
)
@click.option(
    "--github-api",
    default="https://api.github.com",
    envvar="GATE_GITHUB_API",
    help="Where the API of GitHub is that knows the actions.  [default: https://api.github.com]",
)
@click.option(
    "--policy", "-p", type=PLACE, envvar="GATE_POLICY", help="Take allowed repositories and exceptions from it."
)
@click.option(
    "--diff", type=PLACE, envvar="GATE_DIFF", help="Judge only lines that this unified diff changes; - reads one."
)
@click.option("--verify", is_flag=True, envvar="GATE_VERIFY", help="Demand a valid verdict for each pinned image too.")
@click.option("--requirement", type=PLACE, envvar="GATE_REQUIREMENT", help="What --verify demands.")
@click.option("--all", "show_all", is_flag=True, envvar="GATE_ALL", help="Show accepted references in the table too.")
@registry_options
@common_options
def refs(
    common: Common,
    *,
    paths: tuple[Path, ...],
    fix: bool,
    update: bool,
    check_updates: bool,
    unpin: bool,
    min_age: timedelta | None,
    github_api: str,
    policy: Path | None,
    diff: Path | None,
    verify: bool,
    requirement: Path | None,
    show_all: bool,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Find references to images and other code; refuse those that can move.

    PATH is a file or a folder. Each file is read as the program reads it that runs it. Ends with 1 where a reference can move
    or only a run decides it, and with 3 where a file could not be judged.

    \b
    gate refs .
    gate refs . --fix --min-age 7d
    gate refs . --check-updates
    """  # noqa: D301  click reads \b
    wanted = Wanted(fix=fix, update=update, tell=check_updates, unpin=unpin, min_age=min_age)
    _require_sense(wanted, diff=diff, verify=verify, requirement=requirement)
    demanded = _requirement(requirement) if requirement is not None else None
    allowed = _policy(policy, common.now) if policy is not None else None
    changed_by = changed_lines(_diff(diff)) if diff is not None else None
    deadline = common.deadline(_TIME)
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    found = find_references(paths, check_deadline=lambda: deadline.check("references were looked for"))
    if changed_by is not None:
        keep_changed(found, changed_by)
    changed: Mapping[FoundReference, Change] = {}
    if wanted.online or wanted.unpin:
        from gate.pipeline.refs_run import Sources, change_references  # noqa: PLC0415 - who only finds needs no client

        sources = Sources(registry=registry, github=github_api, token=github_token())
        changed = change_references(found, wanted, sources, deadline, common.now)
    if demanded is not None:
        from gate.pipeline.refs_verify import verify_references  # noqa: PLC0415 - as above
        from gate.pipeline.verify_options import VerifyOptions  # noqa: PLC0415

        options = VerifyOptions(places=common.places(), requirement=demanded, offline=common.offline, registry=registry)
        verify_references(found, common.timed(options))
    notes: Sequence[str] = ()
    if allowed is not None:
        found.references, notes = judge_references(found.references, allowed, common.now.astimezone(UTC).date())
    _finish(common, found, changed, notes, show_all=show_all)


def _policy(path: Path, now: datetime) -> Policy:
    from gate.pipeline.options import AdHoc  # noqa: PLC0415 - who names no policy loads no reader of policies
    from gate.pipeline.policies import load_policy  # noqa: PLC0415

    return load_policy(path, AdHoc(), now).policy


def _requirement(path: Path) -> Requirement:
    from gate.cli.demands import read_requirement  # noqa: PLC0415 - as for a policy

    return read_requirement(path)


def _diff(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(MAX_INPUT_BYTES)
    return read_named(path, "the diff")


def _finish(
    common: Common,
    found: FoundReferences,
    changed: Mapping[FoundReference, Change],
    notes: Sequence[str],
    *,
    show_all: bool,
) -> NoReturn:
    for fault in found.faults:
        say_error(fault)
    rows = [_row(reference, changed) for reference in found.references] + [_fault_row(fault) for fault in found.faults]
    listing = Listing(
        kind="references", columns=_COLUMNS, rows=tuple(rows), state="state", notes=(*notes, _counts(found)),
        exit_code=worst_exit_code(found.exit_codes), detail=_DETAIL, accepted=frozenset() if show_all else _ACCEPTED,
    )  # fmt: skip
    common.finish(listing)


def _require_sense(wanted: Wanted, *, diff: Path | None, verify: bool, requirement: Path | None) -> None:
    chosen = [wanted.fix or wanted.update, wanted.tell, wanted.unpin]
    if sum(chosen) > 1:
        raise UsageError("these options exclude each other", expected="--fix and --update, --check-updates, or --unpin")
    if wanted.min_age is not None and not wanted.online:
        raise UsageError("--min-age does nothing here", expected="--fix, --update or --check-updates with it")
    if verify != (requirement is not None):
        raise UsageError("what --verify demands stands in a requirement", expected="--verify with --requirement FILE")
    if diff is not None and (wanted.fix or wanted.update or wanted.unpin):
        raise UsageError("--diff judges and changes nothing", expected="it without --fix, --update and --unpin")


def _row(found: FoundReference, changed: Mapping[FoundReference, Change]) -> tuple[Cell, ...]:
    span, change = found.span, changed.get(found)
    state = "warning" if found.advisory and found.code else "outdated" if found.outdated else found.state.value
    note = f"was {change.found.value}" if change is not None else found.note
    return (
        change.done if change is not None else state, f"{found.path}:{span.line}:{span.column}", found.value, found.reached,
        found.code or None, note or None, found.path, span.line, span.column, span.start, span.end, found.kind.value,
        found.text, found.platform or None, found.comment or None, found.fixable,
    )  # fmt: skip


def _fault_row(fault: GateError) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {"state": "error", "code": fault.code, "reason": str(fault)}
    return tuple(cells.get(column) for column in _COLUMNS)


def _counts(found: FoundReferences) -> str:
    refused = sum(reference.refuses for reference in found.references)
    accepted = sum(not reference.code for reference in found.references)
    return f"{len(found.references)} references in {found.files} files: {accepted} accepted, {refused} refused"
