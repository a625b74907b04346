"""All current databases in one file, for a machine without a network: a tar with a list of digests first.

The list is `gate-databases.json`; every other member is named by it, and is compared with it while it is written. The
file itself is to be carried by its digest, which export prints and import demands where it is told one.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, Final

from gate.admin.database_artifacts import MAX_DATABASE_BYTES, source_fault
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.disk.content import DigestMemo
from gate.errors import DatabaseError
from gate.model.digest import Digest
from gate.scanners.database_store import FILES, Database, DatabaseKind, add_entry, make_store

LIST_NAME: Final = "gate-databases.json"
_VERSION: Final = 1
_MAX_LIST_BYTES: Final = 1 << 20
_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "the archive's list")


def write_archive(databases: tuple[Database, ...], target: Path) -> Digest:
    """Write databases, each verified, into a new file and give the file's digest.

    Raises:
        DatabaseError: `DB_DIGEST`, `DB_MISSING`, or `DB_SOURCE` where the file cannot be written.
    """
    for database in databases:
        database.verify(DigestMemo())
    try:
        with target.open("xb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add_bytes(archive, LIST_NAME, _list_of(databases))
            for database in databases:
                _add_files(archive, database)
        with target.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256")
    except OSError as error:
        raise source_fault("the archive cannot be written", expected=str(target), seen=error.strerror or "") from error
    return Digest.from_hex(digest.hexdigest())


def _list_of(databases: tuple[Database, ...]) -> bytes:
    entries = [
        {
            "kind": database.kind.value,
            "digest": database.identity.digest.text,
            "files": {name: digest.text for name, digest in database.files},
            "source": database.identity.source,
        }
        for database in databases
    ]
    return json.dumps({"version": _VERSION, "databases": entries}, indent=1, sort_keys=True).encode()


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _add_files(archive: tarfile.TarFile, database: Database) -> None:
    for name, _ in database.files:
        path = database.directory / name
        entry = tarfile.TarInfo(f"{database.kind.value}/{name}")
        entry.size, entry.mode = path.stat().st_size, 0o644
        with path.open("rb") as content:
            archive.addfile(entry, content)


def is_archive(path: Path) -> bool:
    """Say whether a file begins like an archive of `gate db export`."""
    try:
        with tarfile.open(path, "r:") as archive:
            first = archive.next()
    except (tarfile.TarError, OSError, EOFError):
        return False
    return first is not None and first.name == LIST_NAME


def add_from_archive(directory: Path, path: Path) -> Iterator[Database]:
    """Add every database of an archive to the store, not yet current.

    Raises:
        DatabaseError: `DB_MALFORMED`, `DB_DIGEST`, `DB_SOURCE`.
    """
    with tempfile.TemporaryDirectory(dir=make_store(directory), prefix=".import-") as scratch:
        entries = _unpack(path, Path(scratch))
        for entry in entries:
            kind = _kind(entry)
            made = add_entry(
                directory,
                kind,
                partial(_move, Path(scratch) / kind.value, kind=kind),
                source=entry.optional_text("source"),
            )
            if made.identity.digest != entry.digest("digest"):
                raise entry.refuse("digest", "is not that of the database", code="DB_DIGEST")
            yield made


def _move(source: Path, place: Path, *, kind: DatabaseKind) -> None:
    for name in FILES[kind]:
        (place / name).parent.mkdir(mode=0o700, exist_ok=True)
        (source / name).rename(place / name)


def _kind(entry: ObjectView) -> DatabaseKind:
    text = entry.text("kind")
    if text not in list(DatabaseKind):
        raise entry.refuse("kind", "is of an unknown kind", expected=", ".join(DatabaseKind), seen=text)
    return DatabaseKind(text)


def _unpack(path: Path, scratch: Path) -> tuple[ObjectView, ...]:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            first = archive.next()
            listing = archive.extractfile(first) if first is not None and first.name == LIST_NAME else None
            if listing is None:
                raise source_fault("the file is no archive of `gate db export`", expected=LIST_NAME)
            view = parse_object(listing.read(_MAX_LIST_BYTES + 1), _FAULT, limit_bytes=_MAX_LIST_BYTES)
            if view.integer("version") != _VERSION:
                raise view.refuse("version", "has another form", expected=str(_VERSION))
            entries = view.objects("databases")
            wanted = {
                f"{_kind(entry).value}/{name}": entry.object("files").digest(name)
                for entry in entries
                for name in FILES[_kind(entry)]
            }
            _write_members(archive, wanted, scratch)
    except (tarfile.TarError, EOFError) as error:
        raise source_fault("the archive is cut off or no archive", code="DB_MALFORMED", seen=path.name) from error
    except OSError as error:
        raise source_fault("the archive cannot be read", expected=str(path), seen=error.strerror or "") from error
    return entries


def _write_members(archive: tarfile.TarFile, wanted: dict[str, Digest], scratch: Path) -> None:
    left = MAX_DATABASE_BYTES
    for member in archive:
        if member.name == LIST_NAME and member.offset == 0:  # the list itself: iterating begins with it again
            continue
        expected, content = wanted.pop(member.name, None), archive.extractfile(member)
        left -= member.size
        if expected is None or content is None or left < 0:
            raise source_fault("the archive holds something else", code="DB_MALFORMED", seen=ascii(member.name[:80]))
        target = scratch / member.name  # a name of our own list
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            seen = _copy_hashed(content, file)
        if seen != expected:
            raise source_fault(
                "a database in the archive is damaged", code="DB_DIGEST", expected=expected.text, seen=seen.text
            )
    if wanted:
        raise source_fault("the archive lacks files", code="DB_MALFORMED", expected=", ".join(sorted(wanted))[:200])


def _copy_hashed(content: IO[bytes], file: BinaryIO) -> Digest:
    hashed = hashlib.sha256()
    while block := content.read(1 << 20):
        hashed.update(block)
        file.write(block)
    return Digest.from_hex(hashed.hexdigest())
