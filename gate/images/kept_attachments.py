"""Attachments kept in memory by digest: what was read once is not asked for again.

A manifest or blob under its digest never changes; what hangs on an image does. So listings and tags are asked each time, for a
newer FAILED verdict must be seen, and what they name is taken from here. It is kept for the repository that served it: another
one may not have it, or may not let this reader have it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gate.images.image_source import AttachmentReader, FetchedManifest, ListedAttachments

if TYPE_CHECKING:
    from gate.model.digest import Digest
    from gate.model.image import Descriptor

DEFAULT_BYTES: Final = 32 * 1024 * 1024
# What Python needs for an entry beside its bytes.
_ENTRY_BYTES: Final = 1024
# A larger one is read each time: a few of them would drive all others out.
_MOST_BYTES: Final = 1024 * 1024

_Key = tuple[str, str, "Digest", int]


class ContentMemory:
    """Bytes by repository and digest, at most so many; safe to use from several threads."""

    def __init__(self, limit_bytes: int = DEFAULT_BYTES) -> None:
        self._limit = limit_bytes
        self._total = 0
        self._items: OrderedDict[_Key, FetchedManifest | bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: _Key) -> FetchedManifest | bytes | None:
        """Return what is kept, which then counts as used now."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key]

    def put(self, key: _Key, value: FetchedManifest | bytes) -> None:
        """Keep it; what was used longest ago goes where there is too much."""
        if _size(value) > _MOST_BYTES:
            return
        with self._lock:
            known = self._items.pop(key, None)
            self._total += _size(value) - (0 if known is None else _size(known))
            self._items[key] = value
            while self._total > self._limit:
                self._total -= _size(self._items.popitem(last=False)[1])


def _size(value: FetchedManifest | bytes) -> int:
    return _ENTRY_BYTES + len(value if isinstance(value, bytes) else value.content)


class RememberingReader:
    """A reader of one repository that takes what has a digest from memory."""

    def __init__(self, source: AttachmentReader, memory: ContentMemory, repository: str) -> None:
        self._source = source
        self._memory = memory
        self._repository = repository

    def listed(self, digest: Digest) -> ListedAttachments:
        """Ask the source."""
        return self._source.listed(digest)

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Ask the source."""
        return self._source.tagged(tag)

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Return a manifest; one that is not there is asked for again the next time."""
        key = ("manifest", self._repository, digest, 0)
        known = self._memory.get(key)
        if isinstance(known, FetchedManifest):
            return known
        found = self._source.by_digest(digest)
        if found is not None:
            self._memory.put(key, found)
        return found

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Return a blob whose digest and size were compared when it came."""
        key = ("blob", self._repository, descriptor.digest, descriptor.size)
        known = self._memory.get(key)
        if not isinstance(known, bytes):
            known = b"".join(self._source.blob(descriptor))
            self._memory.put(key, known)
        yield known
