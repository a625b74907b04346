"""Turns: one run at a time on one image, and folders for the time of one run.

Two runs on one image at once would both decide, sign and publish; the second waits instead, and then finds the first one's
verdict in the record (attack U04). The locks belong to open files, so the kernel lets go of them however a run ends, `kill -9`
included; that is also how a folder that a killed run left is told from one in use, without asking any clock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.disk.locks import take_lock
from gate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.clock import Deadline

_NEXT: Final = {
    "STORE_UNAVAILABLE": "Name another folder with XDG_STATE_HOME.",
    "CACHE_UNAVAILABLE": "Name another folder with --cache-dir or GATE_CACHE_DIR.",
}
_PAUSE_SECONDS: Final = 0.05
_LOCK: Final = "lock"
# The folder below the cache in which each run has one of its own.
SCRATCH: Final = "scratch"


@contextmanager
def image_lock(folder: Path, subject: str, deadline: Deadline) -> Iterator[None]:
    """Wait until no other run of this user works on this subject, and keep others waiting inside.

    Raises:
        StorageError: `STORE_UNAVAILABLE`, the lock cannot be made; RegistryError: `REG_TIMEOUT`, the other took too long.
    """
    # 256 files for all images that there may ever be: two images that share one wait for each other, and nothing else.
    name = hashlib.sha256(subject.encode()).hexdigest()[:2]
    descriptor = _open(folder, name, code="STORE_UNAVAILABLE")
    try:
        while not _taken(descriptor):
            deadline.check("another run worked on this image")
            deadline.clock.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def scratch_folder(root: Path, deadline: Deadline | None = None) -> Iterator[Path]:
    """Return a private folder for the time of a run; what killed runs left there is removed.

    Raises:
        StorageError: `CACHE_UNAVAILABLE`, the folder cannot be made.
    """
    # While a folder is made nobody sweeps, or it could be swept before it is locked.
    guard = _open(root, _LOCK, code="CACHE_UNAVAILABLE")
    try:
        _wait_for(guard, root, deadline)
        _sweep(root)
        folder = _made(root)
        held = _open(folder, _LOCK, code="CACHE_UNAVAILABLE")
        fcntl.flock(held, fcntl.LOCK_EX)
    finally:
        os.close(guard)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(held)


def sweep_scratch(root: Path, deadline: Deadline | None = None) -> tuple[int, int]:
    """Remove the folders that killed runs left, and return how many there were and their bytes; raises as `scratch_folder`."""
    if not root.is_dir():
        return (0, 0)
    guard = _open(root, _LOCK, code="CACHE_UNAVAILABLE")
    try:
        _wait_for(guard, root, deadline)
        return _sweep(root)
    finally:
        os.close(guard)


def _wait_for(guard: int, root: Path, deadline: Deadline | None) -> None:
    """Take the guard's lock, which another run holds for moments, unless it is frozen."""
    try:
        take_lock(guard, fcntl.LOCK_EX, deadline.remaining() if deadline is not None else None)
    except OSError as error:
        raise _unavailable(root, error, "CACHE_UNAVAILABLE") from error


def _made(root: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="run-", dir=root))
    except OSError as error:
        raise _unavailable(root, error, "CACHE_UNAVAILABLE") from error


def _sweep(root: Path) -> tuple[int, int]:
    removed = freed = 0
    for folder in root.glob("run-*"):
        if _is_left(folder):
            size = _bytes_below(folder)
            _remove(folder)
            removed, freed = removed + 1, freed + size
    return removed, freed


def _is_left(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        # Killed before it had a lock: nobody can have it now, for whoever makes one holds the guard.
        return True
    try:
        return _taken(descriptor)
    finally:
        os.close(descriptor)


def _bytes_below(folder: Path) -> int:
    files = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files if not file.is_symlink())


def _remove(folder: Path) -> None:
    """Remove a folder with what scanners unpacked in it: folders that an image made read-only among it."""
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            with suppress(OSError):
                if not inner.is_symlink():
                    inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path, name: str, *, code: str) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unavailable(folder, error, code) from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unavailable(folder: Path, error: OSError, code: str) -> StorageError:
    return StorageError(
        "a folder cannot be made or locked",
        code=code,
        expected=str(folder),
        seen=error.strerror or "an input/output error",
        next_step=_NEXT[code],
    )
