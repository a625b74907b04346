"""One entry of a layer, as header blocks, pax records and GNU long names together say, and what may read its body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gate.layers.merged_view import MergedView


class EntryKind(StrEnum):
    """What an entry is in the file system; devices and pipes are one kind, because nothing here reads them."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A checked entry; all text is the author's and stays bytes.

    `path` is relative, without `.`, `..` or empty parts; empty for the root directory. `mtime` is in seconds since 1970.
    `link` is the target as written, for hard links as a path like `path`. `device` is `block MAJOR:MINOR` or
    `character MAJOR:MINOR`, empty for what is no device (a pipe). `records` are the pax records, for a search of
    metadata. `position` is the first byte of the header in the tar.
    """

    path: bytes
    kind: EntryKind
    size: int
    mode: int
    uid: int
    gid: int
    mtime: int
    link: bytes
    device: str
    capabilities: bool
    records: tuple[tuple[bytes, bytes], ...]
    position: int


class BodySink(Protocol):
    """What takes the body of one file, in order and in pieces; a piece must not be kept as it is."""

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """Note that the body was complete; not called where the layer is refused before."""


class BodyReader(Protocol):
    """A part that wants the bodies of some files of every layer: packages, release files, secrets."""

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Say who takes the body of this regular file of the layer with this number, base first from 0."""


class ImageObserver(BodyReader, Protocol):
    """A part that looks at every entry of every layer beside the bodies, and at the end at the final view.

    `unfolded_bytes` is how much it has unfolded from containers inside files so far: its time is granted for that, too.
    """

    @property
    def unfolded_bytes(self) -> int:
        """Return the sum over all layers so far."""

    def note(self, entry: Entry, layer: int, view: MergedView) -> None:
        """Look at an entry, after it was laid into the view."""

    def conclude(self, view: MergedView) -> None:
        """Look at the final view, after the last layer."""


class EntryVisitor(Protocol):
    """What is told of each entry of one layer, and may take its body."""

    def visit(self, entry: Entry) -> Sequence[BodySink]:
        """Look at an entry; what is returned takes the body of a regular file."""
