"""The smallest programs in which both scanners find packages: an ELF file with Go's build information or Rust's audit data.

Neither runs. Specification: ELF-64 (System V ABI, gabi 4); Go `debug/buildinfo` (inline form of Go 1.18: 32 bytes of header, then
two texts with a varint length); cargo-auditable (section `.dep-v0`, JSON under zlib).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from typing import Final

_HEADER_BYTES, _PROGRAM_BYTES, _SECTION_BYTES = 64, 56, 64
_BASE: Final = 0x400000
_EXECUTABLE, _X86_64, _LOAD, _PROGBITS, _STRTAB = 2, 62, 1, 1, 3
_READ_WRITE, _ALLOCATED_WRITABLE = 6, 3
_MAGIC: Final = b"\xff Go buildinf:"
_INLINE: Final = 2
# What `go build` puts before and after the lines; readers demand that it is there, and look at nothing in it.
_FRAME: Final = b"0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6", b"\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"


def go_program(modules: Iterable[tuple[str, str]]) -> bytes:
    """Return a program that was linked from these modules, each with its version as Go writes it."""
    lines = ["path\tgate.invalid/canary", "mod\tgate.invalid/canary\tv1.0.0\t"]
    lines += [f"dep\t{name}\t{version}\th1:{'A' * 43}=" for name, version in modules]
    text = _FRAME[0] + ("\n".join(lines) + "\n").encode() + _FRAME[1]
    header = (_MAGIC + bytes([8, _INLINE])).ljust(32, b"\0")
    return _elf(b".go.buildinfo", header + _text(b"go1.26.0") + _text(text))


def rust_program(crates: Iterable[tuple[str, str]]) -> bytes:
    """Return a program with audit data that names these crates."""
    packages: list[dict[str, object]] = [{"name": "gate-canary", "version": "1.0.0", "source": "local", "root": True}]
    packages += [{"name": name, "version": version, "source": "crates.io"} for name, version in crates]
    packages[0]["dependencies"] = list(range(1, len(packages)))
    return _elf(b".dep-v0", zlib.compress(json.dumps({"packages": packages}).encode()))


def _text(content: bytes) -> bytes:
    length, parts = len(content), b""
    while length >= 0x80:
        parts += bytes([length & 0x7F | 0x80])
        length >>= 7
    return parts + bytes([length]) + content


def _elf(section: bytes, content: bytes) -> bytes:
    """Return an executable of one loaded section."""
    names = b"\0" + section + b"\0.shstrtab\0"
    start = _HEADER_BYTES + _PROGRAM_BYTES + 8  # the linker aligns build information to 16 bytes
    table = start + len(content) + len(names)
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH",
        _EXECUTABLE, _X86_64, 1, _BASE, _HEADER_BYTES, table, 0, _HEADER_BYTES, _PROGRAM_BYTES, 1, _SECTION_BYTES, 3, 2,
    )  # fmt: skip
    program = struct.pack(
        "<IIQQQQQQ", _LOAD, _READ_WRITE, start, _BASE + start, _BASE + start, len(content), len(content), 16
    )
    sections = bytes(_SECTION_BYTES)
    sections += struct.pack(
        "<IIQQQQIIQQ", 1, _PROGBITS, _ALLOCATED_WRITABLE, _BASE + start, start, len(content), 0, 0, 16, 0
    )
    sections += struct.pack(
        "<IIQQQQIIQQ", 2 + len(section), _STRTAB, 0, 0, start + len(content), len(names), 0, 0, 1, 0
    )
    return (header + program).ljust(start, b"\0") + content + names + sections
