"""A source whose manifests and blobs are taken from the local store where they are there, and kept in it where not.

So a second look at a digest asks the registry for nothing but attachments, and `--offline` judges what was pulled
before. Attachments are never kept: a newer FAILED verdict must be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES, own_media_type
from gate.codec.strict_json import Fault, parse_object
from gate.errors import StorageError
from gate.images.blob_store import BlobStore
from gate.images.image_source import AttachmentWriter, FetchedManifest, ImageSource, ListedAttachments
from gate.model.digest import Digest
from gate.model.image import Descriptor

_FAULT: Final = Fault(StorageError, "CACHE_CORRUPT", "a manifest in the cache", single=True)


class CachedSource:
    """`digest` is what was asked for, so that it is found without asking the source."""

    def __init__(self, source: ImageSource, store: BlobStore, digest: Digest) -> None:
        self._source = source
        self._store = store
        self._digest = digest

    @property
    def attestable(self) -> bool:
        """Say what the source says."""
        return self._source.attestable

    @property
    def writer(self) -> AttachmentWriter | None:
        """Return the source's."""
        return self._source.writer

    def root(self) -> FetchedManifest:
        """Return the manifest or index; its type is then the one in its own bytes, which was compared when it came."""
        found = self._store.find(self._digest)
        if found is not None:
            content = self._read(found)
            view = parse_object(content, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
            return FetchedManifest(media_type=own_media_type(view), digest=self._digest, content=content)
        fetched = self._source.root()
        if _says_its_type(fetched):
            self._store.put(fetched.descriptor, [fetched.content])
        return fetched

    def manifest(self, descriptor: Descriptor) -> bytes:
        """Return a child, and keep it."""
        if self._store.contains(descriptor):
            return self._read(descriptor)
        content = self._source.manifest(descriptor)
        self._store.put(descriptor, [content])
        return content

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob from the store, or from the source without keeping it: `pull_blobs` does that."""
        return self._store.chunks(descriptor) if self._store.contains(descriptor) else self._source.blob(descriptor)

    def listed(self, digest: Digest) -> ListedAttachments:
        """Ask the source."""
        return self._source.listed(digest)

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Ask the source."""
        return self._source.by_digest(digest)

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Ask the source."""
        return self._source.tagged(tag)

    def _read(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > MAX_MANIFEST_BYTES:
            raise _FAULT.refuse("is too large", expected=f"at most {MAX_MANIFEST_BYTES} bytes")
        return b"".join(self._store.chunks(descriptor))


def _says_its_type(fetched: FetchedManifest) -> bool:
    """Only a manifest that agrees with how it was served is kept: any other is refused now and must be again."""
    try:
        view = parse_object(fetched.content, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
        return own_media_type(view) == fetched.media_type
    except StorageError:
        return False
