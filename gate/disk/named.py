"""Files that a user names: regular files and pipes of bounded size, read whole and within a deadline.

A pipe is what a shell's `<(command)` gives, and a way to hand over a key that never stands on a disk. A FIFO that nobody writes
to is given up at the deadline instead of holding the command for ever. Devices, directories and sockets are refused at once.

No error here, and none that its callers make, quotes a byte of the content: any file may be named by mistake, a private key and a
password file among them.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from gate.errors import GateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A bundle has at most 4 MiB, a trusted root 1 MiB.
MAX_INPUT_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 20
# How long the writer of a pipe may take where the command has no time of its own.
_WAIT_SECONDS: Final = 30.0
# What helps where nothing is at a path, whatever was to be read there.
PATH_STEP: Final = "Look at the path, which is relative to the working directory."
_WAIT: ContextVar[float] = ContextVar("_WAIT", default=_WAIT_SECONDS)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Wait at most so long for the writer of a pipe, inside: a command's own time."""
    token = _WAIT.set(min(seconds, _WAIT_SECONDS))
    try:
        yield
    finally:
        _WAIT.reset(token)


def waiting_seconds() -> float:
    """Return how long a command may wait for another process."""
    return _WAIT.get()


def read_named(
    path: Path, what: str, *, limit_bytes: int = MAX_INPUT_BYTES, fault: type[GateError] = UsageError, code: str = ""
) -> bytes:
    """Return the bytes of a file that a user named; `what` says what it is meant to be, as "the policy".

    Raises:
        GateError: of the class of `fault`, with its default code or `code`: it cannot be read, is neither a regular file nor a
            pipe, is too large, or nothing wrote to it in time.
    """

    def refuse(message: str, expected: str, seen: str, step: str = "") -> GateError:
        return fault(f"{what} {message}", code=code or None, expected=expected, seen=seen, next_step=step)

    place = f"a readable file at {path}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise refuse("is not there", place, _words(error), PATH_STEP) from error
    except (OSError, ValueError) as error:
        raise refuse("cannot be read", place, _words(error)) from error
    try:
        content = _read(descriptor, limit_bytes)
    except TimeoutError as error:
        raise refuse("did not come in time", f"a writer for the pipe {path}", "nothing to read") from error
    except OSError as error:
        raise refuse("cannot be read", place, _words(error)) from error
    finally:
        os.close(descriptor)
    if len(content) > limit_bytes:
        raise refuse("is too large", f"at most {limit_bytes} bytes in {path}", "more")
    return content


def read_named_lines(path: Path, what: str, *, limit_bytes: int) -> Iterator[bytes]:
    """Yield the lines of a regular file that a user named, each with its end; no more than one is held at a time.

    Raises:
        UsageError: it cannot be read, is no regular file, or has a line of more than `limit_bytes`.
    """
    try:
        with os.fdopen(open_regular_file(path), "rb") as file:
            while line := file.readline(limit_bytes + 1):
                if len(line) > limit_bytes:
                    expected = f"lines of at most {limit_bytes} bytes in {path}"
                    raise UsageError(f"{what} has a line that is too long", expected=expected, seen="more")
                yield line
    except (OSError, ValueError) as error:
        raise UsageError(f"{what} cannot be read", expected=f"a regular file at {path}", seen=_words(error)) from error


def open_regular_file(path: Path) -> int:
    """Return a descriptor of a regular file, to be read in place; anything else is an OSError at once."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file")


def _read(descriptor: int, limit_bytes: int) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return _chunks(descriptor, limit_bytes)
    if stat.S_ISFIFO(mode):
        return _from_pipe(descriptor, limit_bytes, time.monotonic() + _WAIT.get())
    kind = "a directory" if stat.S_ISDIR(mode) else "neither a regular file nor a pipe"
    raise OSError(errno.EINVAL, kind)


def _chunks(descriptor: int, limit_bytes: int) -> bytes:
    content = bytearray()
    while len(content) <= limit_bytes and (chunk := os.read(descriptor, _CHUNK_BYTES)):
        content += chunk
    return bytes(content[: limit_bytes + 1])


def _from_pipe(descriptor: int, limit_bytes: int, until: float) -> bytes:
    """Read a pipe to its end. A FIFO without a writer is silent, where a pipe whose writer is gone hangs up."""
    content = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(content) <= limit_bytes:
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            break
        content += chunk
    return bytes(content)


def _words(error: Exception) -> str:
    return error.strerror or "an input/output error" if isinstance(error, OSError) else "no path"
