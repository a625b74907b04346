"""A tar read once, in pieces as they come: entries to a visitor, bodies to whoever the visitor names.

The reader holds one block, one pax header or one long name at a time, never a file. Refuses every form that two readers
in use read differently, and names them where it does: Go's `archive/tar` (containerd, Docker, Podman and both scanners), GNU
tar, libarchive and Python's `tarfile` (attacks L07, L08, D11). What all of them read alike is read: an archive may end after
any entry, with or without zero blocks, and names may begin with `/` or hold `//` and `/./` (DESIGN, rule 13).
Specification: POSIX.1-2017 ustar and pax; checks reference, section 7.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gate.layers.entry import BodySink, Entry, EntryKind, EntryVisitor
from gate.layers.faults import malformed, shown
from gate.layers.pax import CAPABILITY_KEY, MAX_PAX_BYTES, parse_global_pax, parse_pax, pax_number, pax_time
from gate.layers.tar_header import BLOCK_BYTES, ZERO_BLOCK, TarHeader, parse_header

MAX_PATH_BYTES: Final = 4096
MAX_COMPONENT_BYTES: Final = 255
# Twelve octal digits less the terminator: a larger size must stand in pax or base-256, with zero in the header.
_OCTAL_SIZE_LIMIT: Final = 8**11

_KINDS: Final = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"3": EntryKind.DEVICE,
    b"4": EntryKind.DEVICE,
    b"5": EntryKind.DIRECTORY,
    b"6": EntryKind.DEVICE,
}
_DEVICES: Final = {b"3": "character {}:{}", b"4": "block {}:{}"}
_EXTENSIONS: Final = frozenset({b"x", b"g", b"L", b"K"})
# BuildKit appends eStargz's table of contents behind a tar's end, so that the tar stays as it was (stargz-snapshotter
# `estargz/estargz.go`: AppendTarLossLess). Who unpacks the layer stops before it, who pulls it lazily believes it: it is read as
# an entry, named as a second list of the layer's files, and refused unless the policy accepts it.
_APPENDED: Final = b"stargz.index.json"


class TarStream:
    """Push the bytes of one tar with `feed`, then call `finish`. Raises `ImageError` (`IMG_LAYER_MALFORMED`)."""

    def __init__(self, visitor: EntryVisitor) -> None:
        self._visitor = visitor
        self._position = 0
        self._held = bytearray()
        self._zero_blocks = 0
        # What is left of the body that is being read, its padding, and who takes it.
        self._body_left = 0
        self._padding_left = 0
        self._sinks: Sequence[BodySink] = ()
        self._extension: tuple[TarHeader, bytearray] | None = None
        self._pax: dict[bytes, bytes] | None = None
        self._long_name: bytes | None = None
        self._long_link: bytes | None = None
        self._has_appended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the tar."""
        view = memoryview(data)
        start, end = 0, len(data)
        while start < end:
            if self._body_left:
                taken = self._take_body(view[start : start + self._body_left])
            elif self._padding_left:
                taken = min(self._padding_left, end - start)
                self._padding_left -= taken
            elif not self._held and end - start >= BLOCK_BYTES:
                taken = BLOCK_BYTES
                self._take_block(data[start : start + BLOCK_BYTES])
            else:
                taken = self._take_part(view[start:])
            start += taken

    def finish(self) -> None:
        """Note that the tar is over: after a whole entry, whose padding and the zero blocks may be left out.

        Go's reader takes an end of file there for the archive's end, and so does every other (GNU tar with a warning). Within
        a body or a header Go fails where Python's reader takes the archive for finished.
        """
        at = self._position
        if self._body_left or self._extension or (self._held and self._zero_blocks < 2):
            raise malformed("the tar ends within an entry", at=at, expected="the whole entry")
        self._refuse_lone_extension(at)

    def _take_body(self, piece: memoryview) -> int:
        if self._extension:
            self._extension[1].extend(piece)
        for sink in self._sinks:
            sink.feed(piece)
        self._body_left -= len(piece)
        self._position += len(piece)
        if not self._body_left:
            self._end_body()
        return len(piece)

    def _end_body(self) -> None:
        self._padding_left = -self._position % BLOCK_BYTES
        self._position += self._padding_left
        for sink in self._sinks:
            sink.finish()
        self._sinks = ()
        if self._extension:
            header, body = self._extension
            self._extension = None
            self._take_extension(header, bytes(body))

    def _take_part(self, view: memoryview) -> int:
        part = view[: BLOCK_BYTES - len(self._held)]
        self._held.extend(part)
        if len(self._held) == BLOCK_BYTES:
            block = bytes(self._held)
            self._held.clear()
            self._take_block(block)
        elif self._zero_blocks >= 2:
            self._refuse_after_end(bytes(self._held))
        return len(part)

    def _take_block(self, block: bytes) -> None:
        position = self._position
        self._position += BLOCK_BYTES
        if block == ZERO_BLOCK:
            self._take_zeros(position)
        elif not self._zero_blocks and not self._has_appended:
            self._take_header(parse_header(block, position))
        elif self._zero_blocks >= 2 and not self._has_appended and _is_appended(block):
            self._zero_blocks, self._has_appended = 0, True
            self._take_header(parse_header(block, position))
        else:
            self._refuse_after_end(block)

    def _take_zeros(self, position: int) -> None:
        self._refuse_lone_extension(position)
        self._zero_blocks += 1

    def _refuse_lone_extension(self, position: int) -> None:
        # Go ends there in silence, and Python's reader and libarchive fail.
        if self._pax is not None or self._long_name is not None or self._long_link is not None:
            raise malformed("a tar extension has no entry", at=position, expected="the entry that it describes")

    def _refuse_after_end(self, block: bytes) -> None:
        # Go stops at two zero blocks; GNU tar and Python's reader can be told to go on, and then see other files.
        if any(block):
            expected = "zeros only, after two zero blocks"
            raise malformed(
                "bytes stand after the tar's end", at=self._position, expected=expected, seen=shown(block[:16])
            )

    def _take_header(self, header: TarHeader) -> None:
        if header.flag in _EXTENSIONS:
            self._begin_extension(header)
            return
        entry = self._entry(header)
        self._pax = self._long_name = self._long_link = None
        sinks = self._visitor.visit(entry)
        self._body_left = entry.size
        self._sinks = sinks
        if not entry.size:
            self._end_body()

    def _begin_extension(self, header: TarHeader) -> None:
        if not 0 < header.size <= MAX_PAX_BYTES:
            expected = f"1 to {MAX_PAX_BYTES} bytes"
            raise malformed(
                "a tar extension has a wrong size", at=header.position, expected=expected, seen=str(header.size)
            )
        self._body_left = header.size
        self._extension = (header, bytearray())

    def _take_extension(self, header: TarHeader, body: bytes) -> None:
        at = header.position
        match header.flag:
            case b"g":
                parse_global_pax(body, at)
            case b"x" if self._pax is None:
                self._pax = parse_pax(body, at)
            case b"L" if self._long_name is None:
                self._long_name = _long_text(body, at)
            case b"K" if self._long_link is None:
                self._long_link = _long_text(body, at)
            case _:
                raise malformed("a tar extension is repeated", at=at, expected="one of a kind before an entry")
        if self._pax is not None and (self._long_name is not None or self._long_link is not None):
            raise malformed("pax and GNU long names are mixed", at=at, expected="one of the two for an entry")

    def _entry(self, header: TarHeader) -> Entry:
        at = header.position
        kind = _KINDS.get(header.flag)
        if kind is None:
            # Go hands the entry on without its kind, Python's reader takes it for a regular file.
            raise malformed("a tar entry has an unknown type", at=at, expected="0 to 7", seen=shown(header.flag))
        records = self._pax or {}
        name = records.get(b"path", self._long_name if self._long_name is not None else header.name)
        if header.flag == b"\0" and name.endswith(b"/"):
            kind = EntryKind.DIRECTORY  # as version 7 wrote directories; every reader knows it
        link = records.get(b"linkpath", self._long_link if self._long_link is not None else header.link)
        return Entry(
            path=entry_path(name, at, is_directory=kind is EntryKind.DIRECTORY),
            kind=kind,
            size=_body_size(header, kind, records),
            mode=header.mode & 0o7777,
            uid=pax_number(records, b"uid", header.uid, at),
            gid=pax_number(records, b"gid", header.gid, at),
            mtime=pax_time(records, header.mtime, at),
            link=_link(link, kind, at),
            device=_DEVICES[header.flag].format(*header.device) if header.flag in _DEVICES else "",
            capabilities=CAPABILITY_KEY in records,
            records=tuple(records.items()),
            position=at,
        )


