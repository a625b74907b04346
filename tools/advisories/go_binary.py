"""The smallest ELF file in which both scanners read Go modules: a header, one segment, the build information.

There is no code in it. Canary layouts and tests plant Go modules with it without a Go compiler.
Specification: Go `debug/buildinfo/buildinfo.go` (inline strings, since Go 1.18), `cmd/go/internal/modload` (the two
markers of 16 bytes round the module text), ELF-64.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

_BUILD_INFO_MAGIC: Final = b"\xff Go buildinf:"
_INLINE_STRINGS: Final = 2
_MODULES_START: Final = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
_MODULES_END: Final = bytes.fromhex("f932433186182072008242104116d8f2")
_GO_VERSION: Final = "go1.25.0"

_ELF: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM: Final = struct.Struct("<IIQQQQQQ")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_BASE: Final = 0x400000
_START: Final = 128  # after both headers; Go looks for the magic at multiples of 16 only
_NAMES: Final = b"\0.go.buildinfo\0.shstrtab\0"


def go_binary(modules: Mapping[str, str], *, main: str = "gate.invalid/planted") -> bytes:
    """Return the file for modules of this path and version (with `v`); it must be executable for Trivy to read it."""
    info = _build_info(modules, main)
    start = _START
    names_start = start + len(info)
    sections_start = names_start + len(_NAMES)
    header = _ELF.pack(
        b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
        *(2, 62, 1),  # executable, x86-64, version
        *(_BASE, _ELF.size, sections_start, 0),
        *(_ELF.size, _PROGRAM.size, 1, _SECTION.size, 3, 2),
    )
    size = sections_start + 3 * _SECTION.size
    program = _PROGRAM.pack(1, 6, 0, _BASE, _BASE, size, size, 0x1000)  # loaded, readable and writable: Go's data
    sections = (
        bytes(_SECTION.size),
        _SECTION.pack(1, 1, 3, _BASE + start, start, len(info), 0, 0, 16, 0),
        _SECTION.pack(15, 3, 0, 0, names_start, len(_NAMES), 0, 0, 1, 0),
    )
    return b"".join(((header + program).ljust(_START, b"\0"), info, _NAMES, *sections))


def _build_info(modules: Mapping[str, str], main: str) -> bytes:
    lines = [
        f"path\t{main}",
        f"mod\t{main}\t(devel)\t",
        *(f"dep\t{path}\t{version}\t" for path, version in modules.items()),
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    head = (_BUILD_INFO_MAGIC + bytes((8, _INLINE_STRINGS))).ljust(32, b"\0")
    return head + _counted(_GO_VERSION.encode()) + _counted(_MODULES_START + text + _MODULES_END)


def _counted(data: bytes) -> bytes:
    """Put an unsigned LEB128 length before the data."""
    size, length = len(data), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((*length, size)) + data
