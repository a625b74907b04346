"""Attachments into an OCI layout: a referrer in `index.json`, and the same in the list under the fallback tag.

Blobs first, then one replacement of `index.json`: a kill in between leaves a layout that is whole. Writers lock the
folder, and entries and fields of others are kept as they are.

Specification: OCI image-layout and distribution-spec 1.1 (referrers tag schema); formats reference, section 3.4.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.strict_json import Fault, JsonValue, canonical_json, parse_object
from gate.disk.blob_files import open_below, read_chunks, write_new
from gate.disk.locks import take_lock
from gate.errors import ImageError, StorageError
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor
from gate.registry.attach import Attachable, describe_attachment
from gate.registry.referrers import fallback_tag

_FAULT: Final = Fault(ImageError, "IMG_MALFORMED", "the layout", single=True)
_REF_NAME: Final = "org.opencontainers.image.ref.name"

Entry = dict[str, JsonValue]


class LayoutWriter:
    """Writes into one layout folder; safe beside other runs of the gate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def attach(self, subject: Descriptor, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Store and list an attachment.

        Raises:
            StorageError: `OUT_WRITE`.
        """
        self.attach_all((Attachable(subject=subject, manifest=manifest, blobs=blobs),))
        return describe_attachment(manifest)

    def attach_all(self, items: Sequence[Attachable]) -> tuple[str, ...]:
        """Store several attachments, and then list all by one replacement of `index.json`; nobody misses any here.

        Raises:
            StorageError: `OUT_WRITE`.
        """
        with self._changing():
            for content in (part for item in items for part in (*item.blobs, item.manifest)):
                self._write_blob(content)
            listed = self._entries()
            for subject in dict.fromkeys(item.subject.digest for item in items):
                ours = [describe_attachment(item.manifest) for item in items if item.subject.digest == subject]
                digests = {entry.digest.text for entry in ours}
                fallback = self._fallback(subject, ours)
                kept = [entry for entry in listed if entry.get("digest") not in digests]
                listed = [*_without_tag(kept, fallback_tag(subject)), *map(_as_json, ours), fallback]
            self._write_index(listed)
        return ()

    def put_tagged(self, tag: str, manifest: bytes, blobs: tuple[bytes, ...]) -> Descriptor:
        """Store a manifest under a tag, and take the tag from what had it before."""
        entry = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(manifest), size=len(manifest))
        with self._changing():
            for content in (*blobs, manifest):
                self._write_blob(content)
            annotations: JsonValue = {_REF_NAME: tag}
            named: Entry = {**_as_json(entry), "annotations": annotations}
            self._write_index([*_without_tag(self._entries(), tag), named])
        return entry

    def confirm(self, subject: Descriptor, manifest: bytes) -> None:
        """List an attachment again if it is not; its blobs are here already."""
        self.attach(subject, manifest, ())

    def _fallback(self, subject: Digest, ours: Sequence[Descriptor]) -> Entry:
        """Write the list under the fallback tag with our entries in it, and return the entry of the list itself."""
        tag = fallback_tag(subject)
        before = [item for item in self._entries() if _tag(item) == tag]
        if before and before[-1].get("mediaType") != OCI_INDEX:
            raise _FAULT.refuse(
                "has something else under the fallback tag, which is not overwritten", expected=OCI_INDEX
            )
        listed = _manifests(self._read_blob(before[-1])) if before else []
        digests = {entry.digest.text for entry in ours}
        kept = [item for item in listed if item.get("digest") not in digests]
        content = _index([*kept, *map(_as_json, ours)])
        self._write_blob(content)
        named: JsonValue = {_REF_NAME: tag}
        digest = Digest.of(content).text
        return {"mediaType": OCI_INDEX, "digest": digest, "size": len(content), "annotations": named}

    def _entries(self) -> list[Entry]:
        return _manifests(self._read_index())

    def _read_index(self) -> bytes:
        return b"".join(read_chunks(open_below(self._folder, "index.json"), MAX_MANIFEST_BYTES + 1))

    def _read_blob(self, entry: Entry) -> bytes:
        digest = Digest(str(entry.get("digest")))
        stream = open_below(self._folder, "blobs", "sha256", digest.hex)
        return b"".join(read_chunks(stream, MAX_MANIFEST_BYTES + 1))

    def _write_index(self, entries: list[Entry]) -> None:
        write_new(self._folder / "index.json", _index(entries, self._read_index()))

    def _write_blob(self, content: bytes) -> None:
        path = self._folder / "blobs" / "sha256" / Digest.of(content).hex
        if not path.is_file():
            write_new(path, content)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other writers out; the lock is on the folder and ends with the process."""
        try:
            lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                take_lock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise StorageError(
                "the layout cannot be written", code="OUT_WRITE", expected=f"room and access in {self._folder}",
                seen=error.strerror or type(error).__name__,
            ) from error  # fmt: skip


def _without_tag(entries: list[Entry], tag: str) -> list[Entry]:
    return [entry for entry in entries if _tag(entry) != tag]


def _tag(entry: Entry) -> str:
    annotations = entry.get("annotations")
    name = annotations.get(_REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


def _as_json(entry: Descriptor) -> Entry:
    optional: Entry = {"artifactType": entry.artifact_type} if entry.artifact_type else {}
    if entry.annotations:
        optional["annotations"] = dict(entry.annotations)
    return {"mediaType": entry.media_type, "digest": entry.digest.text, "size": entry.size, **optional}


def _manifests(content: bytes) -> list[Entry]:
    view = parse_object(content, _FAULT, limit_bytes=MAX_MANIFEST_BYTES)
    return [dict(item.fields) for item in view.optional_objects("manifests")]


def _index(entries: list[Entry], before: bytes = b"{}") -> bytes:
    """Write a list with these entries; other fields stay as they were before."""
    fields = parse_object(before, _FAULT, limit_bytes=MAX_MANIFEST_BYTES).fields
    kind: JsonValue = fields.get("mediaType", OCI_INDEX)
    try:
        return canonical_json({**fields, "schemaVersion": 2, "mediaType": kind, "manifests": list[JsonValue](entries)})
    except TypeError as error:
        raise _FAULT.refuse("has numbers that cannot be written again as they are") from error
