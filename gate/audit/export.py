"""The record for other programs: canonical rows a line, a table without formulas, and the log as tiles.

The lines are the leaves of the tree, byte for byte, so that an export is verified as the record is (`gate audit verify EXPORT`).
Everything is written a page at a time.

Specification: C2SP tlog-tiles for `--tiles`.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.audit.questions import codes_of, said_of
from gate.disk.output import write_output
from gate.errors import StorageError, UsageError
from gate.store.checkpoints import last_checkpoint, read_tree
from gate.verification.merkle import leaf_hash, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gate.store.record import Record, Row

COLUMNS: Final = ("number", "at", "kind", "subject", "decision", "codes", "policy", "waivers", "environments", "actor")
TILE: Final = 256
# What spreadsheets take for a formula or a command (OWASP, "CSV Injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def export_lines(record: Record) -> Iterator[bytes]:
    """Yield the canonical bytes of every row, a line each, oldest first."""
    for row in record.rows():
        yield row.content + b"\n"


def export_table(record: Record) -> Iterator[bytes]:
    """Yield a table of the rows in CSV, without what a spreadsheet would take for a formula."""
    yield _csv_line(COLUMNS)
    for row in record.rows():
        yield _csv_line(tuple(map(_harmless, _cells(row))))


def _cells(row: Row) -> tuple[str, ...]:
    said = said_of(row)
    policy = said.get("policy")
    actor = said.get("actor")
    return (
        str(row.number),
        str(said.get("at", "")),
        row.kind,
        row.subject,
        str(said.get("decision", "")),
        " ".join(codes_of(said)),
        str(policy.get("digest", "")) if isinstance(policy, dict) else str(policy or ""),
        " ".join(map(str, said.get("waivers", ()) or [said.get("waiver", "")])),
        " ".join(map(str, said.get("environments", ()) or [said.get("environment", "")])),
        " ".join(f"{name}={value}" for name, value in sorted(actor.items())) if isinstance(actor, dict) else "",
    )


def _harmless(text: str) -> str:
    """Return a cell in printable ASCII; an apostrophe before what would be a formula makes it text."""
    shown = "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in text)
    return f"'{shown}" if text.startswith(_FORMULA) else shown


def _csv_line(cells: tuple[str, ...]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().encode("ascii")


def export_tiles(record: Record, folder: Path, check_time: Callable[[], None]) -> int:
    """Write the log up to its last checkpoint as C2SP tlog-tiles, and return its size.

    The layout: `checkpoint`; `tile/L/N` with 256 hashes each (the last one of a level `N.p/W`); `tile/entries/N` with the rows,
    each after its length in two bytes.

    Raises:
        UsageError: `STORE_NO_CHECKPOINT`, nothing was sealed yet; StorageError: `STORE_CORRUPT`, `STORE_NO_TILES`, `OUT_WRITE`.
    """
    row = last_checkpoint(record)
    if row is None:
        raise UsageError(
            "the record has no checkpoint yet", code="STORE_NO_CHECKPOINT", expected="a sealed record", seen="none"
        )
    size = read_tree(row)[0].size
    hashes = _write_entries(record, folder, size, check_time)
    level = 0
    while hashes:
        _write_hashes(folder, level, hashes)
        whole = len(hashes) // TILE
        hashes = [root_of(hashes[place * TILE : (place + 1) * TILE]) for place in range(whole)]
        level += 1
    _write(folder / "checkpoint", row.view().text("note").encode())
    return size


def _write_entries(record: Record, folder: Path, size: int, check_time: Callable[[], None]) -> list[bytes]:
    hashes: list[bytes] = []
    bundle: list[bytes] = []
    for row in record.rows():
        if row.number > size:
            break
        if len(row.content) > 0xFFFF:
            raise StorageError(
                "a row is larger than an entry of tlog-tiles may be",
                code="STORE_NO_TILES",
                expected="at most 65535 bytes",
                seen=f"{len(row.content)} bytes in row {row.number}",
            )
        hashes.append(leaf_hash(row.content))
        bundle.append(len(row.content).to_bytes(2, "big") + row.content)
        if len(bundle) == TILE or row.number == size:
            check_time()
            _write(_tile(folder / "tile" / "entries", (row.number - 1) // TILE, len(bundle)), b"".join(bundle))
            bundle = []
    return hashes


def _write_hashes(folder: Path, level: int, hashes: list[bytes]) -> None:
    for place in range(0, len(hashes), TILE):
        tile = hashes[place : place + TILE]
        _write(_tile(folder / "tile" / str(level), place // TILE, len(tile)), b"".join(tile))


def _tile(folder: Path, number: int, width: int) -> Path:
    """Return the path of a tile: groups of three digits, all but the last with an `x` before; a partial one names its width."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    if width < TILE:
        groups[-1] += ".p"
        groups.append(str(width))
    return folder.joinpath(*groups)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "a folder cannot be made", code="OUT_WRITE", expected=str(path.parent), seen=str(error.strerror)
        ) from error
    write_output(path, content)
