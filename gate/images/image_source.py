"""Where an image comes from, behind one interface: a registry, an OCI layout, an archive.

A source gives bytes by descriptor and has checked their digest and size; it decides nothing. What hangs on a digest is
listed as unsigned hints and judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gate.model.digest import Digest
from gate.model.image import Descriptor
from gate.registry.attach import Attachable
from gate.registry.read import FetchedManifest

__all__ = ["AttachmentReader", "AttachmentWriter", "FetchedManifest", "ImageSource", "ListedAttachments"]


@dataclass(frozen=True, slots=True)
class ListedAttachments:
    """Manifests that are listed as attached to a digest: as referrers, and in the list under the fallback tag.

    `unread` counts entries that could not be read.
    """

    referrers: tuple[Descriptor, ...] = field(default=())
    fallback: tuple[Descriptor, ...] = field(default=())
    unread: int = 0


class AttachmentReader(Protocol):
    """What `collect_attachments` needs of a source."""

    def listed(self, digest: Digest) -> ListedAttachments:
        """List what hangs on a digest; empty is an answer, not being able to ask is an error."""

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Return a manifest with this digest, of whatever type; None if it is not there."""

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Return what a tag names now: a hint; None if there is no such tag."""

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob; the end is reached only if digest and size are the descriptor's."""


class ImageSource(AttachmentReader, Protocol):
    """An image and what hangs on it.

    `attestable` says that there is a digest that a statement can be bound to: false for a docker-save archive, which is
    judged under a manifest that the gate derives. `writer` takes attachments; None where nothing can be written.
    """

    @property
    def attestable(self) -> bool:
        """Say whether there is a manifest digest that others know too."""

    @property
    def writer(self) -> AttachmentWriter | None:
        """Return where attachments go, if anywhere."""

    def root(self) -> FetchedManifest:
        """Return the manifest or index that was asked for."""

    def manifest(self, descriptor: Descriptor) -> bytes:
        """Return a manifest of this digest, size and media type."""


class AttachmentWriter(Protocol):
    """Takes signatures and verdicts; every method may be repeated and then changes nothing."""

    def attach(self, subject: Descriptor, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Store an attachment whose manifest names `subject`, and list it there."""

    def attach_all(self, items: Sequence[Attachable]) -> tuple[str, ...]:
        """Store several attachments, and then list all of them at once; return lines about what others may not see."""

    def put_tagged(self, tag: str, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Store a manifest under a tag, as Cosign's legacy format wants it; what the tag named before is replaced."""

    def confirm(self, subject: Descriptor, manifest: bytes) -> None:
        """See, at the end of a run, that an attachment is still listed, and list it again if another writer won."""
