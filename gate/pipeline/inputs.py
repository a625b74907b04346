"""Files that the user names on the command line: read whole, bounded, and only where they are plain files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.disk.named import MAX_INPUT_BYTES, read_named

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_INPUT_BYTES", "read_input"]


def read_input(path: Path, *, limit_bytes: int = MAX_INPUT_BYTES) -> bytes:
    """Return the bytes of a file that the user names.

    Raises:
        UsageError: it cannot be read, is no plain file, or is too large.
    """
    return read_named(path, "the file", limit_bytes=limit_bytes)
