"""Bytes that the readers of a format skip: each is searched, in clear and compressed once more, or named (attacks L13, X07)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from tests.unit.secrets.test_packages import newc
from tests.unit.secrets.test_search import LINE, MIB, RULE, TOKEN, deb, search, tarred, zipped

FILLER = bytes(range(256)) * 8


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def frame(content: bytes, number: int = 0) -> bytes:
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + struct.pack("<I", len(content)) + content


def with_extra_field(extra: bytes) -> bytes:
    plain = gz(b"nothing to see\n")
    return plain[:3] + b"\x04" + plain[4:10] + struct.pack("<H", len(extra)) + extra + plain[10:]


def unlisted(content: bytes, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make an archive whose directory leaves its first member out."""
    both = zipped(("hidden.env", content), ("readme", FILLER), method=method)
    end = both.rindex(b"PK\x05\x06")
    at = struct.unpack("<I", both[end + 16 : end + 20])[0]
    second = both.index(b"PK\x01\x02", at + 4)
    count, size, offset = 1, end - second, at
    return (
        both[:at] + both[second:end] + b"PK\x05\x06" + bytes(4) + struct.pack("<HHIIH", count, count, size, offset, 0)
    )


def without_directory(content: bytes) -> bytes:
    return content[: content.index(b"PK\x01\x02")]


def old_tar(content: bytes) -> bytes:
    """Make a tar as before POSIX: without its mark."""
    header = bytearray(512)
    for at, text in ((0, b"app.env"), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0")):
        header[at : at + len(text)] = text
    header[124:136] = b"%011o\0" % len(content)
    header[136:148] = b"%011o\0" % 0
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512) + bytes(1024)


def tar_of_kind(content: bytes, kind: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("x")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    body = bytearray(target.getvalue())
    body[156:157] = kind
    body[148:156] = b" " * 8
    body[148:156] = b"%06o\0 " % sum(body[:512])
    return bytes(body)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


ELF = b"\x7fELF\x02\x01\x01" + bytes(200) + FILLER
SCRIPT = b"#!/bin/sh\nexec tail -n +4 $0 | tar xz\nexit\n"

SKIPPED: dict[str, Callable[[bytes], bytes]] = {
    "behind gzip": lambda text: gz(b"first\n") + text,
    "behind gzip and zeros": lambda text: gz(b"first\n") + bytes(700) + text,
    "extra field of gzip": with_extra_field,
    "extra field of the second member": lambda text: gz(b"x") + with_extra_field(text),
    "behind xz": lambda text: lzma.compress(b"first\n") + text,
    "behind bzip2": lambda text: bz2.compress(b"first\n") + text,
    "behind lzma": lambda text: lzma.compress(b"first\n" * 90, format=lzma.FORMAT_ALONE) + text,
    "behind zstd": lambda text: zstandard.compress(b"first\n" * 90) + text,
    "behind lz4": lambda text: lz4.frame.compress(b"first\n" * 90) + text,
    "frame before zstd": lambda text: frame(text) + zstandard.compress(b"first\n" * 90),
    "frame between zstd": lambda text: zstandard.compress(b"a" * 90) + frame(text, 7) + zstandard.compress(b"b" * 90),
    "frame behind zstd": lambda text: zstandard.compress(b"a" * 90) + frame(text, 15),
    "frame before lz4": lambda text: frame(text) + lz4.frame.compress(b"first\n" * 90),
    "frame behind lz4": lambda text: lz4.frame.compress(b"a" * 90) + frame(text, 3) + lz4.frame.compress(b"b" * 90),
    "member that a directory leaves out": unlisted,
    "stored member that a directory leaves out": lambda text: unlisted(text, method=zipfile.ZIP_STORED),
    "zip without a directory": lambda text: without_directory(zipped(("a.env", text), ("b", FILLER))),
    "before zip": lambda text: text + zipped(("a", b"x")),
    "behind zip": lambda text: zipped(("a", b"x")) + text,
    "comment of zip": lambda text: zipped(("a", b"x"))[:-2] + struct.pack("<H", len(text)) + text,
    "behind tar": lambda text: tarred("a", b"x") + text,
    "behind tar in a block": lambda text: tarred("a", b"x") + padded(text),
    "unknown kind of tar": lambda text: tar_of_kind(text, b"Z"),
    "old tar": old_tar,
    "behind deb": lambda text: deb(tarred("a", b"x")) + text,
    "behind cpio": lambda text: newc(b"a", b"x") + newc(b"TRAILER!!!", b"") + text,
    "behind a git object": lambda text: zlib.compress(b"blob 1\0x") + text,
    "behind a script": lambda text: SCRIPT + text,
    "behind a program": lambda text: ELF + text,
    "in a program": lambda text: ELF + text + ELF,
    "behind a picture": lambda text: b"\x89PNG\r\n\x1a\n" + FILLER + text,
    "behind a certificate": lambda text: b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n" + text,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "in clear": lambda text: text,
    "gzip": gz,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "zip": lambda text: zipped(("etc/app.env", text)),
    "tar in gzip": lambda text: gz(tarred("etc/app.env", text)),
}


def name_of(where: str) -> str:
    return f"src/.git/objects/ab/{'c' * 38}" if "git" in where and "object" in where else "srv/app/data.bin"


@pytest.mark.parametrize("piece", [None, 4096])
@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("where", SKIPPED)
def test_a_secret_in_what_a_format_skips_is_found(
    where: str, pack: Callable[[bytes], bytes], piece: int | None
) -> None:
    hits, unopened = search(SKIPPED[where](pack(LINE * 4)), name_of(where), piece)
    assert {(hit.rule, hit.value) for hit in hits} == {(RULE, TOKEN)}
    assert unopened == []


@pytest.mark.parametrize("where", SKIPPED)
def test_the_same_without_a_secret_finds_and_names_nothing(where: str) -> None:
    assert search(SKIPPED[where](gz(b"nothing to see here\n" * 4)), name_of(where)) == ([], [])


@pytest.mark.parametrize("offset", [0, 300_000, MIB - 7, MIB, 3 * MIB + 11])
def test_an_archive_behind_a_large_program(offset: int) -> None:
    content = b"\x7fELF" + bytes(offset) + gz(tarred("etc/app.env", LINE))
    hits, unopened = search(content, "usr/bin/tool", 64 * 1024)
    assert ([hit.value for hit in hits], unopened) == ([TOKEN], [])


@pytest.mark.parametrize(
    "mark",
    [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x28\xb5\x2f\xfd\x20", b"BZh91AY&SY", b"\xfd7zXZ\0\0\x01", b"ustar\x0000"],
)
def test_a_mark_that_stands_in_a_program_by_chance_is_not_named(mark: bytes) -> None:
    assert search(ELF + (mark + FILLER) * 50, "usr/lib/libmagic.so") == ([], [])


def test_a_stream_that_is_cut_behind_a_script_is_named() -> None:
    cut = gz(bytes(range(251)) * 4000 + LINE)
    content = SCRIPT + gzip.compress(bytes(300_000) + FILLER * 200, mtime=0)[:-20]
    assert cut
    assert [reason for _, reason in search(content, "srv/install.run")[1]] == ["the gzip stream ends early"]
