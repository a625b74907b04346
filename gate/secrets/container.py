"""What kind of container a file is, by its first bytes, and what every opener of one works with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, Protocol

from gate.secrets.hit import Where

HEAD_BYTES: Final = 512
CHUNK_BYTES: Final = 1024 * 1024


class Kind(StrEnum):
    """The containers that are opened, and (in the last line) those that are named as unopened."""

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
    SEVEN_ZIP, RAR, RPM = "7z", "rar", "rpm"


class SeekableBody(Protocol):
    """A body that can be read again: bytes in memory, or a file without a name."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""

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
)
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_PKCS12 = re.compile(rb"\x30(?:\x80|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03\x30", re.DOTALL)
_LOOSE_OBJECT = re.compile(r"(?:^|/)[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?$")
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")


def kind_of_container(head: bytes, name: str) -> Kind | None:
    """Say which container begins with these bytes; the name counts only for formats that have no mark of their own."""
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[257:262] == b"ustar":
        return Kind.TAR
    if _BZIP2.match(head):
        return Kind.BZIP2
    if _PKCS12.match(head):
        return Kind.PKCS12
    if head[2:4] == b"\r\n" and name.endswith(".pyc"):
        return Kind.PYC
    if _ZLIB.match(head) and _LOOSE_OBJECT.search(name):
        return Kind.GIT_OBJECT
    return None
