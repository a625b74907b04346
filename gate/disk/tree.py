"""The files of a folder that somebody else wrote: found and read without following a link out of it.

What is read is a regular file of bounded size that did not change while it was read. Everything else that was asked for is an
error that names the file, because a file that was not read was not judged.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate.errors import EvidenceError, StorageError

# A plan of Terraform over a whole estate has some 10 MB; a file of references that people write, a thousandth of it.
MAX_FILE_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 20
# Version control's own, and what package managers bring: read where they come from, not where they were put.
SKIPPED_FOLDERS: Final = frozenset({".git", ".hg", ".svn", ".terraform", "node_modules"})
_OVERLAP: Final = 64


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file: `path` opens it, `name` is what reports call it, `root` is the folder that no link may leave."""

    path: Path
    name: str
    root: Path


def files_below(
    root: Path, wanted: Callable[[str], bool], failed: Callable[[EvidenceError], None]
) -> Iterator[TreeFile]:
    """Yield the wanted files of a folder in the order of their names, or the one file that is named, wanted or not.

    `wanted` is asked with the path relative to the folder, with slashes; `failed` gets the error of a folder that cannot be
    listed.
    """
    if not root.is_dir():
        yield TreeFile(root, str(root), root.parent)
        return
    prefix = "" if str(root) == "." else f"{str(root).rstrip('/')}/"
    for folder, folders, names in os.walk(root, onerror=lambda error: failed(_unreadable_folder(error))):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        below = os.path.relpath(folder, root)
        inside = "" if below == "." else f"{below}/"
        for name in sorted(names):
            if wanted(f"{inside}{name}"):
                yield TreeFile(Path(folder, name), f"{prefix}{inside}{name}", root)


def _unreadable_folder(error: OSError) -> EvidenceError:
    name = ascii(os.fsdecode(error.filename or ""))
    return _unreadable(name, error.strerror or "an input/output error", "a readable folder")


def read_tree_file(file: TreeFile, relevant: Callable[[bytes], bool] | None = None) -> bytes | None:
    """Return the bytes of a file, or None where `relevant` says of none of its parts that they matter.

    Raises:
        EvidenceError: `REF_FILE_UNREADABLE`, or `LIMIT_FILE` for what is relevant and too large.
    """
    try:
        descriptor = os.open(_inside(file), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _unreadable(file.name, error.strerror or "an input/output error") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise _unreadable(file.name, "no regular file", "a regular file")
        content = _read(descriptor, file, relevant)
        after = os.fstat(descriptor)
    except OSError as error:
        raise _unreadable(file.name, error.strerror or "an input/output error") from error
    finally:
        os.close(descriptor)
    if content is not None and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _unreadable(file.name, "it changed while it was read", "a file that nothing writes to")
    return content


def replace_tree_file(file: TreeFile, before: bytes, after: bytes) -> None:
    """Replace the content of a file as a whole, keeping its mode; it must still hold what was read.

    Raises:
        EvidenceError: `REF_FILE_UNREADABLE`: it changed meanwhile; StorageError: `OUT_WRITE`, and the file is as it was.
    """
    path = _inside(file)
    if read_tree_file(file) != before:
        raise _unreadable(file.name, "it changed meanwhile", "a file that nothing writes to")
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".gate-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(after)
                stream.flush()
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        seen = error.strerror or "an input/output error"
        raise StorageError(
            f"{file.name} cannot be written", code="OUT_WRITE", expected="a writable folder", seen=seen
        ) from error


def _inside(file: TreeFile) -> Path:
    """Return where to open a file: a link is followed only to a file of the same folder."""
    if not file.path.is_symlink():
        return file.path
    target, root = Path(os.path.realpath(file.path)), Path(os.path.realpath(file.root))
    if not target.is_relative_to(root):
        raise _unreadable(file.name, "a link that leads out of the folder", "a file of the folder itself")
    return target


def _read(descriptor: int, file: TreeFile, relevant: Callable[[bytes], bool] | None) -> bytes | None:
    content, matters, tail = bytearray(), relevant is None, b""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        if not matters and relevant is not None:
            matters = relevant(tail + chunk)
            tail = chunk[-_OVERLAP:]
        if len(content) <= MAX_FILE_BYTES:
            content += chunk
        if matters and len(content) > MAX_FILE_BYTES:
            expected = f"at most {MAX_FILE_BYTES} bytes"
            raise EvidenceError(f"{file.name} is too large", code="LIMIT_FILE", expected=expected, seen="more")
    return bytes(content) if matters else None


def _unreadable(name: str, seen: str, expected: str = "a readable file") -> EvidenceError:
    return EvidenceError(f"{name} cannot be read", code="REF_FILE_UNREADABLE", expected=expected, seen=seen)