def _is_appended(block: bytes) -> bool:
    return block.startswith(_APPENDED + b"\0") and block[156:157] in {b"0", b"\0"}


def entry_path(name: bytes, position: int, *, is_directory: bool) -> bytes:
    """Return a name of the archive as a relative path; the root directory is empty.

    Leading slashes, empty parts and `.` mean nothing to any reader: runtimes and both scanners clean a name before they use
    it, and Cloud Native Buildpacks write `/layers/...`. `..` can leave the root (attack L08). A file's name that ends in a
    slash is a directory for GNU tar and a file for Go.

    Raises:
        ImageError: `IMG_LAYER_MALFORMED`.
    """
    path = name.removeprefix(b"./")
    if is_directory:
        path = path.removesuffix(b"/")
    framed = b"/" + path + b"/"
    if not path or b"//" in framed or b"/./" in framed or b"/../" in framed or b"\0" in path:
        path = _cleaned(name, position, is_directory=is_directory)
    if len(path) > MAX_COMPONENT_BYTES and (len(path) > MAX_PATH_BYTES or _longest(path) > MAX_COMPONENT_BYTES):
        # No file system that a runtime unpacks into has such a name, and the scanners list it.
        expected = f"at most {MAX_PATH_BYTES} bytes, {MAX_COMPONENT_BYTES} a part"
        raise malformed("a tar entry's name is too long", at=position, expected=expected, seen=shown(name))
    return path


