"""What kind of container a file is, by its first bytes, and what every opener of one works with."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, Protocol

from gate.secrets.budget import cannot_open
from gate.secrets.hit import Where

HEAD_BYTES: Final = 512
CHUNK_BYTES: Final = 1024 * 1024
_MIN_ZLIB: Final = 8


class Kind(StrEnum):
    """The containers that are opened, and (in the last three lines) those that are named as unopened."""

    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZIP = "zip"
    TAR = "tar"
    DEB = "deb"
    PYC = "pyc"
    GIT_OBJECT = "git-object"
    GIT_PACK = "git-pack"
    JAVA_KEYSTORE = "java-keystore"
    PKCS12 = "pkcs12"
    DER_KEY = "der-key"
    CPIO = "cpio"
    RPM = "rpm"
    LZMA = "lzma"
    LZ4 = "lz4"
    ZLIB = "zlib"
    SKIPPABLE = "skippable frame"
    SCRIPT_ZIP = "zip behind a script"
    SEVEN_ZIP, RAR, CAB, MSI = "7z", "rar", "cab", "msi"
    OLD_LZ4, LZIP, LZOP, COMPRESS = "old lz4", "lzip", "lzop", "compress"
    SQUASHFS, XAR = "squashfs", "xar"


class SeekableBody(Protocol):
    """A body that can be read again: bytes in memory, or a file without a name."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Say where it stands."""


class Opened(Protocol):
    """What an opener hands its findings to; each method raises `SECRET_INCOMPLETE` where a limit is passed."""

    def member(self, where: Where, chunks: Iterator[bytes]) -> None:
        """Search one file of the container."""

    def text(self, where: Where, text: bytes) -> None:
        """Search names, comments and other text of the container itself."""

    def key(self, where: Where, rule: str, *, locked: bool, value: bytes) -> None:
        """Note a private key that the container holds; `locked` says that no known password opens it."""

    def unopened(self, where: Where, reason: str) -> None:
        """Note a part that could not be read."""


Opener = Callable[[SeekableBody, Where, Opened], None]

_PREFIXES: Final = (
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"\xfd7zXZ\0", Kind.XZ),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"PK\x07\x08PK", Kind.ZIP),
    (b"JM\x01\0PK", Kind.ZIP),
    (b"!<arch>\ndebian-binary", Kind.DEB),
    (b"PACK\0\0\0\x02", Kind.GIT_PACK),
    (b"PACK\0\0\0\x03", Kind.GIT_PACK),
    (b"\xfe\xed\xfe\xed\0\0\0", Kind.JAVA_KEYSTORE),
    (b"\xce\xce\xce\xce\0\0\0", Kind.JAVA_KEYSTORE),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"\xed\xab\xee\xdb", Kind.RPM),
    (b"MSCF\0\0\0\0", Kind.CAB),
    (b"\x04\x22\x4d\x18", Kind.LZ4),
    (b"\x02\x21\x4c\x18", Kind.OLD_LZ4),
    (b"LZIP\x01", Kind.LZIP),
    (b"\x89LZO\0\r\n\x1a\n", Kind.LZOP),
    (b"xar!\0\x1c", Kind.XAR),
)
# What is a container only in a file of such a name: the mark alone is too short, or stands before other content as well.
_NAMED: Final = (
    (b"\x1f\x9d", re.compile(r"\.(?:Z|taz)$"), Kind.COMPRESS),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", re.compile(r"\.(?:msi|msp)$", re.IGNORECASE), Kind.MSI),
    (b"#!", re.compile(r"\.(?:jar|war|pyz|pyzw|pex|egg|zip|whl|xar)$", re.IGNORECASE), Kind.SCRIPT_ZIP),
)
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_PKCS12 = re.compile(rb"\x30(?:\x80|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03\x30", re.DOTALL)
# A version, then what PKCS #1 goes on with (a modulus), SEC 1 (20 to 66 octets), PKCS #8 (an algorithm's name).
_DER_KEY = re.compile(
    rb"\x30(?:[\x20-\x7f]|\x81.|\x82..)\x02\x01"
    rb"(?:\0\x02[\x81\x82]|\x01\x04[\x14-\x42]|[\0\x01]\x30[\x05-\x20]\x06[\x03-\x0a])",
    re.DOTALL,
)
# Each number is checked: a text may begin with the same six digits, for a date.
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}")
# Properties 3/0/2 and a dictionary of a power of two, the size unknown or under a tebibyte: what `xz` itself takes for one.
_LZMA = re.compile(
    rb"\x5d\0\0(?:[\x01\x02\x04\x08\x10\x20\x40\x80]\0|\0[\x01\x02\x04\x08])(?:\xff{8}|.{5}\0\0\0)", re.DOTALL
)
# What zstd and lz4 leave out: a size, and so many bytes of anything.
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
# Tar before POSIX: mode, owner and group in octal digits; the checksum is computed.
_OLD_TAR = re.compile(
    rb"[^\0]{1}.{99}(?:[ 0-7]{6,7}[ \0]{1,2}){3}[ 0-7]{11}[ \0][ 0-7]{11}[ \0][ 0-7]{6}[ \0]{2}", re.DOTALL
)
_SQUASHFS = re.compile(rb"hsqs.{24}\x04\0\0\0", re.DOTALL)
_LOOSE_OBJECT = re.compile(r"(?:^|/)[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?$")
_PATTERNS: Final = (
    (_BZIP2, Kind.BZIP2),
    (_PKCS12, Kind.PKCS12),
    (_DER_KEY, Kind.DER_KEY),
    (_CPIO, Kind.CPIO),
    (_LZMA, Kind.LZMA),
    (_SQUASHFS, Kind.SQUASHFS),
    (_SKIPPABLE, Kind.SKIPPABLE),
)
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")
_FIRST_BYTES: Final = frozenset(
    {
        *(mark[:1] for mark, _ in _PREFIXES),
        *(mark[:1] for mark, *_ in _NAMED),
        *(b"%c" % mark for mark in (*b"B0]hx", *range(0x50, 0x60))),
    }
)


