"""From a reference to the source of its image."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from gate.collectors.image_source import ImageSource
from gate.collectors.registry_source import RegistrySource
from gate.errors import EvidenceError, ReferenceRefusedError
from gate.model.digest import Digest
from gate.model.reference import ArchiveReference, LayoutReference, Reference, RegistryReference
from gate.registry.client import RegistryClient


def open_source(reference: Reference, client: RegistryClient) -> ImageSource:
    """Open what a reference names; `client` is asked only for a reference into a registry.

    Raises:
        ReferenceRefusedError: `REF_NOT_DIGEST`, before anything is fetched, for a tag alone.
        EvidenceError: `IMG_UNREADABLE`, for a folder or file that is not there.
    """
    match reference:
        case RegistryReference(repository=repository, digest=digest):
            if digest is None:
                raise ReferenceRefusedError(
                    "a tag can be moved to another image", expected=f"{repository}@sha256:...", seen=str(reference)
                )
            return RegistrySource(client, repository, digest)
        case LayoutReference(directory=directory, digest=digest):
            return _open_layout(Path(directory), digest)
        case ArchiveReference(file=file, digest=digest):
            from gate.collectors.archive_source import open_archive  # noqa: PLC0415 - as in `_open_layout`

            return open_archive(Path(file), digest)
        case _:
            assert_never(reference)


def _open_layout(folder: Path, digest: Digest | None) -> ImageSource:
    # Imported late: a demand that asks a registry reads no files of images.
    from gate.collectors.blobs import BlobReader, FolderMembers  # noqa: PLC0415
    from gate.collectors.layout_source import LayoutSource  # noqa: PLC0415
    from gate.collectors.layout_writer import LayoutWriter  # noqa: PLC0415

    if not folder.is_dir():
        raise EvidenceError(
            "there is no such folder", code="IMG_UNREADABLE", expected="an OCI layout", seen=str(folder)
        )
    return LayoutSource(BlobReader(FolderMembers(folder)), digest, LayoutWriter(folder))