def _cleaned(name: bytes, position: int, *, is_directory: bool) -> bytes:
    parts = [part for part in name.split(b"/") if part not in {b"", b"."}]
    named_as_directory = not parts or name.endswith((b"/", b"/."))
    if not name or b".." in parts or b"\0" in name or (named_as_directory and not is_directory):
        expected = "a path below the root without `..`, and without a slash at a file's end"
        raise malformed("a tar entry's name is not acceptable", at=position, expected=expected, seen=shown(name))
    return b"/".join(parts)


def _longest(path: bytes) -> int:
    return max(map(len, path.split(b"/")))


def _long_text(body: bytes, position: int) -> bytes:
    text = body.removesuffix(b"\0")
    if not text or b"\0" in text:
        raise malformed("a GNU long name is empty or holds NUL", at=position, expected="a name", seen=shown(body))
    return text


def _link(link: bytes, kind: EntryKind, position: int) -> bytes:
    if kind is EntryKind.HARDLINK:
        # Kaniko writes the target absolute; every reader takes it as below the root.
        return entry_path(link, position, is_directory=False)
    if kind is not EntryKind.SYMLINK:
        return b""
    if not link or len(link) > MAX_PATH_BYTES:
        raise malformed(
            "a symbolic link has no acceptable target", at=position, expected="1 to 4096 bytes", seen=shown(link)
        )
    return link


def _body_size(header: TarHeader, kind: EntryKind, records: dict[bytes, bytes]) -> int:
    at = header.position
    size = pax_number(records, b"size", header.size, at)
    if kind is EntryKind.HARDLINK:
        # Builders in Go leave the file's size in the header of a link, and write no body; every reader takes it so.
        return 0
    if kind is not EntryKind.FILE:
        # GNU tar skips a body of this size, Go reads the next header there.
        if header.size or b"size" in records:
            raise malformed("a tar entry that is no file has a size", at=at, expected="0", seen=str(size))
        return 0
    # CVE-2025-62518: a reader that takes the header's size where pax gives another sees other entries.
    if size != header.size and not (header.size == 0 and size >= _OCTAL_SIZE_LIMIT):
        expected = "one size in the header and in pax"
        raise malformed("a tar entry has two sizes", at=at, expected=expected, seen=f"{header.size} and {size}")
    return size
