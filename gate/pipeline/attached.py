"""Where what is attached to an image stands: with the image, and in repositories that were named for it.

A registry whose tags cannot be moved, or whose image repository the gate must not write to, keeps attestations elsewhere
(`registries.HOST.attestationsIn`, `--attach-to`, a requirement's `attestationsIn`). What is written there is found only by who
looks there; so every reader asks all places, and each must answer, for a FAILED verdict may stand in any of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gate.images.kept_attachments import RememberingReader
from gate.images.registry_source import RegistrySource
from gate.model.reference import ArchiveReference, LayoutReference, RegistryReference

if TYPE_CHECKING:
    from gate.images.image_source import AttachmentReader, ImageSource
    from gate.images.kept_attachments import ContentMemory
    from gate.model.digest import Digest
    from gate.model.reference import Reference, Repository
    from gate.registry.client import RegistryClient
    from gate.registry.options import RegistryOptions


def attachment_target(
    reference: Reference, registry: RegistryOptions, named: Repository | None = None
) -> Repository | None:
    """Return the repository that attestations go to instead of the place where the image is; None for that place."""
    own = reference.repository if isinstance(reference, RegistryReference) else None
    target = named or (registry.attestations_of(own) if own is not None else None)
    return None if target == own else target


def attachment_places(
    reference: Reference,
    source: ImageSource,
    digest: Digest,
    client: RegistryClient,
    registry: RegistryOptions,
    named: Repository | None = None,
) -> tuple[AttachmentReader, ...]:
    """Return where attachments of a digest are read: the image's source, then the operator's and the named repository, once."""
    others = (attachment_target(reference, registry), attachment_target(reference, registry, named))
    distinct = dict.fromkeys(other for other in others if other is not None)
    return (source, *(RegistrySource(client, other, digest) for other in distinct))


def remembering(places: tuple[AttachmentReader, ...], memory: ContentMemory) -> tuple[AttachmentReader, ...]:
    """Return the same places, of which those in registries take from memory what has a digest."""
    return tuple(
        RememberingReader(place, memory, str(place.repository)) if isinstance(place, RegistrySource) else place
        for place in places
    )


def place_of(reference: Reference) -> str:
    """Return the name under which the record keeps the place where an image is."""
    match reference:
        case RegistryReference(repository=repository):
            return str(repository)
        case LayoutReference(directory=directory):
            return f"oci:{Path(directory).absolute()}"
        case ArchiveReference(file=file):
            return f"archive:{Path(file).absolute()}"