def kind_of_container(head: bytes, name: str) -> Kind | None:
    """Say which container begins with these bytes; the name counts only for formats that have no mark of their own."""
    if head[2:4] == b"\r\n" and name.endswith(".pyc"):
        return Kind.PYC
    if head[257:262] == b"ustar" or (head[99:100] == b"\0" and _OLD_TAR.match(head) and has_tar_checksum(head)):
        return Kind.TAR
    # Asked of every file: most begin like none of these.
    return _kind_by_mark(head, name) if head[:1] in _FIRST_BYTES else None


def has_tar_checksum(header: bytes) -> bool:
    """Say whether the checksum of a tar header is right; its own field counts as blanks."""
    digits = header[148:156].strip(b" \0")
    total = sum(header[:148]) + 8 * 0x20 + sum(header[156:512])
    return digits.isdigit() and not digits.strip(b"01234567") and int(digits, 8) == total


def _kind_by_mark(head: bytes, name: str) -> Kind | None:
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    for pattern, kind in _PATTERNS:
        if pattern.match(head):
            return kind
    for mark, named, kind in _NAMED:
        if head.startswith(mark) and named.search(name):
            return kind
    if _ZLIB.match(head) and _LOOSE_OBJECT.search(name):
        return Kind.GIT_OBJECT
    return None


class Part:
    """A part of a body, as a body of its own; it shares the place that the body stands at."""

    def __init__(self, body: SeekableBody, start: int, end: int) -> None:
        self._body = body
        self._start = start
        self._size = max(0, end - start)
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        left = max(0, self._size - self._at)
        self._body.seek(self._start + self._at)
        chunk = self._body.read(left if size < 0 else min(size, left))
        self._at += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, self._size)[whence]
        if self._at < 0:
            raise OSError("a place before the beginning")
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seekable(self) -> bool:
        """Return True: `zipfile` asks."""
        return True


def search_rest(body: SeekableBody, start: int, where: Where, opened: Opened) -> None:
    """Search what stands behind the end of a container, zeros aside: other readers stop there, and nothing is skipped here."""
    end, at = body.seek(0, 2), behind_zeros(body, start)
    if at < end:
        opened.member(where.member("rest"), part_of(body, at, end - at))


def is_zlib(data: bytes) -> bool:
    """Say whether a text that stood in an encoding is a zlib stream: by its check of two bytes, and that it unfolds."""
    if data[:1] != b"x" or len(data) <= _MIN_ZLIB or int.from_bytes(data[:2], "big") % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(data, CHUNK_BYTES))
    except zlib.error:
        return False


def part_of(body: SeekableBody, start: int, size: int) -> Iterator[bytes]:
    """Yield a part of the body; the place is sought before each piece, for others read between.

    Raises:
        ImageError: `SECRET_INCOMPLETE`, the body ends before.
    """
    at, end = start, start + size
    while at < end:
        body.seek(at)
        chunk = body.read(min(CHUNK_BYTES, end - at))
        if not chunk:
            raise cannot_open("the archive ends within a member")
        at += len(chunk)
        yield chunk


def behind_zeros(body: SeekableBody, at: int) -> int:
    """Return where something other than zeros stands again, or the end."""
    while True:
        body.seek(at)
        chunk = body.read(CHUNK_BYTES)
        rest = chunk.lstrip(b"\0")
        at += len(chunk) - len(rest)
        if rest or not chunk:
            return at
