"""An image in a registry as a source: the reference is resolved once, and only digests are asked for (attack D04)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gate.codec.oci import INDEX_FAULT, MANIFEST_FAULT
from gate.errors import RegistryError
from gate.images.image_source import FetchedManifest, ListedAttachments
from gate.model.digest import Digest
from gate.model.image import INDEX_TYPES, OCI_MANIFEST, Descriptor
from gate.model.reference import Repository
from gate.registry.attach import Attachable
from gate.registry.client import RegistryClient
from gate.registry.options import MAX_ENTRIES, MAX_LISTED


class RegistrySource:
    """One digest of one repository.

    The image's own bytes are asked of the operator's mirrors first: the digest decides, whoever serves them. What is attached
    to it is read from the named registry alone, for a mirror may lag behind it.
    """

    attestable = True

    def __init__(
        self, client: RegistryClient, repository: Repository, digest: Digest, *, most_listed: int = MAX_LISTED
    ) -> None:
        self._client = client
        self._repository = repository
        self._digest = digest
        self._most_listed = most_listed
        self._seen: dict[Digest, FetchedManifest] = {}

    @property
    def writer(self) -> RegistryWriter:
        """Return the repository."""
        return RegistryWriter(self._client, self._repository)

    def unlimited(self) -> RegistrySource:
        """Return the same source, which lists however many attachments there are."""
        return RegistrySource(self._client, self._repository, self._digest, most_listed=MAX_ENTRIES)

    @property
    def repository(self) -> Repository:
        """Return the repository that is read."""
        return self._repository

    def root(self) -> FetchedManifest:
        """Return the manifest or index of the digest; raises `RegistryError`."""
        return self._fetch_image(self._digest)

    def manifest(self, descriptor: Descriptor) -> bytes:
        """Return a child; raises `IMG_AMBIGUOUS` for another type and `IMG_SIZE` for another size than described."""
        fetched = self._fetch_image(descriptor.digest)
        require_described(fetched, descriptor)
        return fetched.content

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob: from a mirror whose first bytes come, else from the registry itself."""
        for mirror in self._client.mirrors_of(self._repository):
            stream = self._client.blob(mirror, descriptor)
            try:
                first = next(stream, b"")
            except RegistryError as error:
                _require_asked(error)
                continue
            yield first
            yield from stream
            return
        yield from self._client.blob(self._repository, descriptor)

    def listed(self, digest: Digest) -> ListedAttachments:
        """List by the API and by the fallback tag; without the API also by tags of single attachments."""
        listing = self._client.referrer_listing(self._repository, digest, self._most_listed)
        if listing.api is not None:
            return ListedAttachments(listing.api, listing.fallback, listing.unread)
        single = self._client.single_attachments(self._repository, digest)
        return ListedAttachments((), (*listing.fallback, *single), listing.unread)

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Return a manifest, or None for 404."""
        return _or_none(lambda: self._fetch(digest))

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Return what a tag names, or None for 404."""
        return _or_none(lambda: self._client.manifest(self._repository, tag))

    def _fetch_image(self, digest: Digest) -> FetchedManifest:
        """Return a manifest from the first mirror that has it, else from the registry itself."""
        for mirror in self._client.mirrors_of(self._repository) if digest not in self._seen else ():
            try:
                self._seen[digest] = self._client.manifest(mirror, digest)
                break
            except RegistryError as error:
                _require_asked(error)
        return self._fetch(digest)

    def _fetch(self, digest: Digest) -> FetchedManifest:
        if digest not in self._seen:
            self._seen[digest] = self._client.manifest(self._repository, digest)
        return self._seen[digest]


class RegistryWriter:
    """Writes attachments into a repository."""

    def __init__(self, client: RegistryClient, repository: Repository) -> None:
        self._client = client
        self._repository = repository

    def attach(self, subject: Descriptor, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Push and list an attachment."""
        return self._client.attach(self._repository, subject, manifest, blobs).manifest

    def attach_all(self, items: Sequence[Attachable]) -> tuple[str, ...]:
        """Push several attachments, then list them by one update."""
        return self._client.attach_all(self._repository, items).notices

    def put_tagged(self, tag: str, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Push a manifest under a tag."""
        for blob in blobs:
            self._client.push_blob(self._repository, Digest.of(blob), blob)
        digest = self._client.push_manifest(self._repository, manifest, OCI_MANIFEST, tag)
        return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(manifest))

    def remove(self, subject: Digest, manifest: Digest) -> None:
        """Take an attachment off the list under the fallback tag, and then remove it; repeated calls change nothing.

        In this order, for what is listed and gone could be a FAILED verdict that somebody withholds. What was only taken off
        the list still has its tag of its own, by which the next call finds it.

        Raises:
            RegistryError: `REG_PUSH` where the registry removes nothing.
        """
        self._client.unlist_under_tag(self._repository, subject, manifest)
        self._client.delete_manifest(self._repository, manifest)

    def confirm(self, subject: Descriptor, manifest: bytes) -> None:
        """List it under the fallback tag again if neither the API nor the tag has it."""
        listed = self._client.referrers(self._repository, subject.digest)
        if Digest.of(manifest) not in {item.digest for item in listed}:
            self._client.list_under_tag(self._repository, subject.digest, manifest)


def require_described(fetched: FetchedManifest, descriptor: Descriptor) -> None:
    """Refuse a manifest that its parent describes otherwise than it was served."""
    fault = INDEX_FAULT if descriptor.media_type in INDEX_TYPES else MANIFEST_FAULT
    if len(fetched.content) != descriptor.size:
        raise fault.refuse(
            "is of another size than described",
            code="IMG_SIZE",
            expected=f"{descriptor.size} bytes",
            seen=f"{len(fetched.content)}",
        )
    if fetched.media_type != descriptor.media_type:
        raise fault.refuse(
            "is served as another type than described",
            code="IMG_AMBIGUOUS",
            expected=descriptor.media_type,
            seen=fetched.media_type,
        )


def _require_asked(error: RegistryError) -> None:
    """Raise the error of a mirror that was not asked because no network is allowed: the registry would not be either."""
    if error.code == "REG_OFFLINE":
        raise error


def _or_none(fetch: Callable[[], FetchedManifest]) -> FetchedManifest | None:
    try:
        return fetch()
    except RegistryError as error:
        if error.code == "REG_NOT_FOUND":
            return None
        raise
