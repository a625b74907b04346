"""Evidence by digest, in a folder that no cache prunes.

A file is named by the digest of the bytes that it holds, compressed; a name never comes from outside. Writing is atomic: a kill
in the middle leaves either the whole file or none. Reading compares the digest again, so that altered evidence is noticed, and
keeping bytes whose file is damaged writes them again.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gate.errors import StorageError
from gate.model.digest import Digest
from gate.store.compression import compress, decompress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENDING = ".zst"


@dataclass(frozen=True, slots=True)
class EvidenceFolder:
    """The folder, created with mode 0700 at the first write."""

    root: Path

    def put(self, content: bytes) -> Digest:
        """Keep these bytes and return their digest; a damaged file of theirs is replaced.

        Raises:
            StorageError: `STORE_UNAVAILABLE`, they cannot be written.
        """
        digest = Digest.of(content)
        if self._read(digest) == content:
            return digest
        path = self.path(digest)
        try:
            # Intermediate folders would get the process's default mode.
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_atomically(path, compress(content))
        except OSError as error:
            raise StorageError(
                "evidence cannot be kept",
                seen=f"{error.strerror or 'an input/output error'} at {self.root}",
                next_step="Name another place with --record or GATE_RECORD, or XDG_STATE_HOME.",
            ) from error
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the bytes with this digest.

        Raises:
            StorageError: `STORE_CORRUPT`, they are missing or are other bytes now.
        """
        content = self._read(digest)
        if content is None:
            there = self.path(digest).exists() or self._first_form(digest).exists()
            what = "evidence was altered" if there else "evidence is missing from the record"
            raise StorageError(what, code="STORE_CORRUPT", expected=str(digest), seen=str(self.path(digest)))
        return content

    def put_all(self, contents: Iterable[bytes]) -> tuple[Digest, ...]:
        """Keep several pieces, in order."""
        return tuple(self.put(content) for content in contents)

    def path(self, digest: Digest) -> Path:
        """Return where the bytes with this digest are kept."""
        return self.root / "sha256" / digest.hex[:2] / f"{digest.hex}{_ENDING}"

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every piece, as the names say."""
        for path in (self.root / "sha256").glob("??/*"):
            name = path.name.removesuffix(_ENDING)
            if len(name) == len(Digest.of(b"").hex) and not path.name.startswith("."):
                yield Digest(f"sha256:{name}")

    def _first_form(self, digest: Digest) -> Path:
        """Return where the first release kept these bytes, as they are."""
        return self.root / "sha256" / digest.hex[:2] / digest.hex

    def _read(self, digest: Digest) -> bytes | None:
        """Return the bytes with this digest, or None where they are missing or damaged."""
        for path, opened in ((self.path(digest), decompress), (self._first_form(digest), _as_it_is)):
            try:
                content = opened(path.read_bytes())
            except OSError:
                continue
            if content is not None and Digest.of(content) == digest:
                return content
        return None


def _as_it_is(content: bytes) -> bytes | None:
    return content


def _write_atomically(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _sync_folder(path.parent)
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
