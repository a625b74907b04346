"""The bytes of a key file, private or public: what is in it is read by `gate.codec`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.keys import MAX_KEY_BYTES
from gate.disk.named import read_named
from gate.errors import KeyFileError

if TYPE_CHECKING:
    from pathlib import Path


def read_key_file(path: Path) -> bytes:
    """Read a key file, at most 64 KiB.

    Raises:
        KeyFileError: `KEY_MALFORMED`, with the system's own words, never with content.
    """
    return read_named(path, f"the key file {path}", limit_bytes=MAX_KEY_BYTES, fault=KeyFileError)
