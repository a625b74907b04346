"""Locks on open files, which end with their process however it ends, and which are never waited for without end."""

from __future__ import annotations

import errno
import fcntl
import time
from typing import Final

from gate.disk.named import waiting_seconds

_PAUSE_SECONDS: Final = 0.02


def take_lock(descriptor: int, how: int, wait_seconds: float | None = None) -> None:
    """Take `fcntl.LOCK_SH` or `LOCK_EX`; whoever holds it may be frozen, so it is waited for so long and no longer.

    Without `wait_seconds` as long as a command may wait for a file that was named.

    Raises:
        TimeoutError: another process did not let go of it in time; OSError: of the system.
    """
    until = time.monotonic() + (waiting_seconds() if wait_seconds is None else wait_seconds)
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock") from None
            time.sleep(min(_PAUSE_SECONDS, left))
        else:
            return
