"""An OCI image layout as a source, in a folder or in an archive.

One candidate is demanded where no digest is given; entries with a `subject` and those under tags of the form
`sha256-...` are attachments, never candidates (DESIGN section 3). Every blob is hashed whenever it is read: scanners
read layouts without doing so (checks reference, section 7.1).

Specification: OCI image-layout; formats reference, section 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.codec.oci import (
    MAX_MANIFEST_BYTES,
    is_build_attestation,
    names_build_attestation,
    own_media_type,
    parse_listing,
    parse_manifest,
)
from gate.codec.platforms import normal_platform
from gate.codec.referrer_list import ReferrerList
from gate.codec.strict_json import Fault, parse_object, printable
from gate.errors import EvidenceError, GateError, ImageError, UsageError
from gate.images.blobs import BlobReader
from gate.images.image_source import AttachmentWriter, FetchedManifest, ListedAttachments
from gate.images.layout_writer import LayoutWriter
from gate.model.digest import Digest
from gate.model.image import INDEX_TYPES, MANIFEST_TYPES, OCI_INDEX, Descriptor, ImageIndex
from gate.registry.referrers import fallback_tag, read_fallback, require_listed

MAX_ENTRIES: Final = 2000
REF_NAME: Final = "org.opencontainers.image.ref.name"
LAYOUT_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the layout", single=True)

_VERSION: Final = "1.0.0"
_ATTACHMENT_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z]+)?", re.ASCII)


class LayoutSource:
    """One image of a layout; `writer` is None for an archive."""

    attestable = True

    def __init__(
        self, blobs: BlobReader, digest: Digest | None, writer: LayoutWriter | None = None, *, tag: str | None = None
    ) -> None:
        self._blobs = blobs
        self._digest = digest
        self._tag = tag
        self._writer = writer
        # Of an index: each child's platform and the blobs that it takes, as far as its manifest is here.
        self._platforms: list[tuple[str, tuple[Digest, ...]]] | None = None

    @property
    def writer(self) -> AttachmentWriter | None:
        """Return the folder, for a layout."""
        return self._writer

    def root(self) -> FetchedManifest:
        """Return the image that was asked for, or the only one.

        Raises:
            UsageError: `REF_AMBIGUOUS` for several candidates; `REF_TAG` for a tag that names no image here.
            ImageError: `IMG_MALFORMED` for none, or for what is no layout.
            EvidenceError: `IMG_UNREADABLE`, `IMG_BLOB_MISMATCH`.
        """
        entries = self._index().manifests
        chosen = self._named(entries, self._digest) if self._digest else self._only(entries)
        fetched = self._fetch(chosen)
        if chosen.media_type in INDEX_TYPES:
            self._platforms = list(self._platforms_of(fetched.content))
        return fetched

    def manifest(self, descriptor: Descriptor) -> bytes:
        """Return a child of this digest and size."""
        self._require_present(descriptor)
        return self._blobs.read(descriptor, MAX_MANIFEST_BYTES)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob."""
        self._require_present(descriptor)
        return self._blobs.chunks(descriptor)

    def listed(self, digest: Digest) -> ListedAttachments:
        """List by `subject`, and by the list under the fallback tag."""
        entries = self._index().manifests
        referrers = tuple(entry for entry in entries if self._subject(entry) == digest)
        fallback = self.tagged(fallback_tag(digest))
        listed = read_fallback(fallback, fault=LAYOUT_FAULT) if fallback is not None else ReferrerList()
        require_listed(tuple({item.digest: item for item in (*referrers, *listed.entries)}.values()), "the layout")
        return ListedAttachments(referrers, listed.entries, listed.unread)

    def by_digest(self, digest: Digest) -> FetchedManifest | None:
        """Return a manifest whose type its own bytes say; None if it is not there."""
        size = self._blobs.size(digest)
        if size is None:
            return None
        content = self._blobs.read(Descriptor(media_type="", digest=digest, size=size), MAX_MANIFEST_BYTES)
        view = parse_object(content, LAYOUT_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
        return FetchedManifest(media_type=own_media_type(view), digest=digest, content=content)

    def tagged(self, tag: str) -> FetchedManifest | None:
        """Return the last entry with this tag, as other tools read it; None if there is none."""
        named = [entry for entry in self._index().manifests if entry.annotations.get(REF_NAME) == tag]
        return self._fetch(named[-1]) if named else None

    def _require_present(self, descriptor: Descriptor) -> None:
        """Raise `IMG_UNREADABLE` for a blob that is not here, with the way out that `docker save` of a part leaves."""
        if self._platforms is None or self._blobs.size(descriptor.digest) is not None:
            return
        whole = [
            platform for platform, blobs in self._platforms if all(self._blobs.size(one) is not None for one in blobs)
        ]
        step = f"Judge what is there with `--platform {whole[0]}`, or save" if whole else "Save"
        raise EvidenceError(
            f"{descriptor.digest.short} is not in the layout or archive, whose index names it",
            code="IMG_UNREADABLE",
            expected="every platform of the index",
            seen=f"whole: {', '.join(whole) or 'none'}",
            next_step=f"{step} one platform (`docker save --platform`), or copy the image with all (`skopeo copy --all`).",
        )

    def _index(self) -> ImageIndex:
        """Read `index.json` anew each time: attachments may have been written since."""
        mark = parse_object(self._blobs.file("oci-layout"), LAYOUT_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
        if mark.optional_text("imageLayoutVersion") != _VERSION:
            raise LAYOUT_FAULT.refuse("is of an unknown version", expected=_VERSION)
        index = parse_listing(self._blobs.file("index.json"), fault=LAYOUT_FAULT)
        if len(index.manifests) > MAX_ENTRIES:
            raise ImageError("the layout has too many entries", code="LIMIT_INDEX", expected=f"at most {MAX_ENTRIES}")
        return index

    def _only(self, entries: tuple[Descriptor, ...]) -> Descriptor:
        candidates = [entry for entry in entries if self._is_candidate(entry)]
        if len(candidates) > 1:
            # As beside an image in an index: what a build attached to another entry is nothing that could be meant.
            listing = ImageIndex(media_type=OCI_INDEX, manifests=entries)
            candidates = [entry for entry in candidates if not self._is_of_build(entry, listing)]
        if not candidates:
            raise LAYOUT_FAULT.refuse("holds no image")
        found = {entry.digest: entry for entry in self._tagged_so(candidates)}
        if len(found) > 1:
            names = ", ".join(map(_name, list(found.values())[:5]))
            raise UsageError(
                "the layout holds several images", code="REF_AMBIGUOUS", expected="one, or a tag or digest", seen=names
            )
        return next(iter(found.values()))

    def _tagged_so(self, candidates: list[Descriptor]) -> list[Descriptor]:
        """Return the candidates that the asked tag names, all where none is asked for."""
        if self._tag is None:
            return candidates
        named = [entry for entry in candidates if entry.annotations.get(REF_NAME) == self._tag]
        if not named:
            seen = ", ".join(map(_name, candidates[:5]))
            raise UsageError("the layout has no image of this tag", code="REF_TAG", expected=self._tag, seen=seen)
        return named

    def _named(self, entries: tuple[Descriptor, ...], digest: Digest) -> Descriptor:
        for entry in entries:
            if entry.digest == digest:
                return entry
        for entry in entries:
            for child in self._children(entry):
                if child.digest == digest:
                    return child
        raise EvidenceError("the layout does not hold this digest", code="IMG_UNREADABLE", expected=str(digest))

    def _children(self, entry: Descriptor) -> tuple[Descriptor, ...]:
        if entry.media_type not in INDEX_TYPES:
            return ()
        try:
            view = parse_object(self.manifest(entry), LAYOUT_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
            listing = [item for item in view.optional_objects("manifests") if item.optional_text("digest")]
            return tuple(
                Descriptor(media_type=item.text("mediaType"), digest=item.digest("digest"), size=item.integer("size"))
                for item in listing
            )
        except ImageError:
            # Another entry's defect: it is refused where that entry is judged.
            return ()

    def _platforms_of(self, index: bytes) -> Iterator[tuple[str, tuple[Digest, ...]]]:
        """Yield what is needed for each platform of an index; what cannot be parsed is refused where it is judged."""
        try:
            for child in parse_listing(index, fault=LAYOUT_FAULT).manifests:
                if child.platform is not None and self._blobs.size(child.digest) is not None:
                    manifest = parse_manifest(self._blobs.read(child, MAX_MANIFEST_BYTES), media_type=child.media_type)
                    platform = normal_platform(child.platform)
                    name = "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))
                    yield name, (manifest.config.digest, *(layer.digest for layer in manifest.layers))
        except GateError:
            return

    def _is_candidate(self, entry: Descriptor) -> bool:
        return not _ATTACHMENT_TAG.fullmatch(entry.annotations.get(REF_NAME, "")) and self._subject(entry) is None

    def _is_of_build(self, entry: Descriptor, listing: ImageIndex) -> bool:
        if not names_build_attestation(entry, listing):
            return False
        try:
            manifest = parse_manifest(self._blobs.read(entry, MAX_MANIFEST_BYTES), media_type=entry.media_type)
        except GateError:
            return False
        return is_build_attestation(entry, manifest, listing)

    def _subject(self, entry: Descriptor) -> Digest | None:
        """Return what a manifest hangs on; None for what cannot be parsed, which is then judged and refused as it is."""
        if entry.media_type not in MANIFEST_TYPES | INDEX_TYPES:
            return None
        content = self._blobs.read(entry, MAX_MANIFEST_BYTES)
        try:
            view = parse_object(content, LAYOUT_FAULT, limit_bytes=MAX_MANIFEST_BYTES)
            subject = view.optional_object("subject")
            return subject.digest("digest") if subject else None
        except GateError:
            return None

    def _fetch(self, entry: Descriptor) -> FetchedManifest:
        content = self._blobs.read(entry, MAX_MANIFEST_BYTES)
        return FetchedManifest(media_type=entry.media_type, digest=entry.digest, content=content)


def _name(entry: Descriptor) -> str:
    """Return how an entry is chosen: by its tag, or the beginning of its digest."""
    return printable(entry.annotations.get(REF_NAME, "") or entry.digest.short)
