"""Which images of a request are judged: the one manifest, or every runnable child of an index.

Children that BuildKit writes for attestations are skipped by rule and counted (formats reference, section 2.3); a child on
another platform than asked for is skipped because somebody said so, the verdict says it too, and the index is then no subject
of it (attacks D07, D09).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.oci import (
    attested_image,
    is_build_attestation,
    names_build_attestation,
    parse_index,
    parse_manifest,
    require_children,
)
from gate.codec.oci_config import MAX_CONFIG_BYTES, parse_config
from gate.codec.platforms import may_serve
from gate.errors import EvidenceError, GateError
from gate.model.image import INDEX_TYPES, Descriptor, ImageIndex, ImageManifest, Platform
from gate.model.subject import OTHER_PLATFORM, SkippedChild

if TYPE_CHECKING:
    from gate.images.image_source import FetchedManifest, ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildAttestation:
    """A child that carries a build's statements, one a layer; `about` is the digest of the image that it names."""

    child: Descriptor
    manifest: ImageManifest
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedImage:
    """What was asked for and the images in it; `judged` are descriptors of manifests, in index order."""

    root: Descriptor
    index: ImageIndex | None
    judged: tuple[Descriptor, ...]
    skipped: tuple[SkippedChild, ...] = ()
    attestations: tuple[BuildAttestation, ...] = ()

    def attached_to(self, child: Descriptor) -> tuple[BuildAttestation, ...]:
        """Return what a build attached to a judged image; the first one also has what speaks of none of the images.

        What speaks of an image that nobody asked for is as little a subject as that image.
        """
        images = {str(one.digest) for one in self.judged}
        images |= {str(one.digest) for one in self.skipped if one.reason == OTHER_PLATFORM}
        is_first = child.digest == self.judged[0].digest
        return tuple(
            one for one in self.attestations if one.about == str(child.digest) or (is_first and one.about not in images)
        )


def resolve_platforms(source: ImageSource, root: FetchedManifest, wanted: tuple[Platform, ...]) -> ResolvedImage:
    """Return the images to judge; `wanted` empty means every platform.

    Raises:
        ImageError: the index is malformed, ambiguous, nested or too large. That no child is of a wanted platform is no error
            here: the verdict says it.
    """
    descriptor = Descriptor(media_type=root.media_type, digest=root.digest, size=len(root.content))
    if root.media_type not in INDEX_TYPES:
        return ResolvedImage(root=descriptor, index=None, judged=(descriptor,))
    index = parse_index(root.content, media_type=root.media_type)
    attestations = tuple(_attestations(source, index, wanted))
    judged: list[Descriptor] = []
    skipped: list[SkippedChild] = []
    for child, reason, platform in _classified(source, index, [one.child for one in attestations], wanted):
        if reason:
            skipped.append(SkippedChild(digest=child.digest, platform=str(platform or ""), reason=reason))
        else:
            judged.append(child)
    if judged or not wanted:
        require_children(tuple(judged))
    return ResolvedImage(
        root=descriptor, index=index, judged=tuple(judged), skipped=tuple(skipped), attestations=attestations
    )


def _attestations(source: ImageSource, index: ImageIndex, wanted: tuple[Platform, ...]) -> Iterator[BuildAttestation]:
    for child in index.manifests:
        if names_build_attestation(child, index):
            content = _attestation_content(source, child, wanted)
            if content is None:
                continue
            manifest = parse_manifest(content, media_type=child.media_type)
            if is_build_attestation(child, manifest, index):
                yield BuildAttestation(child=child, manifest=manifest, about=attested_image(child))


def _attestation_content(source: ImageSource, child: Descriptor, wanted: tuple[Platform, ...]) -> bytes | None:
    """Return a manifest's bytes; None where a layout or archive lacks it and it is of no platform that is wanted.

    `docker save` writes the whole index, and of its children those that were pulled: an attestation that is not in the
    archive reaches no one who loads it. A registry that does not serve a listed child is an error.
    """
    try:
        return source.manifest(child)
    except EvidenceError:
        if wanted and source.by_digest(child.digest) is None:
            return None
        raise


def _classified(
    source: ImageSource, index: ImageIndex, attestations: list[Descriptor], wanted: tuple[Platform, ...]
) -> Iterator[tuple[Descriptor, str, Platform | None]]:
    """Yield each child with the reason why it is skipped ("" for none) and its platform."""
    for child in index.manifests:
        # The whole descriptor: the same manifest can be listed once more as an image.
        if child in attestations:
            yield child, "attestation", child.platform
            continue
        platform = child.platform or (_configured_platform(source, child) if wanted else None)
        # A child whose platform nobody can tell could be picked: it is judged, and the fault is found there.
        left_out = wanted and platform is not None and not any(may_serve(asked, platform) for asked in wanted)
        yield child, OTHER_PLATFORM if left_out else "", platform


def _configured_platform(source: ImageSource, child: Descriptor) -> Platform | None:
    """Return what the configuration of a child says whose descriptor names no platform, as a runtime reads it; or None."""
    try:
        manifest = parse_manifest(source.manifest(child), media_type=child.media_type)
        if manifest.config.size > MAX_CONFIG_BYTES:
            return None
        return parse_config(b"".join(source.blob(manifest.config))).platform
    except GateError:
        return None
