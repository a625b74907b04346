"""Blobs of a layout, by digest, out of a folder or out of a tar archive that is never extracted.

Names inside an archive are keys of a table and never paths (attack R09). Every read is hashed; a blob that is cut off
or other than its name says is an error of evidence: nothing can be said of an image that is not here.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from gate.codec.oci import MAX_MANIFEST_BYTES
from gate.codec.strict_json import printable
from gate.disk.blob_files import open_below, read_chunks
from gate.disk.named import open_regular_file
from gate.errors import EvidenceError, ImageError
from gate.model.digest import Digest
from gate.model.image import Descriptor

MAX_MEMBERS: Final = 20_000


class Members(Protocol):
    """Named byte strings: the files of a folder or archive."""

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """Open a member at its first byte, and give its size; raises `FileNotFoundError` and other `OSError`."""


class FolderMembers:
    """The files below a folder that the user named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """Open a file; links below the folder are refused."""
        stream = open_below(self._folder, *name.split("/"))
        size = stream.seek(0, 2)
        stream.seek(0)
        return stream, size


@dataclass(frozen=True, slots=True)
class _Extent:
    start: int
    size: int


class ArchiveMembers:
    """The files in a plain tar archive; links are followed to one other member by name, as docker-save writes them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._extents, self._links = _index_archive(file)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all members that can be read."""
        return frozenset(self._extents) | frozenset(self._links)

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """Open the archive at a member."""
        extent = self._extents.get(self._links.get(name, name))
        if extent is None:
            raise FileNotFoundError(name)
        stream = open(open_regular_file(self._file), "rb", buffering=0)  # noqa: PTH123, SIM115 - a descriptor; the caller closes it
        stream.seek(extent.start)
        return stream, extent.size


class BlobReader:
    """Reads blobs by digest, and the two files that every layout has."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def size(self, digest: Digest) -> int | None:
        """Return a blob's size in bytes; None if it is not here."""
        try:
            stream, size = self._members.open(_blob_name(digest))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(digest.short, error) from error
        stream.close()
        return size

    def read(self, descriptor: Descriptor, limit_bytes: int) -> bytes:
        """Return a whole blob; `LIMIT_BLOB` for a larger one, else raises as `chunks`."""
        if descriptor.size > limit_bytes:
            raise ImageError(
                "a blob is too large", code="LIMIT_BLOB", expected=f"at most {limit_bytes} bytes",
                seen=f"{descriptor.size} bytes",
            )  # fmt: skip
        return b"".join(self.chunks(descriptor))

    def chunks(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob; the end is reached only if digest and size are right.

        Raises:
            EvidenceError: `IMG_UNREADABLE`, `IMG_BLOB_MISMATCH`.
            ImageError: `IMG_SIZE` where the digest is right and the size is not.
        """
        return self.member(_blob_name(descriptor.digest), descriptor)

    def member(self, name: str, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a member under any name as the blob that it must be; raises as `chunks`."""
        digest, seen = hashlib.sha256(), 0
        try:
            stream, size = self._members.open(name)
            for chunk in read_chunks(stream, size):
                digest.update(chunk)
                wanted = chunk[: max(0, descriptor.size - seen)]
                seen += len(chunk)
                if wanted:
                    yield wanted
        except OSError as error:
            raise unreadable(name, error) from error
        if digest.hexdigest() != descriptor.digest.hex:
            raise EvidenceError(
                "a blob is not what its name says", code="IMG_BLOB_MISMATCH", expected=str(descriptor.digest),
                seen=f"sha256:{digest.hexdigest()}",
            )  # fmt: skip
        if seen != descriptor.size:
            raise ImageError(
                "a descriptor's size is not the blob's", code="IMG_SIZE", expected=f"{descriptor.size} bytes",
                seen=f"{seen}",
            )  # fmt: skip

    def file(self, name: str) -> bytes:
        """Return one of the small files at the top.

        Raises:
            EvidenceError: `IMG_UNREADABLE`.
            ImageError: `IMG_MALFORMED` if it is not there, for then this is no image; `LIMIT_INDEX` over 4 MiB.
        """
        try:
            stream, size = self._members.open(name)
            content = b"".join(read_chunks(stream, min(size, MAX_MANIFEST_BYTES + 1)))
        except FileNotFoundError as error:
            raise ImageError("there is no image here", expected=f"a file {name}", seen="no such file") from error
        except OSError as error:
            raise unreadable(name, error) from error
        if len(content) > MAX_MANIFEST_BYTES:
            raise ImageError(f"{name} is too large", code="LIMIT_INDEX", expected=f"at most {MAX_MANIFEST_BYTES} bytes")
        return content


def unreadable(name: str, error: Exception) -> EvidenceError:
    """Make the error for bytes that are not to be had; `name` is cut and escaped."""
    missing = isinstance(error, FileNotFoundError)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return EvidenceError(
        f"{printable(name)} {'is missing' if missing else 'cannot be read'}", code="IMG_UNREADABLE",
        expected="a whole layout or archive", seen=reason,
    )  # fmt: skip


def _blob_name(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _index_archive(file: Path) -> tuple[Mapping[str, _Extent], Mapping[str, str]]:
    """Find every member once. A name that comes twice is refused: two readers would choose differently."""
    extents: dict[str, _Extent] = {}
    links: dict[str, str] = {}
    try:
        with open(open_regular_file(file), "rb") as stream:  # noqa: PTH123 - a descriptor, so that a pipe cannot hold it
            end = stream.seek(0, 2)
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for member in archive:
                    _add(member, extents, links)
    except tarfile.TarError as error:
        raise ImageError(
            f"{printable(str(file))} is no tar archive", expected="an uncompressed docker-save or OCI archive",
            next_step="Save the image again; a compressed archive is unpacked first, for example with gunzip.",
        ) from error  # fmt: skip
    except OSError as error:
        raise unreadable(str(file), error) from error
    for extent in extents.values():
        if extent.start + extent.size > end:
            raise EvidenceError("the archive is cut off", code="IMG_UNREADABLE", expected="a whole archive")
    return extents, links


def _add(member: tarfile.TarInfo, extents: dict[str, _Extent], links: dict[str, str]) -> None:
    name = member.name.removeprefix("./")
    if member.isdir():
        return
    if name in extents or name in links or len(extents) + len(links) >= MAX_MEMBERS:
        code = "IMG_AMBIGUOUS" if name in extents or name in links else "LIMIT_INDEX"
        raise ImageError("the archive has a name twice, or too many", code=code, seen=printable(name))
    if member.isreg() and not member.issparse():
        extents[name] = _Extent(member.offset_data, member.size)
    elif member.issym():
        links[name] = _target(name, member.linkname)
    else:
        raise ImageError("the archive holds something that is no file", seen=printable(name))


def _target(name: str, link: str) -> str:
    """Resolve a link between members, within the table of names."""
    parts = name.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
