"""From a reference to the source of its image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import assert_never

from gate.codec.strict_json import printable
from gate.errors import EvidenceError, ReferenceRefusedError, UsageError
from gate.images.image_source import ImageSource
from gate.images.registry_source import RegistrySource
from gate.model.digest import Digest
from gate.model.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from gate.registry.client import RegistryClient


def open_source(reference: Reference, client: RegistryClient) -> ImageSource:
    """Open what a reference names; `client` is asked only for a reference into a registry.

    Raises:
        ReferenceRefusedError: `REF_NOT_DIGEST`, before anything is fetched, for a tag alone.
        UsageError: `REF_PATH`, for a folder or file that is not there, and for a folder of something else.
        EvidenceError: `IMG_UNREADABLE`.
    """
    match reference:
        case RegistryReference(repository=repository, digest=digest):
            if digest is None:
                raise ReferenceRefusedError(
                    "a tag can be moved to another image", expected=f"{repository}@sha256:...", seen=str(reference)
                )
            return RegistrySource(client, repository, digest)
        case LayoutReference(directory=directory, digest=digest, tag=tag):
            return _open_layout(Path(directory), digest, tag)
        case ArchiveReference(file=file, digest=digest):
            from gate.images.archive_source import open_archive  # noqa: PLC0415 - as in `_open_layout`

            _expect_path(Path(file), "an archive of docker save, or an OCI archive")
            return open_archive(Path(file), digest)
        case _:
            assert_never(reference)


def _expect_path(path: Path, expected: str) -> None:
    """Refuse a path at which nothing is: the request is wrong, and trying again does not help."""
    if not os.path.lexists(path):
        raise UsageError(
            "there is nothing at this path", code="REF_PATH", expected=expected, seen=printable(str(path), 200)
        )


def _open_layout(folder: Path, digest: Digest | None, tag: str | None) -> ImageSource:
    # Imported late: a demand that asks a registry reads no files of images.
    from gate.images.blobs import BlobReader, FolderMembers  # noqa: PLC0415
    from gate.images.layout_source import LayoutSource  # noqa: PLC0415
    from gate.images.layout_writer import LayoutWriter  # noqa: PLC0415

    _expect_path(folder, "an OCI layout")
    if folder.is_dir() and not any(os.path.lexists(folder / name) for name in ("oci-layout", "index.json")):
        raise UsageError(
            "this folder is no OCI layout",
            code="REF_PATH",
            expected="oci-layout and index.json in it",
            seen=printable(str(folder), 200),
        )
    if not folder.is_dir():
        raise EvidenceError("this is no folder", code="IMG_UNREADABLE", expected="an OCI layout", seen=str(folder))
    return LayoutSource(BlobReader(FolderMembers(folder)), digest, LayoutWriter(folder), tag=tag)
