"""Packages of rpm: headers in clear, then an archive of cpio in some compression.

Specification: rpm `docs/manual/format_v4.md`.
"""

from __future__ import annotations

from typing import Final

from gate.secrets.budget import cannot_open
from gate.secrets.container import HEAD_BYTES, Kind, Opened, SeekableBody, kind_of_container, part_of
from gate.secrets.hit import Where

_LEAD_BYTES: Final = 96
_HEADER_MAGIC: Final = b"\x8e\xad\xe8"
_INTRODUCTION_BYTES: Final = 16
_ENTRY_BYTES: Final = 16
_ENDINGS: Final = {
    Kind.CPIO: "", Kind.GZIP: ".gz", Kind.XZ: ".xz", Kind.ZSTD: ".zst", Kind.BZIP2: ".bz2", Kind.LZMA: ".lzma",
}  # fmt: skip


def open_rpm(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Search what a package installs; its headers, scripts among them, stand in clear and are searched with its bytes."""
    end = body.seek(0, 2)
    signature = _header_end(body, _LEAD_BYTES)
    start = _header_end(body, signature + -signature % 8)
    body.seek(start)
    head = body.read(HEAD_BYTES)
    if not head:
        # A header without payload, as `rpm` itself hands it on.
        return
    kind = kind_of_container(head, "")
    if kind not in _ENDINGS:
        raise cannot_open("the payload of the rpm package is in a form that is not read")
    opened.member(where.member(f"payload.cpio{_ENDINGS[kind]}"), part_of(body, start, end - start))


def _header_end(body: SeekableBody, start: int) -> int:
    body.seek(start)
    introduction = body.read(_INTRODUCTION_BYTES)
    if not introduction.startswith(_HEADER_MAGIC) or len(introduction) < _INTRODUCTION_BYTES:
        raise cannot_open("the rpm package is damaged")
    entries, store = (int.from_bytes(introduction[at : at + 4], "big") for at in (8, 12))
    return start + _INTRODUCTION_BYTES + entries * _ENTRY_BYTES + store
