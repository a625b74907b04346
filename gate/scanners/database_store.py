"""The vulnerability databases that are here: kept by digest, read-only, and one of each kind is current.

::

    DIR/current.json                              kind -> entry that a new run opens; switched by rename
    DIR/store/KIND/HEX/entry.json                 files with their digests, build time, schema, where it came from
    DIR/store/trivy/HEX/db/{trivy.db,metadata.json}
    DIR/store/java/HEX/java-db/{trivy-java.db,metadata.json}
    DIR/store/grype/HEX/6/{vulnerability.db,import.json}

HEX is the digest over the digests of the entry's files: Trivy's build time stands beside its database, so that the same
database with another build time is another entry. What verdicts name is the digest of the database file. This module
reads: `gate db` writes, through `add_entry` and `set_current`. A scan compares each file of its entry before the scanner
starts; whether a database is too old is judged by a check, from the build time that the database itself holds.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import format_time, parse_time
from gate.disk.content import DigestMemo, hash_descriptor, verify_database_file, write_atomically
from gate.disk.regular_file import open_regular
from gate.errors import DatabaseError, GateError, StorageError
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Unavailable
from gate.model.unavailable import unavailable_from
from gate.scanners.database_facts import DatabaseFacts, read_grype_facts, read_java_facts, read_trivy_facts

_SCHEMA: Final = 1
_MAX_ENTRY_BYTES: Final = 65536
_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "the list of databases")


class DatabaseKind(StrEnum):
    """The databases that the scanners open."""

    TRIVY = "trivy"
    JAVA = "java"
    GRYPE = "grype"


# Kind -> files in an entry, the one whose digest names the entry first.
FILES: Final[Mapping[DatabaseKind, tuple[str, ...]]] = MappingProxyType(
    {
        DatabaseKind.TRIVY: ("db/trivy.db", "db/metadata.json"),
        DatabaseKind.JAVA: ("java-db/trivy-java.db", "java-db/metadata.json"),
        DatabaseKind.GRYPE: ("6/vulnerability.db", "6/import.json"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One entry of the store. `files` are paths below `directory` with their digests; `identity` goes into verdicts."""

    kind: DatabaseKind
    entry: Digest
    directory: Path
    identity: DatabaseIdentity
    files: tuple[tuple[str, Digest], ...]

    @property
    def main_file(self) -> Path:
        """Return the file that holds the advisories."""
        return self.directory / FILES[self.kind][0]

    def verify(self, memo: DigestMemo) -> None:
        """Compare every file with what was imported; raises `DB_MISSING` or `DB_DIGEST`."""
        for name, digest in self.files:
            verify_database_file(self.directory / name, digest, memo)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSet:
    """The current databases, or why one cannot be used."""

    trivy: Database | Unavailable
    java: Database | Unavailable
    grype: Database | Unavailable

    def of(self, kind: DatabaseKind) -> Database | Unavailable:
        """Return the database of this kind, or why there is none."""
        match kind:
            case DatabaseKind.TRIVY:
                return self.trivy
            case DatabaseKind.JAVA:
                return self.java
            case DatabaseKind.GRYPE:
                return self.grype

    def demand(self, kind: DatabaseKind) -> Database:
        """Return the database of this kind; raises DatabaseError with the reason where there is none."""
        found = self.of(kind)
        if isinstance(found, Unavailable):
            raise DatabaseError(
                found.reason, code=found.code, expected=found.expected, seen=found.seen, next_step=found.next_step
            )
        return found


def load_databases(directory: Path) -> DatabaseSet:
    """Return the current databases under `directory`; what is missing or malformed is `Unavailable`, never an error here."""
    return DatabaseSet(
        trivy=_loaded(directory, DatabaseKind.TRIVY),
        java=_loaded(directory, DatabaseKind.JAVA),
        grype=_loaded(directory, DatabaseKind.GRYPE),
    )


def _loaded(directory: Path, kind: DatabaseKind) -> Database | Unavailable:
    try:
        entry = read_current(directory).get(kind)
        if entry is None:
            return Unavailable(
                code="DB_MISSING",
                reason=f"there is no {kind.value} database",
                expected=f"one under {directory}",
                next_step="Run `gate db update` or `gate db import`.",
            )
        return load_entry(directory, kind, entry)
    except GateError as error:
        return unavailable_from(error)


def read_current(directory: Path) -> dict[DatabaseKind, Digest]:
    """Return kind -> entry of what is current; empty where nothing was imported yet; raises `DB_MALFORMED`."""
    view = _read_json(directory / "current.json")
    if view is None:
        return {}
    return {kind: view.digest(kind.value) for kind in DatabaseKind if view.has(kind.value)}


def load_entry(directory: Path, kind: DatabaseKind, entry: Digest) -> Database:
    """Return one entry of the store, after comparing what was recorded at import with what the database says itself.

    Raises:
        DatabaseError: `DB_MISSING`, `DB_MALFORMED`, or `DB_DIGEST` where the two differ.
    """
    place = entry_directory(directory, kind, entry)
    view = _read_json(place / "entry.json")
    if view is None:
        raise DatabaseError(
            f"the {kind.value} database is gone from the store",
            code="DB_MISSING",
            expected=str(place),
            next_step="run `gate db update` or `gate db import`",
        )
    recorded = DatabaseFacts(
        built_at=parse_time(view.text("builtAt"), _FAULT, "builtAt"),
        schema=view.text("schema"),
        demonstration=view.optional_boolean("demonstration"),
    )
    if read_facts(kind, place) != recorded:
        raise DatabaseError(
            f"the {kind.value} database does not say of itself what was recorded at import",
            code="DB_DIGEST",
            expected=view.text("builtAt"),
            next_step="run `gate db update` or `gate db import`",
        )
    listed = view.object("files")
    files = tuple((name, listed.digest(name)) for name in FILES[kind])
    if _entry_of(files) != entry:
        raise view.refuse("files", "does not belong to this entry", code="DB_DIGEST")
    identity = DatabaseIdentity(
        name=kind.value,
        digest=files[0][1],
        built_at=recorded.built_at,
        schema=recorded.schema,
        source=view.optional_text("source"),
        demonstration=recorded.demonstration,
    )
    return Database(kind=kind, entry=entry, directory=place, identity=identity, files=files)


