"""`gate audit`: questions to the record of all verdicts, and the proof that it was not altered."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.audit.questions import Filter, codes_of, differences, find_rows, named_rows, one_row, said_of
from gate.cli.commands import Group
from gate.cli.common import Common, common_options, record_option, with_options
from gate.cli.types import PLACE
from gate.codec.strict_json import Fault
from gate.codec.times import format_time, parse_time
from gate.disk.named import read_named_lines
from gate.errors import UsageError
from gate.report.content import Document, Listing
from gate.store.record import Record, open_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.audit.replay import NotReplayed, Replay
    from gate.codec.audit_note import NoteKey
    from gate.store.rows import Columns

_TIME: Final = timedelta(minutes=15)
_NOT_JUDGED: Final = 3
_DEFECT: Final = 4
_MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_ROWS: Final = ("row", "at", "kind", "decision", "codes", "subject")

checkpoint_key_option = click.option(
    "--checkpoint-key",
    "checkpoint_keys",
    multiple=True,
    metavar="VERIFIER_KEY",
    envvar="GATE_CHECKPOINT_KEY",
    help="A key that may sign checkpoints, as `gate audit checkpoint` prints it. Repeatable.",
)


@click.group(cls=Group)
def audit() -> None:
    """Ask the record of all verdicts, and prove that it was not altered."""


def _opened(common: Common, record: str | None) -> Record:
    places = common.places(record=record)
    return open_record(places.record, places.evidence, deadline=common.deadline(_TIME))


@audit.command()
@click.argument("export", type=PLACE, required=False)
@click.option(
    "--checkpoint",
    type=PLACE,
    envvar="GATE_CHECKPOINT",
    help="A checkpoint that you kept: the record must have grown from it.",
)
@checkpoint_key_option
@click.option(
    "--key",
    "keys",
    type=PLACE,
    multiple=True,
    envvar="GATE_VERIFY_KEY",
    help="A public key of verdicts: each row's attestation must verify under one of them. Repeatable.",
)
@record_option
@common_options
def verify(
    common: Common,
    *,
    export: Path | None,
    checkpoint: Path | None,
    checkpoint_keys: tuple[str, ...],
    keys: tuple[Path, ...],
    record: str | None,
) -> None:
    """Verify offline that no row was altered, removed, inserted, reordered or cut; ends with 3 where one was.

    EXPORT is a file of `gate audit export`; without it the record itself is read. A cut of the last rows is found only by a
    checkpoint that was kept elsewhere, and a record that was written anew by whoever has its key, too.
    """
    from gate.audit.attested import attestation_fault  # noqa: PLC0415 - only what verifies loads it
    from gate.audit.verification import Demands, export_columns, verify_rows  # noqa: PLC0415
    from gate.codec.audit_note import parse_note_key  # noqa: PLC0415
    from gate.pipeline.inputs import read_input  # noqa: PLC0415
    from gate.settings.opening import read_public_key  # noqa: PLC0415
    from gate.store.backend import pages  # noqa: PLC0415

    if export is not None and keys:
        raise UsageError("attestations are kept with the record", expected="--key without EXPORT", seen="both")
    deadline = common.deadline(_TIME)
    public = tuple(map(read_public_key, keys))
    note = read_input(checkpoint).decode("utf-8", "replace") if checkpoint is not None else ""
    accepted: tuple[NoteKey, ...] = tuple(map(parse_note_key, checkpoint_keys))

    def found(rows: Iterator[Columns], opened: Record | None) -> None:
        of_row = None
        if public and opened is not None:
            evidence = opened.evidence
            of_row = lambda row: attestation_fault(row, evidence, public)  # noqa: E731
        demands = Demands(
            keys=accepted, checkpoint=note, of_row=of_row, expect_time=lambda: deadline.check("the record was verified")
        )
        result = verify_rows(rows, demands)
        lines = [(f"row {one.row}" if one.row else "record", "damaged", one.what) for one in result.damage]
        sealed = (
            f"rows 1 to {result.sealed}, {result.checkpoints} checkpoints" if result.checkpoints else "no checkpoint"
        )
        lines += [("rows", "ok" if result.sound else "damaged", f"{result.tree.size} rows"), ("sealed", "ok", sealed)]
        lines += [("root", "ok", result.tree.root.hex())] if result.sound else []
        lines += [("key", "ok" if accepted else "not demanded", key) for key in result.keys]
        code = 0 if result.sound else _NOT_JUDGED
        common.finish(
            Listing(
                kind="audit", columns=("component", "state", "found"), rows=tuple(lines), state="state", exit_code=code
            )
        )

    if export is not None:
        found(export_columns(read_named_lines(export, "the export", limit_bytes=_MAX_LINE_BYTES)), None)
        return
    with closing(_opened(common, record)) as opened:
        found(pages(opened.backend), opened)


@audit.command()
@record_option
@common_options
def checkpoint(common: Common, *, record: str | None) -> None:
    """Seal the record: sign a checkpoint over every row, and print it. Keep it elsewhere.

    The key is made beside the record at the first time (`checkpoint.key`); the verifier key is told on standard error.
    """
    from gate.store.checkpoint_key import checkpoint_key_file, open_checkpoint_key  # noqa: PLC0415
    from gate.store.checkpoints import append_checkpoint, last_checkpoint  # noqa: PLC0415

    places = common.places(record=record)
    with closing(_opened(common, record)) as opened:
        key = open_checkpoint_key(checkpoint_key_file(places.evidence))
        row = append_checkpoint(opened, key, common.now) or last_checkpoint(opened)
    if row is None:
        raise UsageError("the record is empty", expected="at least one row", seen="none")
    common.say(f"verifier key: {row.view().text('key')}")
    common.finish(Document(row.view().text("note")))


_filters = with_options(
    click.option("--kind", default="", envvar="GATE_KIND", help="Only rows of this kind, as `verdict` or `admission`."),
    click.option("--repository", default="", envvar="GATE_REPOSITORY", help="Only of this repository."),
    click.option("--digest", default="", envvar="GATE_DIGEST", help="Only about this digest."),
    click.option("--since", default="", envvar="GATE_SINCE", help="Only from this day or time (RFC 3339) on."),
    click.option("--until", default="", envvar="GATE_UNTIL", help="Only before this day or time."),
    click.option("--decision", default="", envvar="GATE_DECISION", help="Only with this decision, as `refused`."),
    click.option("--code", default="", envvar="GATE_CODE", help="Only with this reason code."),
    click.option(
        "--of-policy", default="", envvar="GATE_OF_POLICY", help="Only under the policy of this name or digest."
    ),
    click.option("--waiver", default="", envvar="GATE_WAIVER", help="Only where this waiver excused something."),
    click.option("--of-environment", default="", envvar="GATE_OF_ENVIRONMENT", help="Only for this environment."),
    click.option("--actor", default="", envvar="GATE_ACTOR", help="Only by this user, host, system or run."),
    click.option("--commit", default="", envvar="GATE_COMMIT", help="Only of this commit."),
)


def _filter(**said: str) -> Filter:
    for name in ("since", "until"):
        said[name] = _moment(said[name]) if said[name] else ""
    said["policy"], said["environment"] = said.pop("of_policy"), said.pop("of_environment")
    return Filter(**said)


def _moment(text: str) -> str:
    whole = f"{text}T00:00:00Z" if len(text) == 10 else text
    return format_time(parse_time(whole, Fault(UsageError, "USAGE", "the time"), "an option"))


@audit.command(name="list")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    envvar="GATE_LIMIT",
    help="At most so many rows.  [default: 100]",
)
@record_option
@common_options
def list_rows(common: Common, *, limit: int, record: str | None, **said: str) -> None:
    """List rows of the record, newest first.

    \b
    gate audit list --kind verdict --repository registry.example/shop/web --decision refused --since 2026-11-01
    """  # noqa: D301  click reads \b
    wanted = _filter(**said)
    with closing(_opened(common, record)) as opened:
        rows = tuple(
            (
                row.number,
                str(one.get("at", "")),
                row.kind,
                str(one.get("decision", "")),
                " ".join(codes_of(one)),
                row.subject,
            )
            for row, one in find_rows(opened, wanted, limit)
        )
    notes = (f"the newest {limit} rows; --limit shows more, --until older ones",) if len(rows) == limit else ()
    common.finish(Listing(kind="rows", columns=_ROWS, rows=rows, notes=notes))


@audit.command()
@click.argument("name", metavar="ROW|DIGEST")
@record_option
@common_options
def show(common: Common, name: str, *, record: str | None) -> None:
    """Print what a row says, or every row about a digest, as JSON, the same in every format."""
    with closing(_opened(common, record)) as opened:
        found = [said_of(row) | {"leafHash": row.leaf_hash} for row in named_rows(opened, name)]
    said = found[0] if len(found) == 1 and name.isdecimal() else found
    # Escaped to ASCII: names of images and people are foreign text.
    common.finish(Document(json.dumps(said, indent=2, sort_keys=True) + "\n"))


@audit.command()
@click.argument("one", metavar="ROW|DIGEST")
@click.argument("other", metavar="ROW|DIGEST")
@record_option
@common_options
def diff(common: Common, one: str, other: str, *, record: str | None) -> None:
    """Say in which fields two rows differ; of lists, what is only in the first and only in the second."""
    with closing(_opened(common, record)) as opened:
        first, second = one_row(opened, one), one_row(opened, other)
    rows = tuple(differences(said_of(first), said_of(second)))
    columns = ("field", f"row {first.number}", f"row {second.number}")
    common.finish(Listing(kind="differences", columns=columns, rows=rows))


@audit.command()
@click.argument("file", type=PLACE, required=False)
@click.option(
    "--csv", "as_table", is_flag=True, envvar="GATE_CSV", help="Write a table for spreadsheets, without formulas."
)
@click.option("--tiles", type=PLACE, envvar="GATE_TILES", help="Write the log as C2SP tlog-tiles into this folder.")
@record_option
@common_options
def export(common: Common, *, file: Path | None, as_table: bool, tiles: Path | None, record: str | None) -> None:
    """Write the record for other programs: into FILE one row a line, in the bytes that the tree is over.

    \b
    gate audit export rows.jsonl
    gate audit verify rows.jsonl
    """  # noqa: D301  click reads \b
    from gate.audit.export import export_lines, export_table, export_tiles  # noqa: PLC0415
    from gate.disk.output import write_output  # noqa: PLC0415

    if (file is None) == (tiles is None) or (as_table and tiles is not None):
        raise UsageError("it is not said what to write", expected="FILE, FILE --csv or --tiles DIR")
    deadline = common.deadline(_TIME)
    with closing(_opened(common, record)) as opened:
        if tiles is not None:
            size = export_tiles(opened, tiles, lambda: deadline.check("the tiles were written"))
            written = (str(tiles), f"tiles of rows 1 to {size}")
        else:
            place = file or Path()
            write_output(place, export_table(opened) if as_table else export_lines(opened))
            written = (str(place), "table" if as_table else "rows")
    common.finish(Listing(kind="exports", columns=("place", "what"), rows=(written,)))


@audit.command()
@click.argument("name", metavar="ROW|DIGEST")
@record_option
@common_options
def prove(common: Common, name: str, *, record: str | None) -> None:
    """Print a proof (C2SP tlog-proof) that a row is in the sealed record; it stands alone.

    \b
    gate audit prove sha256:… --output verdict.tlog-proof
    """  # noqa: D301  click reads \b
    from gate.audit.proofs import prove_row  # noqa: PLC0415
    from gate.codec.audit_note import render_proof  # noqa: PLC0415

    with closing(_opened(common, record)) as opened:
        common.finish(Document(render_proof(prove_row(opened, one_row(opened, name)))))


@audit.command("verify-proof")
@click.argument("file", type=PLACE)
@checkpoint_key_option
@common_options
def verify_proof(common: Common, *, file: Path, checkpoint_keys: tuple[str, ...]) -> None:
    """Verify a proof by itself, and say what the row says; nothing else is read.

    The key is demanded: a proof by just any key proves nothing.
    """
    from gate.audit.proofs import read_proof  # noqa: PLC0415
    from gate.codec.audit_note import MAX_PROOF_BYTES, parse_note_key  # noqa: PLC0415
    from gate.pipeline.inputs import read_input  # noqa: PLC0415

    if not checkpoint_keys:
        raise UsageError("no key was given that may sign checkpoints", expected="--checkpoint-key", seen="none")
    content = read_input(file, limit_bytes=MAX_PROOF_BYTES).decode("utf-8", "replace")
    said = read_proof(content, tuple(map(parse_note_key, checkpoint_keys)))
    row = (int(str(said["number"])), str(said["at"]), str(said["kind"]), str(said.get("decision", "")))
    rows = ((*row, " ".join(codes_of(said)), str(said["subject"])),)
    common.finish(Listing(kind="rows", columns=_ROWS, rows=rows))


@audit.command()
@_filters
@click.option(
    "--policy", "-p", type=PLACE, envvar="GATE_POLICY", help="Decide under this policy instead of the recorded ones."
)
@click.option(
    "--at", default="", envvar="GATE_AT", help="Decide at this time (RFC 3339, or `now`) instead of the recorded ones."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    envvar="GATE_LIMIT",
    help="At most so many verdicts.  [default: 100]",
)
@record_option
@common_options
def replay(common: Common, *, policy: Path | None, at: str, limit: int, record: str | None, **said: str) -> None:
    """Decide recorded verdicts again from the evidence that was kept, offline, newest first.

    Under its own policy at its own time each must come to the same verdict, byte for byte; a difference is a defect of the
    gate (4). What cannot be decided again is named, and ends with 3 where nothing could.
    """
    from gate.audit.replay import replay_rows  # noqa: PLC0415
    from gate.pipeline.options import AdHoc  # noqa: PLC0415
    from gate.pipeline.policies import load_policy  # noqa: PLC0415

    wanted = _filter(**{**said, "kind": "verdict"})
    loaded = load_policy(policy, AdHoc(), common.now) if policy is not None else None
    moment = (
        common.now if at == "now" else parse_time(at, Fault(UsageError, "USAGE", "the time"), "--at") if at else None
    )
    deadline = common.deadline(_TIME)
    with closing(_opened(common, record)) as opened:
        rows = (row for row, _ in find_rows(opened, wanted, limit))
        results = tuple(replay_rows(opened, rows, deadline, loaded=loaded, at=moment))
    lines = tuple(map(_replayed, results))
    states = [line[1] for line in lines]
    code = _DEFECT if "different" in states else _NOT_JUDGED if states and set(states) == {"no evidence"} else 0
    columns = ("row", "state", "before", "now", "codes", "subject")
    common.finish(Listing(kind="replays", columns=columns, rows=lines, state="state", exit_code=code))


def _replayed(result: Replay | NotReplayed) -> tuple[int, str, str, str, str, str]:
    from gate.audit.replay import NotReplayed  # noqa: PLC0415 - loaded by whoever made the result

    number, subject = result.row.number, result.row.subject
    before = str(said_of(result.row).get("decision", ""))
    if isinstance(result, NotReplayed):
        state = "no evidence" if result.error.code == "STORE_NO_EVIDENCE" else "damaged"
        return number, state, before, "", result.error.code, subject
    now = result.verdict.decision.value
    codes = " ".join(sorted({code for check in result.verdict.checks for code in check.codes}))
    if result.same_question:
        return number, "identical" if result.identical else "different", before, now, codes, subject
    return number, "changed" if result.changed else "same", before, now, codes, subject
