"""The client of registries that the rest of the gate uses.

One client has one set of options and one deadline; it may be used from several threads, and asks any number of
registries, each with its own connections and logins. Those end with the client, unless they are a pool's
(`gate.registry.pool`): a service makes a client a request over one pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from gate.clock import Deadline
from gate.model.digest import Digest
from gate.model.image import Descriptor
from gate.model.reference import Repository
from gate.registry.api import RegistryApi
from gate.registry.attach import Attachable, Attached, AttachedAll, attach_all, list_under_tag, unlist_under_tag
from gate.registry.options import MAX_LISTED, RegistryOptions
from gate.registry.pool import RegistryPool
from gate.registry.push import delete_manifest, push_blob, push_manifest
from gate.registry.read import FetchedManifest, fetch_manifest, read_blob, resolve_tag, stream_blob
from gate.registry.referrers import ReferrerListing, list_referrers
from gate.registry.tags import list_single


class RegistryClient:
    """Reads, pushes and lists. Every method raises `RegistryError`; with `offline` always `REG_OFFLINE`."""

    def __init__(self, options: RegistryOptions, deadline: Deadline, pool: RegistryPool | None = None) -> None:
        self._api = RegistryApi(options, deadline, pool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._api.close()

    def mirrors_of(self, repository: Repository) -> tuple[Repository, ...]:
        """Return where the operator wants the images of a repository asked for first."""
        return self._api.options.mirrors_of(repository)

    def manifest(self, repository: Repository, reference: Digest | str) -> FetchedManifest:
        """Fetch a manifest or index by digest (then its bytes have it) or by tag (then nobody vouches for it)."""
        return fetch_manifest(self._api, repository, reference)

    def resolve_tag(self, repository: Repository, tag: str) -> Digest:
        """Return the digest that a tag names now: a hint."""
        return resolve_tag(self._api, repository, tag)

    def blob(self, repository: Repository, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob; the end is reached only if its digest and size are the descriptor's."""
        return stream_blob(self._api, repository, descriptor)

    def read_blob(self, repository: Repository, descriptor: Descriptor, cap_bytes: int) -> bytes:
        """Return a whole blob of at most `cap_bytes`, else `LIMIT_BLOB`."""
        return read_blob(self._api, repository, descriptor, cap_bytes)

    def referrers(self, repository: Repository, digest: Digest) -> tuple[Descriptor, ...]:
        """Return all that is listed as hanging on a digest, each once: unsigned hints."""
        return self.referrer_listing(repository, digest).union

    def referrer_listing(self, repository: Repository, digest: Digest, most: int = MAX_LISTED) -> ReferrerListing:
        """Return the same, up to `most`, with the place where each was listed."""
        return list_referrers(self._api, repository, digest, most)

    def single_attachments(self, repository: Repository, digest: Digest) -> tuple[Descriptor, ...]:
        """Return what stands under tags of its own as attached to a digest: unsigned hints; nothing where none are listed."""
        return list_single(self._api, repository, digest) or ()

    def push_blob(self, repository: Repository, digest: Digest, content: bytes | Path) -> None:
        """Store bytes, or a file's bytes, under their digest."""
        push_blob(self._api, repository, digest, content)

    def push_manifest(self, repository: Repository, content: bytes, media_type: str, tag: str | None = None) -> Digest:
        """Store a manifest under its digest, and then under a tag if one is given."""
        push_manifest(self._api, repository, content, media_type)
        if tag is not None:
            push_manifest(self._api, repository, content, media_type, tag)
        return Digest.of(content)

    def attach(
        self, repository: Repository, subject: Descriptor, manifest: bytes, blobs: tuple[bytes, ...]
    ) -> Attached:
        """Push an attachment of `subject` and see that it is listed; `blobs` are what its manifest names."""
        item = Attachable(subject=subject, manifest=manifest, blobs=blobs)
        return self.attach_all(repository, (item,)).items[0]

    def attach_all(self, repository: Repository, items: Sequence[Attachable]) -> AttachedAll:
        """Push several attachments, and then see that all are listed."""
        return attach_all(self._api, repository, items)

    def list_under_tag(self, repository: Repository, subject: Digest, manifest: bytes) -> None:
        """See again, at the end of a run, that the fallback tag lists an attachment (another writer may have won)."""
        list_under_tag(self._api, repository, subject, [manifest])

    def unlist_under_tag(self, repository: Repository, subject: Digest, manifest: Digest) -> None:
        """See that the fallback tag lists an attachment no more."""
        unlist_under_tag(self._api, repository, subject, manifest)

    def delete_manifest(self, repository: Repository, digest: Digest) -> None:
        """Remove a manifest."""
        delete_manifest(self._api, repository, digest)
