"""Files of a content-addressed layout, opened so that a link placed by somebody else is never followed.

Attack R09: a layout blob that is a symbolic link to `/etc/passwd`. Every component below the root is opened with
`O_NOFOLLOW`, and only regular files are read. Names are digests or fixed words, never text from an archive.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 1024 * 1024

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def open_below(root: Path, *names: str) -> BinaryIO:
    """Open a regular file below `root`, which itself may be a link: the user named it.

    Raises:
        OSError: `FileNotFoundError` if it is not there; others, for a link or anything but a regular file too.
    """
    with ExitStack() as opened:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, folder)
        for name in names[:-1]:
            folder = os.open(name, _FOLDER, dir_fd=folder)
            opened.callback(os.close, folder)
        file = os.open(names[-1], _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{names[-1]} is not a regular file")
    return os.fdopen(file, "rb", buffering=0)


def read_chunks(stream: BinaryIO, limit_bytes: int | None = None) -> Iterator[bytes]:
    """Return a file's bytes, at most `limit_bytes`, and close it."""
    left = limit_bytes
    with stream:
        while chunk := stream.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
            if left is not None:
                left -= len(chunk)
            yield chunk


def write_new(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file that is there whole or not at all, also after a crash, over what stood there before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(6).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
