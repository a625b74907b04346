"""Files that the user asked for: written whole or not at all.

The bytes go into a new file beside the place, which then takes its name; so a full disk or a kill leaves what was there.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from gate.errors import StorageError


def write_output(path: Path, content: bytes) -> None:
    """Write a file with the rights that the user's umask gives.

    Raises:
        StorageError: `OUT_WRITE`; nothing was changed.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".gate-")
    except OSError as error:
        raise _refusal(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Give the umask, which can only be read by setting it."""
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
