"""Digests of a whole file in the kinds that package databases hold: they tell what a package shipped from what was changed.

MD5 and SHA-1 are what dpkg and apk write; they only say that a file is the one that a list names, and never that it is harmless.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


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
