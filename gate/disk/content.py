"""Open a file whose content is known by digest, and remember digests of large files that did not change.

A scanner is 170 MB and its database 2 GB: hashing them at every start would cost seconds. The memo answers only for the
same device, inode, size and times (change time included, which no ordinary call can set), only from a private file, and
never for a file that changed within the last two seconds, because two writes within one tick of the clock look alike.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate.disk.regular_file import open_regular
from gate.errors import DatabaseError, GateError, ScannerError, StorageError
from gate.model.digest import Digest

_SETTLED_NS: Final = 2_000_000_000
_MAX_MEMO_BYTES: Final = 1 << 20
_MAX_ENTRIES: Final = 500


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What changes whenever a file's content does."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, descriptor: int) -> FileIdentity:
        """Return the identity of an open file."""
        seen = os.fstat(descriptor)
        return cls(seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)

    @property
    def key(self) -> str:
        """Return the text under which the memo keeps it."""
        return f"{self.device}:{self.inode}:{self.size}:{self.modified_ns}:{self.changed_ns}"

    @property
    def is_settled(self) -> bool:
        """Say whether the last change is old enough that a later one must show."""
        return time.time_ns() - max(self.modified_ns, self.changed_ns) > _SETTLED_NS


@dataclass(frozen=True, slots=True)
class DigestMemo:
    """Digests of files by identity, in one private file; `path` None remembers nothing.

    A memo that is damaged, foreign or writable by others is ignored, never an error: it is only a shortcut.
    """

    path: Path | None = None

    def digest_of(self, descriptor: int) -> Digest:
        """Return the digest of an open file, from the memo or by reading it whole."""
        identity = FileIdentity.of(descriptor)
        known = self._read().get(identity.key)
        if known is not None:
            return Digest(known)
        digest = hash_descriptor(descriptor)
        # Compared again: a write while it was read would leave a digest that belongs to no state of the file.
        if identity.is_settled and FileIdentity.of(descriptor) == identity:
            self._remember(identity, digest)
        return digest

    def _read(self) -> dict[str, str]:
        if self.path is None:
            return {}
        try:
            entries = json.loads(read_private(self.path, _MAX_MEMO_BYTES))
        except (OSError, ValueError):
            return {}
        return {key: text for key, text in entries.items() if _is_digest(text)} if isinstance(entries, dict) else {}

    def _remember(self, identity: FileIdentity, digest: Digest) -> None:
        if self.path is None:
            return
        entries = {**self._read(), identity.key: digest.text}
        newest = dict(list(entries.items())[-_MAX_ENTRIES:])
        # A full disk or a read-only cache costs time at the next run, nothing else.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self.path, json.dumps(newest).encode())


def _is_digest(text: object) -> bool:
    try:
        return isinstance(text, str) and Digest(text).text == text
    except GateError:
        return False


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn what the disk refuses inside (full, no permission) into `CACHE_UNAVAILABLE`; `doing` says what was done."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{doing}: the disk refuses",
            code="CACHE_UNAVAILABLE",
            expected="room and permission to write",
            seen=f"{error.strerror or type(error).__name__}{f' at {error.filename}' if error.filename else ''}",
            next_step="Look at the disk and its permissions; give `--cache-dir` or another TMPDIR.",
        ) from error


def read_private(path: Path, limit_bytes: int = -1) -> bytes:
    """Return at most so many bytes of a regular file that is ours and that nobody else can write.

    What is kept in a cache is believed, so a link, another owner's file or one that others may write is an OSError: a cache
    that several users share, or that a CI system restores, must not answer for a scan (attack V15).
    """
    with os.fdopen(open_regular(path, follow=False), "rb") as file:
        seen = os.fstat(file.fileno())
        if seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
            raise OSError(errno.EPERM, "not a private file")
        return file.read(limit_bytes)


def hash_descriptor(descriptor: int) -> Digest:
    """Read an open file from its beginning to its end and give its digest."""
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return Digest.from_hex(hashlib.file_digest(file, "sha256").hexdigest())


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put `content` at `path` whole or not at all; raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def open_binary(path: Path, expected: Digest, memo: DigestMemo) -> Iterator[int]:
    """Return a descriptor of the program at `path`, whose content is `expected`, from before its start to after its end.

    The descriptor is what must be started: a link that is changed meanwhile changes nothing (attack V14). The identity
    is compared again at the end, so that a write in place between hashing and start does not go unseen.

    Raises:
        ScannerError: `SCAN_BINARY`.
    """
    try:
        descriptor = open_regular(path)
    except OSError as error:
        raise _binary(f"the program at {path} cannot be opened", expected, error.strerror or "") from error
    try:
        digest, before, links = memo.digest_of(descriptor), FileIdentity.of(descriptor), os.fstat(descriptor).st_nlink
        if digest != expected:
            raise _binary(f"the program at {path} is not the pinned one", expected, digest.text)
        yield descriptor
        if FileIdentity.of(descriptor) != before and not _only_replaced(descriptor, before, links, expected):
            raise _binary(f"the program at {path} was changed while it ran", expected, "another content or owner")
    finally:
        os.close(descriptor)


def _only_replaced(descriptor: int, before: FileIdentity, links: int, expected: Digest) -> bool:
    """Say whether all that changed is that a newer program took the name: the old one lost a link, not its content."""
    after = FileIdentity.of(descriptor)
    same = (after.size, after.modified_ns) == (before.size, before.modified_ns)
    return same and os.fstat(descriptor).st_nlink < links and hash_descriptor(descriptor) == expected


def _binary(message: str, expected: Digest, seen: str) -> ScannerError:
    return ScannerError(
        message, code="SCAN_BINARY", expected=expected.text, seen=seen, next_step="run `gate tools install`"
    )


def verify_database_file(path: Path, expected: Digest, memo: DigestMemo) -> None:
    """Demand that a database file is there and is the one that was imported.

    Raises:
        DatabaseError: `DB_MISSING` or `DB_DIGEST`.
    """
    try:
        descriptor = open_regular(path)
    except OSError as error:
        raise unopened_database(path, error) from error
    try:
        digest = memo.digest_of(descriptor)
    finally:
        os.close(descriptor)
    if digest != expected:
        raise DatabaseError(
            f"the database {path.name} is not the one that was imported",
            code="DB_DIGEST",
            expected=expected.text,
            seen=digest.text,
            next_step="run `gate db update` or `gate db import`",
        )


def unopened_database(path: Path, error: OSError) -> DatabaseError:
    """Return (not raise) the error about a database's file that cannot be opened: `DB_MISSING`."""
    return DatabaseError(
        f"the database {path.name} cannot be opened",
        code="DB_MISSING",
        expected=str(path),
        seen=error.strerror or "",
        next_step="run `gate db update` or `gate db import`",
    )
