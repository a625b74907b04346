"""Evidence by digest in the database of the rows, so that any gate on a shared record can finish what another began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.errors import StorageError
from gate.model.digest import Digest
from gate.store.compression import compress, decompress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.store.postgresql import PostgresqlBackend


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """The table `gate_evidence`: digest of the bytes → the bytes, compressed."""

    backend: PostgresqlBackend

    def put(self, content: bytes) -> Digest:
        """Keep these bytes and return their digest; raises StorageError."""
        digest = Digest.of(content)
        if not self.backend.has_evidence(str(digest)):
            self.backend.put_evidence(str(digest), compress(content))
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the bytes with this digest; raises StorageError `STORE_CORRUPT` where they are missing or altered."""
        kept = self.backend.get_evidence(str(digest))
        if kept is None:
            raise StorageError("evidence is missing from the record", code="STORE_CORRUPT", expected=str(digest))
        content = decompress(kept)
        if content is None or Digest.of(content) != digest:
            raise StorageError("evidence was altered", code="STORE_CORRUPT", expected=str(digest))
        return content

    def put_all(self, contents: Iterable[bytes]) -> tuple[Digest, ...]:
        """Keep several pieces, in order."""
        return tuple(self.put(content) for content in contents)
