"""The rpm database: header blobs in SQLite (table `Packages`), in a Berkeley DB hash, or in ndb.

A SQLite database is the author's, so that it is opened in memory, read-only, without its own triggers, views or functions, and
stopped after a number of steps. Refuses to read in part; `gpg-pubkey` entries are counted, as both scanners do.
Specification: rpm's `lib/header.c` (index entries big-endian: tag, type, offset, count); checks reference, section 3.3.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from gate.layers.reading import Reading, is_plain, os_package
from gate.layers.rpm_files import bdb_blobs, ndb_blobs
from gate.model.evidence import OsPackage

MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
_MAX_PACKAGES: Final = 100_000
# A virtual machine step is some tens of nanoseconds: this ends within a few seconds, and 10,000 packages need 10^5.
_MAX_STEPS: Final = 50_000_000
_STEPS_BETWEEN: Final = 100_000

_NAME, _VERSION, _RELEASE, _EPOCH, _ARCHITECTURE = 1000, 1001, 1002, 1003, 1022
_FILE_DIGESTS, _DIRECTORY_INDEXES, _BASE_NAMES, _DIRECTORY_NAMES = 1035, 1116, 1117, 1118
_FILE_TAGS: Final = frozenset({_NAME, _FILE_DIGESTS, _DIRECTORY_INDEXES, _BASE_NAMES, _DIRECTORY_NAMES})
_PATH_TAGS: Final = frozenset({_DIRECTORY_INDEXES, _BASE_NAMES, _DIRECTORY_NAMES})
_MAX_FILES: Final = 1_000_000
_UNREADABLE: Final = (sqlite3.Error, struct.error, ValueError, IndexError)
_ORIGIN_TAGS: Final = (1044, 1011, 5096)  # source rpm, vendor, module label
_INT32, _STRING, _I18N_STRING = 4, 6, 9
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_JOURNAL_MODE = slice(18, 20)


def parse_rpmdb(body: bytes) -> Reading:
    """Read `rpmdb.sqlite` of an image (untrusted)."""
    if not body.startswith(_SQLITE_MAGIC):
        return Reading(problem="it is no SQLite database")
    image = bytearray(body)
    # A database in memory has no write-ahead log; the mark alone would make SQLite look for one. The caller refuses
    # an image whose log is not empty.
    image[_JOURNAL_MODE] = b"\x01\x01"
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            return _read(_blobs(connection, bytes(image)), len(body))
    except sqlite3.Error as error:
        return Reading(problem=f"SQLite refuses it: {type(error).__name__}")


def parse_bdb(body: bytes) -> Reading:
    """Read `Packages`, a Berkeley DB hash database, of an image (untrusted)."""
    return _read(bdb_blobs(body), len(body))


def parse_ndb(body: bytes) -> Reading:
    """Read `Packages.db`, rpm's own format, of an image (untrusted)."""
    return _read(ndb_blobs(body), len(body))


def _read(blobs: Iterator[bytes], file_bytes: int) -> Reading:
    held: set[tuple[OsPackage, str]] = set()
    total = 0
    try:
        for count, blob in enumerate(blobs, start=1):
            package = _package(blob)
            if package is None or count > _MAX_PACKAGES:
                return Reading(problem="a package header is malformed, or there are too many")
            held.add((package, _origin(blob)))
            total += len(blob)
            if total > file_bytes:
                # Entries that share their bytes: a small file would cost the time of a very large one.
                return Reading(problem="its entries overlap")
    except (struct.error, ValueError, IndexError):
        return Reading(problem="the file is malformed or cut off")
    return Reading(frozenset(held))


