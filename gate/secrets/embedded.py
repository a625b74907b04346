"""Containers that stand inside a file of another kind: behind a script or a program, in a picture, in the gap of an archive.

Where the automaton saw a mark, the places are read exactly, and each is tried: a mark that stands there by chance opens nothing
and is not named. Specification: APPNOTE 6.3.10 (local headers); makeself and self-extracting archives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.secrets.compressed import first_bytes
from gate.secrets.container import HEAD_BYTES, Kind, Part, SeekableBody, has_tar_checksum, kind_of_container

# Marks in the syntax that Hyperscan and `re` share; each is long enough to be rare in a program.
EMBEDDED_MARKS: Final = (
    r"PK\x03\x04[\x0a-\x3f]\x00[\x00-\xff]{2}[\x00\x01\x08\x09\x0c\x0e\x5d\x5f]\x00",
    r"\x1f\x8b\x08[\x00-\x1f][\x00-\xff]{4}[\x00\x02\x04][\x00-\x0d\xff]",
    r"\xfd7zXZ\x00\x00[\x00\x01\x04\x0a]",
    r"\x28\xb5\x2f\xfd[\x00-\xe7]",
    r"BZh[1-9]1AY&SY",
    r"\x04\x22\x4d\x18[\x40-\x7f]",
    r"ustar(?:\x00\x30\x30|\x20\x20\x00)",
    r"07070[12][0-9A-Fa-f]{48}",
)
_MARK = re.compile("|".join(EMBEDDED_MARKS).encode("ascii"), re.DOTALL)
_USTAR_OFFSET: Final = 257
# A stream by chance is damaged long before so much came out of it.
_PROBE_BYTES: Final = 64 * 1024
_STREAMS: Final = frozenset({Kind.GZIP, Kind.ZSTD, Kind.XZ, Kind.BZIP2, Kind.LZ4})
_OPENED: Final = frozenset({*_STREAMS, Kind.ZIP, Kind.TAR, Kind.CPIO})
MAX_PLACES: Final = 2000


def places_of(block: bytes, low: int, high: int) -> Iterator[int]:
    """Yield where containers may begin in a block, for marks that stand from `low` to before `high`."""
    for found in _MARK.finditer(block, low):
        if found.start() >= high:
            return
        at = found.start() - (_USTAR_OFFSET if found[0].startswith(b"ustar") else 0)
        if at >= 0:
            yield at


def container_at(body: SeekableBody, start: int, end: int) -> tuple[Kind, Part] | None:
    """Return kind and body of the container that begins at a place; None where the mark stands there by chance."""
    part = Part(body, start, end)
    head = part.read(HEAD_BYTES)
    kind = kind_of_container(head, "")
    part.seek(0)
    if kind not in _OPENED or (kind is Kind.TAR and not has_tar_checksum(head)):
        return None
    if kind in _STREAMS and not first_bytes(part, kind, _PROBE_BYTES):
        return None
    part.seek(0)
    return kind, part
