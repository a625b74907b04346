"""The local store of blobs, shared by all runs of one user: an OCI layout, addressed by content.

A blob is written beside, hashed, brought to the disk and only then moved to its name, so that parallel runs and a kill
at any moment leave a whole store. A run holds a shared lock while it uses the store; pruning takes the lock alone and
leaves a store in use as it is.

Errors of the disk are `CACHE_UNAVAILABLE`; a blob that is not what its name says is removed and is `CACHE_CORRUPT`.
Specification: OCI image-layout; DESIGN section 4, "Pull once"; checks reference, section 7.1.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gate.codec.strict_json import canonical_json
from gate.disk.blob_files import open_below, read_chunks, sync_folder, write_new
from gate.disk.locks import take_lock
from gate.errors import GateError, StorageError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, Descriptor

DEFAULT_MAX_BYTES: Final = 20 * 1024**3
LAYOUT_MARK: Final = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY_INDEX: Final = canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
_FOLDER_MODE: Final = 0o700
# Read-only, also for us: a scanner that runs as the same user does not change a blob by accident.
_BLOB_MODE: Final = 0o400


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """One blob: its size in bytes and when a run last used it."""

    digest: Digest
    size: int
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What pruning did; `busy` says that a run is using the store and nothing was removed."""

    removed: int = 0
    freed_bytes: int = 0
    busy: bool = False


class BlobStore:
    """Blobs below one folder. Use it as a context manager: the store is locked against pruning inside."""

    def __init__(self, root: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, wait_seconds: float | None = None) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.wait_seconds = wait_seconds
        self._lock: int | None = None

    def __enter__(self) -> Self:
        with self._storage("opened"):
            self._prepare()
            self._lock = self._take(fcntl.LOCK_SH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def contains(self, descriptor: Descriptor) -> bool:
        """Say whether a blob of this digest and size is here, and note that it is used. Its bytes are not read."""
        path = self._path(descriptor.digest)
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != descriptor.size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unavailable("read", error) from error
        return True

    def find(self, digest: Digest, media_type: str = "") -> Descriptor | None:
        """Describe a blob that is here, or give None."""
        try:
            found = self._path(digest).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable("read", error) from error
        return (
            Descriptor(media_type=media_type, digest=digest, size=found.st_size)
            if stat.S_ISREG(found.st_mode)
            else None
        )

    def put(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Store a blob; it is here only if all its bytes came and have its digest.

        Raises:
            StorageError: `CACHE_UNAVAILABLE`; `CACHE_CORRUPT` if the bytes are others, which their source should have
                noticed.
        """
        with self._storage("written"), self._incoming() as (file, name):
            digest, size = hashlib.sha256(), 0
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                _write_all(file, chunk)
            if digest.hexdigest() != descriptor.digest.hex or size != descriptor.size:
                raise self._corrupt(descriptor.digest)
            os.fchmod(file, _BLOB_MODE)
            os.fsync(file)
            target = self._path(descriptor.digest)
            name.replace(target)
            sync_folder(target.parent)

    def chunks(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Return a blob's bytes; the end is reached only if they are whole.

        Raises:
            StorageError: `CACHE_CORRUPT` (and it is removed), `CACHE_UNAVAILABLE`.
        """
        digest, size = hashlib.sha256(), 0
        with self._storage("read"):
            for chunk in read_chunks(open_below(self.root, "blobs", "sha256", descriptor.digest.hex)):
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        if digest.hexdigest() != descriptor.digest.hex or size != descriptor.size:
            self.remove(descriptor.digest)
            raise self._corrupt(descriptor.digest)

    def remove(self, digest: Digest) -> None:
        """Forget a blob."""
        with self._storage("cleaned"):
            self._path(digest).unlink(missing_ok=True)

    def blobs(self) -> tuple[StoredBlob, ...]:
        """List what is here, the least recently used first."""
        with self._storage("listed"):
            if not self._folder().is_dir():
                return ()
            found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(self._folder())]
        return tuple(
            StoredBlob(
                digest=Digest.from_hex(name), size=info.st_size, used_at=datetime.fromtimestamp(info.st_mtime, UTC)
            )
            for name, info in sorted(found, key=lambda item: item[1].st_mtime)
            if len(name) == 64 and stat.S_ISREG(info.st_mode)
        )

    def prune(self, max_bytes: int | None = None) -> Pruned:
        """Remove the least recently used blobs until at most `max_bytes` are left, and what killed runs left behind.

        Not inside the context: a store that this or another run uses is left as it is.
        """
        bound = self.max_bytes if max_bytes is None else max_bytes
        with self._storage("pruned"):
            self._prepare()
            try:
                lock = self._take(fcntl.LOCK_EX, 0)
            except TimeoutError:
                return Pruned(busy=True)
            try:
                return self._prune(bound)
            finally:
                os.close(lock)

    def _prune(self, bound: int) -> Pruned:
        for left_behind in self._incoming_folder().iterdir():
            left_behind.unlink()
        blobs = self.blobs()
        total, removed, freed = sum(blob.size for blob in blobs), 0, 0
        for blob in blobs:
            if total - freed <= bound:
                break
            self._path(blob.digest).unlink(missing_ok=True)
            removed, freed = removed + 1, freed + blob.size
        return Pruned(removed=removed, freed_bytes=freed)

    def _prepare(self) -> None:
        for folder in (self.root, self._folder(), self._incoming_folder()):
            folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        state = self.root.stat()
        if state.st_uid != os.geteuid() or state.st_mode & 0o022:
            raise StorageError(
                "others can write the cache", code="CACHE_UNAVAILABLE", expected="a folder of mode 0700 that is yours",
                seen=str(self.root), next_step="Give another folder with --cache-dir.",
            )  # fmt: skip
        for name, content in (("oci-layout", LAYOUT_MARK), ("index.json", _EMPTY_INDEX)):
            if not (self.root / name).exists():
                write_new(self.root / name, content, 0o600)

    def _take(self, how: int, wait_seconds: float | None = None) -> int:
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            take_lock(lock, how, self.wait_seconds if wait_seconds is None else wait_seconds)
        except OSError:
            os.close(lock)
            raise
        return lock

    @contextmanager
    def _incoming(self) -> Iterator[tuple[int, Path]]:
        file, text = tempfile.mkstemp(dir=self._incoming_folder())
        name = Path(text)
        try:
            yield file, name
        finally:
            os.close(file)
            name.unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        return self._folder() / digest.hex

    def _folder(self) -> Path:
        return self.root / "blobs" / "sha256"

    def _incoming_folder(self) -> Path:
        return self.root / "incoming"

    @contextmanager
    def _storage(self, doing: str) -> Iterator[None]:
        """Turn errors of the disk into ours; errors of the bytes' source pass through."""
        try:
            yield
        except GateError:
            raise
        except OSError as error:
            raise self._unavailable(doing, error) from error

    def _unavailable(self, doing: str, error: OSError) -> StorageError:
        return StorageError(
            f"the cache cannot be {doing}", code="CACHE_UNAVAILABLE", expected=f"room and access in {self.root}",
            seen=error.strerror or type(error).__name__,
        )  # fmt: skip

    def _corrupt(self, digest: Digest) -> StorageError:
        return StorageError(
            "a blob in the cache is damaged", code="CACHE_CORRUPT", expected=str(digest), seen="other bytes"
        )


def _write_all(file: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]
