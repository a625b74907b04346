"""Gather: everything that may be known of one image, as evidence. May run on a worker where no key is.

The reference is resolved once, to a digest; from then on every byte is asked for by digest (attack D04). Nothing is judged here,
and a fault of the image as a whole is evidence too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gate.model.attachment import Attachments
from gate.model.collected import Collected
from gate.model.evidence import EvidenceKind, EvidenceSet, SubjectEvidence, Unavailable
from gate.model.image import Descriptor
from gate.pipeline.collect.context import attempt
from gate.pipeline.collect.image_metadata import surroundings_of
from gate.pipeline.collect.platforms import ResolvedImage, resolve_platforms
from gate.pipeline.collect.subject import SCANNED, gather_subject
from gate.pipeline.derive import conditions_of, derive
from gate.pipeline.handoff import merge_handoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gate.images.image_source import FetchedManifest, ImageSource
    from gate.model.policy import Policy
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.options import ScanHandoff


def gather(
    source: ImageSource,
    root: FetchedManifest,
    begun: EvidenceSet,
    policy: Policy,
    needs: frozenset[EvidenceKind],
    context: CollectContext,
    handoff: ScanHandoff | None = None,
) -> EvidenceSet:
    """Collect what the policy's checks need about an image that was asked for by digest, and derive what depends on the policy.

    `begun` holds what is known before the image is looked into: the request, what is attached, the threat data, and when
    findings were first seen. `handoff` holds the scans of another job, which are then not made again.

    Raises:
        AttestationError: `handoff` contradicts what was fetched here.
    """
    family = attempt(lambda: resolve_platforms(source, root, begun.request.platforms or policy.platforms))
    if isinstance(family, Unavailable):
        return replace(begun, root=_descriptor(root), fault=family)
    if handoff is None:
        subjects = tuple(_subjects(source, family, begun.attachments, policy, needs, context))
    else:
        fetched = _subjects(source, family, begun.attachments, policy, needs - SCANNED, context)
        subjects = merge_handoff(fetched, handoff, context.evidence)
    evidence = replace(begun, root=family.root, index=family.index, skipped=family.skipped, subjects=subjects)
    collected = Collected(evidence=evidence, conditions=conditions_of(policy, platforms=begun.request.platforms))
    return derive(collected, policy, context.now, context.deadline)


def _descriptor(root: FetchedManifest) -> Descriptor:
    return Descriptor(media_type=root.media_type, digest=root.digest, size=len(root.content))


def _subjects(
    source: ImageSource,
    family: ResolvedImage,
    attachments: Attachments | Unavailable | None,
    policy: Policy,
    needs: frozenset[EvidenceKind],
    context: CollectContext,
) -> Iterable[SubjectEvidence]:
    """Gather one child after the other: the two scanners of one image already use every core of a small machine."""
    for child in family.judged:
        around = surroundings_of(family, child, partial(_kept, source, context), attachments)
        yield gather_subject(source, child, around, needs, policy.limits, context)


def _kept(source: ImageSource, context: CollectContext, blob: Descriptor) -> Iterator[bytes]:
    """Return a blob from the store, in which it is kept, so that it is there offline as the layers are."""
    if not context.store.contains(blob):
        context.store.put(blob, source.blob(blob))
    return context.store.chunks(blob)