def _blobs(connection: sqlite3.Connection, image: bytes) -> Iterator[bytes]:
    connection.deserialize(image)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_HEADER_BYTES)
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    steps = iter(range(_MAX_STEPS // _STEPS_BETWEEN))
    connection.set_progress_handler(lambda: next(steps, None) is None, _STEPS_BETWEEN)
    kinds = connection.execute("SELECT type FROM sqlite_master WHERE name = 'Packages' COLLATE NOCASE").fetchall()
    if kinds != [("table",)]:
        raise sqlite3.DatabaseError
    for (blob,) in connection.execute(f"SELECT blob FROM Packages LIMIT {_MAX_PACKAGES + 1}"):  # noqa: S608 - a number of ours
        yield blob if isinstance(blob, bytes) else b""


def _package(blob: bytes) -> OsPackage | None:
    try:
        tags = _tags(blob)
    except (struct.error, UnicodeDecodeError, ValueError):
        return None
    name, version, release = (tags.get(tag, "") for tag in (_NAME, _VERSION, _RELEASE))
    architecture = tags.get(_ARCHITECTURE, "")
    if not name or not version or not release or not is_plain(name, version, release, architecture):
        return None
    return os_package("rpm", name, f"{tags.get(_EPOCH, '0')}:{version}-{release}", architecture)


def _origin(blob: bytes) -> str:
    """Return source package, vendor and module of a header; what cannot be read of them stands as its bytes."""
    count, _ = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    found = {
        tag: blob[start + offset : max(start + offset, blob.find(b"\0", start + offset))]
        for tag, _, offset, _ in struct.iter_unpack(">IIII", blob[8:start])
        if tag in _ORIGIN_TAGS
    }
    return "; ".join(found.get(tag, b"").decode("utf-8", "backslashreplace") for tag in _ORIGIN_TAGS)


def _tags(blob: bytes) -> dict[int, str]:
    count, data_size = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    if len(blob) != start + data_size:
        raise ValueError
    tags: dict[int, str] = {}
    for tag, kind, offset, number in struct.iter_unpack(">IIII", blob[8:start]):
        if tag not in {_NAME, _VERSION, _RELEASE, _EPOCH, _ARCHITECTURE}:
            continue
        if tag in tags or number != 1 or offset >= data_size:
            raise ValueError
        tags[tag] = _value(blob, start + offset, kind)
    return tags


def _value(blob: bytes, position: int, kind: int) -> str:
    if kind == _INT32:
        return str(struct.unpack_from(">I", blob, position)[0])
    if kind not in {_STRING, _I18N_STRING}:
        raise ValueError
    return blob[position : blob.index(b"\0", position)].decode("ascii")


def rpm_file_digests(place: bytes, body: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Yield package, path without leading slash and digest in hex of each file that a package database lists (untrusted).

    What cannot be read yields nothing: `parse_rpmdb` and its siblings judge the database itself.
    Specification: rpm `docs/manual/tags.md` (`Filedigests`, `Basenames`, `Dirnames`, `Dirindexes`).
    """
    with contextlib.suppress(*_UNREADABLE):
        for blob in _headers(place, body):
            yield from _files_of(blob)


def rpm_file_lists(place: bytes, body: bytes) -> dict[OsPackage, bytes]:
    """Return the files of each package that a package database lists (untrusted): paths without leading slash, between NULs.

    What cannot be read adds nothing, as above.
    """
    lists: dict[OsPackage, bytes] = {}
    with contextlib.suppress(*_UNREADABLE):
        for blob in _headers(place, body):
            package = _package(blob)
            if package is not None:
                lists[package] = b"\0".join(_paths_of(blob))
    return lists


def _headers(place: bytes, body: bytes) -> Iterator[bytes]:
    if not place.endswith(b".sqlite"):
        yield from ndb_blobs(body) if place.endswith(b".db") else bdb_blobs(body)
        return
    image = bytearray(body)
    image[_JOURNAL_MODE] = b"\x01\x01"
    with closing(sqlite3.connect(":memory:")) as connection:
        yield from _blobs(connection, bytes(image))


def _paths_of(blob: bytes) -> Iterator[bytes]:
    found = _places(blob)
    if not found.keys() >= _PATH_TAGS:
        return
    folders = _strings(blob, *found[_DIRECTORY_NAMES])
    place, number = found[_DIRECTORY_INDEXES]
    indexes = struct.unpack_from(f">{number}I", blob, place)
    for index, base in zip(indexes, _strings(blob, *found[_BASE_NAMES]), strict=False):
        if index < len(folders):
            yield (folders[index] + base).lstrip(b"/")


def _places(blob: bytes) -> dict[int, tuple[int, int]]:
    """Return where in a header the lists of files stand, and how long they are."""
    count, data_size = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    found: dict[int, tuple[int, int]] = {}
    for tag, _, offset, number in struct.iter_unpack(">IIII", blob[8:start]):
        if tag in _FILE_TAGS and offset < data_size and number <= _MAX_FILES:
            found[tag] = (start + offset, number)
    return found


def _files_of(blob: bytes) -> Iterator[tuple[str, bytes, str]]:
    found = _places(blob)
    if found.keys() != _FILE_TAGS:
        return
    name = _strings(blob, *found[_NAME])[0].decode("ascii", "replace")
    folders = _strings(blob, *found[_DIRECTORY_NAMES])
    place, number = found[_DIRECTORY_INDEXES]
    indexes = struct.unpack_from(f">{number}I", blob, place)
    bases, digests = (_strings(blob, *found[tag]) for tag in (_BASE_NAMES, _FILE_DIGESTS))
    for index, base, digest in zip(indexes, bases, digests, strict=False):
        if digest and index < len(folders):
            yield name, (folders[index] + base).lstrip(b"/"), digest.decode("ascii", "replace").lower()


def _strings(blob: bytes, place: int, number: int) -> list[bytes]:
    strings: list[bytes] = []
    for _ in range(number):
        end = blob.index(b"\0", place)
        strings.append(blob[place:end])
        place = end + 1
    return strings
