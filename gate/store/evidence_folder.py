"""Evidence by digest, in a folder that no cache prunes.

A file is named by the digest of its bytes and never changed; a name never comes from outside. Writing is atomic: a kill in
the middle leaves either the whole file or none. Reading compares the digest again, so that altered evidence is noticed.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gate.errors import StorageError
from gate.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class EvidenceFolder:
    """The folder, created with mode 0700 at the first write."""

    root: Path

    def put(self, content: bytes) -> Digest:
        """Keep these bytes and give their digest.

        Raises:
            StorageError: `STORE_UNAVAILABLE`, they cannot be written; `STORE_CORRUPT`, other bytes stand under their name.
        """
        digest = Digest.of(content)
        place = self._place(digest)
        try:
            known = place.read_bytes() if place.exists() else None
            if known is None:
                # Intermediate folders would get the process's default mode.
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write_atomically(place, content)
        except OSError as error:
            raise StorageError("evidence cannot be kept", seen=error.strerror or "an input/output error") from error
        if known not in {None, content}:
            raise StorageError("evidence was altered", code="STORE_CORRUPT", expected=str(digest))
        return digest

    def get(self, digest: Digest) -> bytes:
        """Give the bytes with this digest.

        Raises:
            StorageError: `STORE_CORRUPT`, they are missing or are other bytes now.
        """
        try:
            content = self._place(digest).read_bytes()
        except OSError as error:
            raise StorageError(
                "evidence is missing from the record", code="STORE_CORRUPT", expected=str(digest)
            ) from error
        if Digest.of(content) != digest:
            raise StorageError(
                "evidence was altered", code="STORE_CORRUPT", expected=str(digest), seen=str(Digest.of(content))
            )
        return content

    def put_all(self, contents: Iterable[bytes]) -> tuple[Digest, ...]:
        """Keep several pieces, in order."""
        return tuple(self.put(content) for content in contents)

    def _place(self, digest: Digest) -> Path:
        return self.root / "sha256" / digest.hex[:2] / digest.hex


def _write_atomically(place: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
        _sync_folder(place.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
