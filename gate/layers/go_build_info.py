"""Modules that a Go program names in its build information.

Reads the inline form of Go 1.18 and later only; the older one with pointers is left to the scanners. What is not understood
gives nothing. Specification: Go `debug/buildinfo` (header of 32 bytes, two texts with a varint length) and
`runtime/debug.ParseBuildInfo` (lines `dep PATH VERSION SUM`, `=> PATH VERSION SUM` for what replaces it).
"""

from __future__ import annotations

from typing import Final

from gate.codec.purl import key_of
from gate.model.finding import PackageKey

MAGIC: Final = b"\xff Go buildinf:"
# A program of 2,000 modules names them in some 200 KB.
MAX_INFO_BYTES: Final = 1 << 20
_HEADER_BYTES: Final = 32
_ALIGNMENT: Final = 16
_FLAGS_AT, _INLINE = 15, 2
_FRAME_BYTES: Final = 16  # a random mark before and after the lines, `cmd/go/internal/modload/build.go`


def begins(header: bytes, offset: int) -> bool:
    """Return whether build information begins with these bytes at this offset of a file (the linker aligns it)."""
    return offset % _ALIGNMENT == 0 and len(header) > _FLAGS_AT and bool(header[_FLAGS_AT] & _INLINE)


def parse_modules(info: bytes, path: str) -> tuple[PackageKey, ...]:
    """Return the modules that a program was linked from; an empty version means that it names none."""
    try:
        _, position = _text(info, _HEADER_BYTES)
        lines, _ = _text(info, position)
    except IndexError:
        return ()
    text = lines[_FRAME_BYTES:-_FRAME_BYTES].decode("utf-8", "replace")
    found: list[list[str]] = []
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "dep" and fields and fields[0]:
            found.append([fields[0], _version(fields)])
        elif kind == "=>" and found and fields:
            # Trivy and Grype judge what stands in: a module under its own name, a folder under none.
            found[-1] = [fields[0] if _version(fields) else found[-1][0], _version(fields)]
    return tuple(key_of("golang", "", name, version, "", path) for name, version in found)


def _version(fields: list[str]) -> str:
    version = fields[1] if len(fields) > 1 else ""
    return "" if version == "(devel)" else version


def _text(data: bytes, position: int) -> tuple[bytes, int]:
    length, shift = 0, 0
    while True:
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 28:
            raise IndexError
    if position + length > len(data):
        raise IndexError
    return data[position : position + length], position + length
