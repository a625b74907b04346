"""The bytes of a key file, private or public: what is in it is read by `gate.codec`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.keys import MAX_KEY_BYTES
from gate.errors import KeyFileError

if TYPE_CHECKING:
    from pathlib import Path


def read_key_file(path: Path) -> bytes:
    """Read a key file, at most 64 KiB.

    Raises:
        KeyFileError: `KEY_MALFORMED`, with the system's own words, never with content.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise KeyFileError(
            f"the key file {path} cannot be read", expected="a readable PEM file", seen=error.strerror or "an error"
        ) from error
    if len(data) > MAX_KEY_BYTES:
        raise KeyFileError(f"the key file {path} is too large", expected=f"at most {MAX_KEY_BYTES} bytes")
    return data
