"""What stands around an image and can hold secrets: annotations of its index, and statements that hang on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.model.attachment import Attachments
from gate.model.digest import Digest
from gate.model.image import OCI_EMPTY, Descriptor
from gate.model.string_map import StringMap
from gate.secrets.statements import AttachedStatement

if TYPE_CHECKING:
    from gate.model.evidence import Unavailable
    from gate.pipeline.collect.platforms import BuildAttestation, ResolvedImage

_PREDICATE_TYPE: Final = "in-toto.io/predicate-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """Annotations that belong to an image without being its own, and the statements about it, which are not fetched yet."""

    annotations: tuple[StringMap, ...] = ()
    statements: tuple[AttachedStatement, ...] = ()


OpenBlob = Callable[[Descriptor], Iterator[bytes]]


def surroundings_of(
    family: ResolvedImage, child: Descriptor, open_blob: OpenBlob, attachments: Attachments | Unavailable | None = None
) -> ImageMetadata:
    """Return what stands around one image of a family; `open_blob` gives the bytes of a statement when it is its turn.

    `attachments` hang on what was asked for, and belong to its first image; they are searched where somebody fetched them.
    """
    built = family.attached_to(child)
    index = (family.index.annotations,) if family.index is not None else ()
    is_first = child == family.judged[0]
    fetched = attachments.items if isinstance(attachments, Attachments) and is_first else ()
    return ImageMetadata(
        annotations=(*index, *(pairs for one in built for pairs in _annotations(one))),
        statements=(
            *(statement for one in built for statement in _statements(one, open_blob)),
            *(
                AttachedStatement(
                    manifest=item.manifest or Digest.of(item.content),
                    digest=Digest.of(item.content),
                    size=len(item.content),
                    open=partial(iter, (item.content,)),
                )
                for item in fetched
            ),
        ),
    )


def _parts(attestation: BuildAttestation) -> tuple[Descriptor, ...]:
    manifest = attestation.manifest
    return manifest.layers if manifest.config.media_type == OCI_EMPTY else (manifest.config, *manifest.layers)


def _annotations(attestation: BuildAttestation) -> Iterator[StringMap]:
    yield attestation.child.annotations
    yield attestation.manifest.annotations
    yield from (part.annotations for part in _parts(attestation))


def _statements(attestation: BuildAttestation, open_blob: OpenBlob) -> Iterator[AttachedStatement]:
    for part in _parts(attestation):
        yield AttachedStatement(
            manifest=attestation.child.digest,
            digest=part.digest,
            size=part.size,
            open=partial(open_blob, part),
            predicate_type=part.annotations.get(_PREDICATE_TYPE) or "",
        )
