"""Grype's database: from `latest.json` and the archive beside it, or from a file.

`latest.json` is unsigned and its checksum may be empty, which Grype accepts: here the archive counts only by a checksum,
and the archive's digest is recorded as the source. Grype rewrites the database when it imports it (schema, indexes), so
the digest of what it will open is computed after the import and differs from machine to machine.

Specification: checks reference, sections 4.1, 4.2 and 4.5; Grype v0.115 `grype/db/v6/distribution`.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

from gate.admin.database_artifacts import MAX_DATABASE_BYTES, MAX_LAYER_BYTES, copy_files, source_fault
from gate.admin.downloads import DownloadOptions, download
from gate.clock import Deadline
from gate.codec.strict_json import Fault, parse_object
from gate.disk.content import DigestMemo, hash_descriptor
from gate.errors import DatabaseError, ScannerError
from gate.model.digest import Digest
from gate.sandbox.process import private_directories
from gate.scanners.database_store import Database, DatabaseKind, add_entry, make_store
from gate.scanners.grype import SETTINGS
from gate.scanners.scanning import ScanSettings, run_scanner
from gate.scanners.tool_pins import PinnedTool

_FAULT: Final = Fault(DatabaseError, "DB_SOURCE", "latest.json")
_MAX_LISTING_BYTES: Final = 1 << 20
# The endings by which Grype knows what to unpack.
_ENDINGS: Final = (".tar.zst", ".tar.gz", ".tar.xz", ".db")


def add_from_listing(
    directory: Path, url: str, tool: PinnedTool, options: DownloadOptions, deadline: Deadline
) -> Database:
    """Fetch what `latest.json` at `url` names and add it to the store, not yet current.

    Raises:
        DatabaseError: `DB_SOURCE`, nothing usable is served; `DB_DIGEST`, the archive is another; `DB_MALFORMED`.
        ScannerError: Grype did not import it.
    """
    with tempfile.TemporaryDirectory(dir=make_store(directory), prefix=".grype-") as scratch:
        listing = Path(scratch) / "latest.json"
        download(url, listing, options, deadline)
        place, checksum = _named(listing.read_bytes(), url)
        archive = Path(scratch) / f"archive{_ending(urlsplit(place).path)}"
        if download(place, archive, options, deadline) != checksum:
            raise source_fault(
                "Grype's archive is not the one of latest.json", code="DB_DIGEST", expected=checksum.text
            )
        return add_from_file(directory, archive, tool, deadline, source=f"{_shown(place)}@{checksum}")


def _named(listing: bytes, url: str) -> tuple[str, Digest]:
    view = parse_object(listing, _FAULT, limit_bytes=_MAX_LISTING_BYTES)
    if view.text("status") != "active" or not view.text("schemaVersion").removeprefix("v").startswith("6."):
        raise view.refuse("status", "offers no database of this schema", seen=view.text("schemaVersion"))
    if not view.optional_text("checksum"):
        raise view.refuse("checksum", "has no checksum", expected="sha256: and 64 hex digits", seen="nothing")
    place = urljoin(url, view.text("path"))
    if urlsplit(place)[:2] != urlsplit(url)[:2]:
        raise view.refuse("path", "leads to another server", seen=view.text("path"))
    return place, view.digest("checksum")


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _ending(name: str) -> str:
    for ending in _ENDINGS:
        if name.endswith(ending):
            return ending
    raise source_fault("the archive's form is not known", expected=", ".join(_ENDINGS), seen=name[-80:])


def add_from_file(
    directory: Path, archive: Path, tool: PinnedTool, deadline: Deadline, *, source: str = ""
) -> Database:
    """Let the pinned Grype import an archive or a bare database file, apart from everything, and add what it made.

    Raises:
        DatabaseError: `DB_MALFORMED`, Grype refuses it; `DB_SOURCE`, it is too large.
        ScannerError: `SCAN_BINARY`, `SCAN_TIMEOUT`.
    """
    ending = _ending(archive.name)
    _demand_size(archive, MAX_DATABASE_BYTES if ending == ".db" else MAX_LAYER_BYTES)
    with archive.open("rb") as file:
        origin = source or f"{archive.name}@{hash_descriptor(file.fileno())}"
    with private_directories(make_store(directory)) as directories:
        (directories.root / f"import{ending}").symlink_to(archive.resolve())
        cache = directories.output / "cache"
        try:
            run_scanner(
                tool,
                ["db", "import", str(directories.root / f"import{ending}")],
                directories=directories,
                environment={**SETTINGS, "GRYPE_DB_CACHE_DIR": str(cache)},
                settings=ScanSettings(memo=DigestMemo()),
                deadline=deadline,
            )
        except ScannerError as error:
            if error.code != "SCAN_FAILED":
                raise
            raise source_fault("Grype refuses the database", code="DB_MALFORMED", seen=error.seen) from error
        return add_entry(
            directory, DatabaseKind.GRYPE, partial(copy_files, cache, kind=DatabaseKind.GRYPE), source=origin
        )


def _demand_size(archive: Path, limit_bytes: int) -> None:
    size = archive.stat().st_size
    if size > limit_bytes:
        raise source_fault("the database is too large", expected=f"at most {limit_bytes} bytes", seen=str(size))
