"""Files that the user asked for: written whole or not at all.

The bytes go into a new file beside the place, which then takes its name; so a full disk or a kill leaves what was there.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gate.disk.named import waiting_seconds
from gate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PAUSE_SECONDS = 0.02


def write_output(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file with the rights that the user's umask gives; a device or a pipe is written to, never replaced.

    `content` may come in pieces, which are written as they come.

    Raises:
        StorageError: `OUT_WRITE`; a file that was there is as it was.
    """
    pieces = (content,) if isinstance(content, bytes) else content
    try:
        # A link stays a link: what it names is written.
        path = path.resolve()
        if path.exists() and not path.is_file():
            _write_into(path, pieces)
            return
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".gate-")
    except OSError as error:
        raise _refusal(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_into(path: Path, pieces: Iterable[bytes]) -> None:
    # Without O_CREAT and O_TRUNC: for what is there now and is no file.
    with os.fdopen(_open_for_reader(path, time.monotonic() + waiting_seconds()), "wb") as stream:
        stream.writelines(pieces)


def _open_for_reader(path: Path, until: float) -> int:
    """Return a descriptor of a device or pipe; a pipe that nobody reads is an OSError when the time is over."""
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _umask() -> int:
    """Return the umask, which can only be read by setting it."""
    current = os.umask(0o077)
    os.umask(current)
    return current


def _refusal(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "an output file cannot be written",
        code="OUT_WRITE",
        expected=str(path),
        seen=error.strerror or type(error).__name__,
    )
