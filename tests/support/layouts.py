"""OCI layouts and archives on disk, honest or not, for tests of the parts that read them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from tests.support.images import index_of

MARK = b'{"imageLayoutVersion":"1.0.0"}'


def layout_files(entries: list[dict[str, JsonValue]], *blobs: bytes) -> dict[str, bytes]:
    """Return the files of a layout by name."""
    files = {f"blobs/sha256/{Digest.of(blob).hex}": blob for blob in blobs}
    return {"oci-layout": MARK, "index.json": index_of(*entries), **files}


def write_layout(folder: Path, entries: list[dict[str, JsonValue]], *blobs: bytes) -> Path:
    """Write a layout with these entries in its index."""
    for name, content in layout_files(entries, *blobs).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def write_archive(file: Path, members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    """Write a plain tar; `links` are symbolic, name to target."""
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return file
