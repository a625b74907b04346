"""Files that the user names on the command line: read whole, bounded, and only where they are plain files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.collectors.regular_file import open_regular
from gate.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

# A bundle has at most 4 MiB, a trusted root 1 MiB.
MAX_INPUT_BYTES: Final = 8 << 20


def read_input(path: Path, *, limit_bytes: int = MAX_INPUT_BYTES) -> bytes:
    """Give the bytes of a file that the user names.

    Raises:
        UsageError: it cannot be read, is no plain file, or is too large.
    """
    try:
        with open(open_regular(path), "rb") as file:  # noqa: PTH123 - opened as a descriptor, so that a pipe cannot hold it
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise UsageError("the file cannot be read", expected=str(path), seen=error.strerror or "") from error
    if len(content) > limit_bytes:
        raise UsageError(
            "the file is too large", expected=f"at most {limit_bytes} bytes; give a digest of a larger one"
        )
    return content
