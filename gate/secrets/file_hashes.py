"""Digests of a whole file in the kinds that package databases hold: they tell what a package shipped from what was changed.

MD5 and SHA-1 are what dpkg and apk write; they only say that a file is the one that a list names, and never that it is harmless.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO, Final

_PIECE_BYTES: Final = 1 << 20
_IN_MEMORY_BYTES: Final = 8 << 20
_COPIED_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class FileHashes:
    """Digests of one file in lower-case hex."""

    md5: str
    sha1: str
    sha256: str

    @property
    def all(self) -> frozenset[str]:
        """Return all of them; they differ in length, so that none is taken for another."""
        return frozenset({self.md5, self.sha1, self.sha256})

    @classmethod
    def of(cls, content: bytes) -> FileHashes:
        """Return the digests of a file that is here whole."""
        hasher = FileHasher()
        hasher.update(content)
        return hasher.digests()


class KeptFile:
    """A large file that comes in pieces, whose digests are asked for only where something is found in it.

    Three digests cost more than the search itself, and a copy next to nothing; over a limit that copy would be, and the digests
    are made as the pieces come.
    """

    def __init__(self, size_bytes: int) -> None:
        self._copy: IO[bytes] | None = None
        self._hasher = FileHasher()
        if size_bytes <= _COPIED_BYTES:
            self._copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        if self._copy is not None:
            self._copy.write(piece)
        else:
            self._hasher.update(piece)

    def digests(self) -> FileHashes:
        """Return the digests of all bytes so far, once."""
        if self._copy is not None:
            self._copy.seek(0)
            while piece := self._copy.read(_PIECE_BYTES):
                self._hasher.update(piece)
        return self._hasher.digests()

    def close(self) -> None:
        """Let go of the copy."""
        if self._copy is not None:
            self._copy.close()


class FileHasher:
    """Digests of a file that comes in pieces."""

    def __init__(self) -> None:
        self._hashes = tuple(hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256"))

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        for one in self._hashes:
            one.update(piece)

    def digests(self) -> FileHashes:
        """Return the digests of all bytes so far."""
        md5, sha1, sha256 = (one.hexdigest() for one in self._hashes)
        return FileHashes(md5, sha1, sha256)