def _entry_of(files: Iterable[tuple[str, Digest]]) -> Digest:
    return Digest.of("".join(f"{digest.hex}  {name}\n" for name, digest in files).encode())


def read_facts(kind: DatabaseKind, place: Path) -> DatabaseFacts:
    """Read what a database of this kind, laid out as an entry under `place`, says of itself."""
    paths = [place / name for name in FILES[kind]]
    match kind:
        case DatabaseKind.TRIVY:
            return read_trivy_facts(paths[0], paths[1])
        case DatabaseKind.JAVA:
            return read_java_facts(paths[0], paths[1])
        case DatabaseKind.GRYPE:
            return read_grype_facts(paths[0])


def entry_directory(directory: Path, kind: DatabaseKind, entry: Digest) -> Path:
    """Return the place of an entry."""
    return directory / "store" / kind.value / entry.hex


def _read_json(path: Path) -> ObjectView | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseError(
            f"{path.name} of the database store cannot be read", code="DB_MISSING", seen=error.strerror or ""
        ) from error
    view = parse_object(content, _FAULT, limit_bytes=_MAX_ENTRY_BYTES)
    if view.integer("version") != _SCHEMA:
        raise view.refuse("version", "has another form", expected=str(_SCHEMA))
    return view


def make_store(directory: Path) -> Path:
    """Make the private directory of the store if it is not there, and give it; raises StorageError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "the database store cannot be written",
            seen=error.strerror or "",
            expected=str(directory),
            next_step="Look at the directory's permissions; give `--db-dir`.",
        ) from error
    return directory


def add_entry(directory: Path, kind: DatabaseKind, fill: Callable[[Path], None], *, source: str) -> Database:
    """Add a database to the store and give it; it is whole there or not there at all, and not yet current.

    `fill` writes the files of the kind into an empty directory. `source` says where they came from, for people.

    Raises:
        DatabaseError: the database cannot be used.
        StorageError: `STORE_UNAVAILABLE`, the disk.
    """
    shelf = directory / "store" / kind.value
    try:
        shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=shelf, ignore_cleanup_errors=True) as scratch:
            place = Path(scratch) / "entry"
            place.mkdir(mode=0o700)
            fill(place)
            entry = _describe(kind, place, source)
            target = entry_directory(directory, kind, entry)
            _put_in_place(place, target, partial(_is_whole, directory, kind, entry))
    except OSError as error:
        raise StorageError("a database cannot be kept", seen=error.strerror or "", expected=str(shelf)) from error
    return load_entry(directory, kind, entry)


def _is_whole(directory: Path, kind: DatabaseKind, entry: Digest) -> bool:
    try:
        load_entry(directory, kind, entry).verify(DigestMemo())
    except GateError:
        return False
    return True


def _put_in_place(place: Path, target: Path, is_whole: Callable[[], bool]) -> None:
    """Move an entry to its name; a damaged one goes away, and one that another process puts there meanwhile stays."""
    try:
        place.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if not is_whole():
            with suppress(FileNotFoundError):
                target.rename(place.with_name("damaged"))
            place.rename(target)


def _describe(kind: DatabaseKind, place: Path, source: str) -> Digest:
    """Write `entry.json` from the files themselves, make them read-only, and give the entry's digest."""
    facts = read_facts(kind, place)
    digests = {name: _digest_of(place / name) for name in FILES[kind]}
    description = {
        "version": _SCHEMA,
        "kind": kind.value,
        "files": {name: digest.text for name, digest in digests.items()},
        "builtAt": format_time(facts.built_at),
        "schema": facts.schema,
        "demonstration": facts.demonstration,
        "source": source,
    }
    write_atomically(place / "entry.json", json.dumps(description, indent=1, sort_keys=True).encode(), mode=0o400)
    for name in FILES[kind]:
        (place / name).chmod(0o400)
    return _entry_of(digests.items())


def _digest_of(path: Path) -> Digest:
    descriptor = open_regular(path, follow=False)
    try:
        return hash_descriptor(descriptor)
    finally:
        os.close(descriptor)


def set_current(directory: Path, databases: Iterable[Database]) -> None:
    """Make these entries current, all at once; the other kinds stay as they are. Raises StorageError."""
    current = {**_current_or_nothing(directory), **{database.kind: database.entry for database in databases}}
    content = {"version": _SCHEMA, **{kind.value: entry.text for kind, entry in current.items()}}
    try:
        write_atomically(directory / "current.json", json.dumps(content, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise StorageError(
            "the databases cannot be switched", seen=error.strerror or "", expected=str(directory)
        ) from error


def _current_or_nothing(directory: Path) -> dict[DatabaseKind, Digest]:
    """Return what is current; a list that is damaged is written anew instead of standing in the way."""
    try:
        return read_current(directory)
    except DatabaseError:
        return {}
