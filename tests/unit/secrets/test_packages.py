"""Packages of rpm, archives of cpio, archives behind scripts, and what is only named as unopened (attacks X07, L13, L14)."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from gate.secrets.examples import ExampleMaker
from tests.unit.secrets.test_search import LINE, RULE, TOKEN, only, search, zipped

MIB = 1024 * 1024
END = b"TRAILER!!!"
FILE, LINK = 0o100644, 0o120777


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def newc(name: bytes, content: bytes, mode: int = FILE, magic: bytes = b"070701") -> bytes:
    numbers = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    return padded(magic + b"".join(b"%08x" % number for number in numbers) + name + b"\0") + padded(content)


def odc(name: bytes, content: bytes, mode: int = FILE) -> bytes:
    head = b"".join(b"%06o" % number for number in (1, 1, mode, 0, 0, 1, 0))
    return b"070707" + head + b"%011o%06o%011o" % (0, len(name) + 1, len(content)) + name + b"\0" + content


def archive(*members: bytes, end: bytes = newc(END, b"")) -> bytes:
    whole = b"".join(members) + end
    return whole + bytes(-len(whole) % 512)


def rpm(payload: bytes) -> bytes:
    """Return a package as `rpmbuild` writes it, with one tag in each header: lead, signature, header, payload."""

    def header(store: bytes) -> bytes:
        return (
            b"\x8e\xad\xe8\x01"
            + bytes(4)
            + struct.pack(">II", 1, len(store))
            + struct.pack(">IIII", 1000, 6, 0, 1)
            + store
        )

    signature = header(b"signed\0")
    return (
        b"\xed\xab\xee\xdb\x03\0".ljust(96, b"\0")
        + signature
        + bytes(-len(signature) % 8)
        + header(b"shop\0")
        + payload
    )


INSIDE = archive(newc(b"./opt", b"", 0o40755), newc(b"./opt/a.conf", LINE))


@pytest.mark.parametrize("piece", [None, 7])
@pytest.mark.parametrize(
    "content",
    [
        INSIDE,
        archive(newc(b"./opt/a.conf", LINE, magic=b"070702")),
        archive(odc(b"./opt/a.conf", LINE), end=odc(END, b"")),
        INSIDE + archive(newc(b"b", b"x")),
        archive(newc(b"b", b"x")) + INSIDE,
    ],
)
def test_x07_in_an_archive_of_cpio(content: bytes, piece: int | None) -> None:
    assert only(content, "boot/x.img", piece).where.chain == ("./opt/a.conf",)


def test_x07_an_initial_file_system_whose_second_archive_is_compressed() -> None:
    hit = only(archive(newc(b"kernel/x86", b"microcode")) + lzma.compress(INSIDE), "boot/initrd.img")
    assert hit.where.chain == ("rest", "xz", "./opt/a.conf")


def test_x09_names_and_links_in_cpio() -> None:
    # What needs a border before it does not show in the archive itself, where digits stand there.
    name = ExampleMaker("cpio").fill("glpat-{{alnum:20}}").encode()
    ((hit,), _) = search(archive(newc(name, b"", 0o40755)), "a.img")
    assert (hit.value, hit.where.chain) == (name, ("cpio header",))
    assert only(gzip.compress(archive(newc(b"opt/a", TOKEN, LINK)), mtime=0), "a.gz").where.chain == (
        "a",
        "cpio header",
    )


COMPRESSIONS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".zst", zstandard.compress),
    (".bz2", bz2.compress),
    (".lzma", lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE)),
]


@pytest.mark.parametrize(("ending", "compress"), COMPRESSIONS)
def test_x07_in_a_package_of_rpm(ending: str, compress: Callable[[bytes], bytes]) -> None:
    chain = only(rpm(compress(INSIDE)), "srv/shop.rpm").where.chain
    assert chain == tuple(dict.fromkeys((f"payload.cpio{ending}", "payload.cpio", "./opt/a.conf")))


def test_a_header_of_rpm_without_payload_hides_nothing() -> None:
    assert search(rpm(b"")) == ([], [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.lzma", lzma.compress(LINE, format=lzma.FORMAT_ALONE)),
        ("log.lz4", lz4.frame.compress(LINE)),
        ("log.lz4", lz4.frame.compress(b"first\n" * 200_000) + lz4.frame.compress(LINE)),
    ],
)
@pytest.mark.parametrize("piece", [None, 7])
def test_x07_one_compressed_file(name: str, content: bytes, piece: int | None) -> None:
    assert only(content, name, piece).where.chain == ("log",)


@pytest.mark.parametrize("name", ["app.jar", "app.pyz", "app.pex"])
def test_x07_an_archive_behind_a_script(name: str) -> None:
    script = b"#!/bin/sh\nexec java -jar $0\n"
    assert only(script + zipped(("config.yml", LINE)), f"srv/{name}").where.chain == ("config.yml",)
    assert search(script, f"srv/{name}") == ([], [])


DAMAGED: list[tuple[str, bytes, str]] = [
    ("cut cpio", INSIDE[:250], "the cpio archive ends within a member"),
    ("no end of cpio", newc(b"a", b"x"), "the cpio archive is damaged"),
    ("garbage in cpio", newc(b"a", b"x") + b"garbage" * 30, "the cpio archive is damaged"),
    ("long name", newc(b"a" * (65 * 1024), b""), "the cpio archive is damaged"),
    ("cut lz4", lz4.frame.compress(LINE * 50)[:-12], "the lz4 stream ends early"),
    ("garbage in lz4", lz4.frame.compress(LINE)[:20] + bytes(range(200)), "the lz4 stream is damaged"),
    ("cut rpm", rpm(INSIDE)[:110], "the rpm package is damaged"),
    ("no header of rpm", rpm(INSIDE)[:96] + bytes(200), "the rpm package is damaged"),
    ("payload of rpm", rpm(bytes(range(256)) * 4), "the payload of the rpm package is in a form that is not read"),
]


@pytest.mark.parametrize(("content", "reason"), [pytest.param(*rest, id=name) for name, *rest in DAMAGED])
def test_l13_a_damaged_package_is_said(content: bytes, reason: str) -> None:
    hits, unopened = search(content)
    # A short text is stored as it is, so that it is found in the bytes.
    assert ({hit.rule for hit in hits} <= {RULE}, [why for _, why in unopened]) == (True, [reason])


def test_l14_a_package_that_is_a_bomb_ends_at_its_limit() -> None:
    bomb = archive(newc(b"a", bytes(200 * MIB)))
    _, ((_, reason),) = search(rpm(lzma.compress(bomb, preset=0)))
    assert reason == "it unfolds to more than 200 times its size"


UNREAD: list[tuple[str, bytes, str]] = [
    ("a.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    ("a.rar", b"Rar!\x1a\x07\x01\0", "a RAR archive"),
    ("a.cab", b"MSCF\0\0\0\0", "a cabinet"),
    ("a.msi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an installer of Windows"),
    ("a.pkg", b"xar!\0\x1c\0\1", "a xar archive"),
    ("a.lz4", b"\x02\x21\x4c\x18", "what is in the form of old lz4"),
    ("a.lz", b"LZIP\x01", "what is in the form of lzip"),
    ("a.lzo", b"\x89LZO\0\r\n\x1a\n", "what is in the form of lzop"),
    ("a.Z", b"\x1f\x9d\x90", "what is in the form of compress"),
    ("a.snap", b"hsqs" + bytes(24) + b"\x04\0\0\0", "what is in the form of squashfs"),
]


@pytest.mark.parametrize(("name", "head", "what"), UNREAD)
def test_l13_what_is_not_opened_is_named(name: str, head: bytes, what: str) -> None:
    assert search(head.ljust(700, b"\x55"), name) == ([], [(name, f"{what} is not opened")])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.csv", b"070701,12\n070702,13\n" * 20),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(700, b"\x55")),
        ("a.bin", b"\x1f\x9d".ljust(700, b"\x55")),
        ("a.bin", b"]\0\0\x03\0".ljust(700, b"\x55")),
        ("a.txt", b"hsqs is the mark of a file system\n" * 20),
        ("a.txt", b"LZIP is a program\nMSCF is a mark\n" * 20),
    ],
)
def test_what_only_begins_alike_is_no_container(name: str, content: bytes) -> None:
    assert search(content, name) == ([], [])
