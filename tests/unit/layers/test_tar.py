"""Tar headers, extensions and names: every form that two readers could read differently (attacks L07, L08)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.errors import GateError, ImageError
from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.tar_stream import TarStream
from gate.model.digest import Digest
from tests.support.layers import GZIP, PLAIN, ZSTD, compressed, facts_of, raw_header, raw_tar, read_blobs
from tests.support.layers import descriptor as described
from tools.images.archive import Entry as ArchiveEntry
from tools.images.archive import directory, file, hardlink, pax_record, symlink, tar


class Listing:
    """Every entry of one tar, and the bodies of its files."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.bodies: list[bytes] = []

    def visit(self, entry: Entry) -> Sequence[BodySink]:
        self.entries.append(entry)
        return [Body(self.bodies)] if entry.kind is EntryKind.FILE else ()


class Body:
    def __init__(self, bodies: list[bytes]) -> None:
        self._bodies = bodies
        self._parts: list[bytes] = []

    def feed(self, piece: memoryview) -> None:
        self._parts.append(bytes(piece))

    def finish(self) -> None:
        self._bodies.append(b"".join(self._parts))


def listed(data: bytes, step: int = 1 << 20) -> Listing:
    listing = Listing()
    stream = TarStream(listing)
    for start in range(0, len(data), step):
        stream.feed(data[start : start + step])
    stream.finish()
    return listing


def refused(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        listed(data)
    assert caught.value.code == "IMG_LAYER_MALFORMED"
    assert caught.value.expected
    assert "byte " in caught.value.message
    return caught.value


def pax(*records: tuple[str, bytes], flag: bytes = b"x") -> bytes:
    body = b"".join(pax_record(key, value) for key, value in records)
    return raw_tar(raw_header(b"PaxHeaders/x", flag=flag, size=len(body)), body, end=b"")


def long_name(text: bytes, flag: bytes = b"L") -> bytes:
    return raw_tar(raw_header(b"././@LongLink", flag=flag, size=len(text), magic=b"ustar  \0"), text, end=b"")


GOOD = tar([
    directory("usr"), file("usr/tool", b"#!" * 700, mode=0o755, uid=7, gid=8), symlink("usr/link", "tool"),
    hardlink("usr/twin", "usr/tool"), file("n" * 140, b"long"), file("empty", b""), file("ümlaut", b"x"),
])  # fmt: skip


@pytest.mark.parametrize("step", [1, 100, 511, 512, 513, 4096, 1 << 20])
def test_entries_are_what_pythons_tarfile_reads_however_the_bytes_come(step: int) -> None:
    seen = listed(GOOD, step)
    with tarfile.open(fileobj=io.BytesIO(GOOD), errors="surrogateescape") as reference:
        members = reference.getmembers()
        bodies = [reference.extractfile(member) for member in members if member.isreg()]
        assert [body.read() for body in bodies if body] == seen.bodies
    expected = [(m.name.encode(), m.size, m.mode, m.uid, m.gid, int(m.mtime)) for m in members]
    assert [(e.path, e.size, e.mode, e.uid, e.gid, e.mtime) for e in seen.entries] == expected
    assert [entry.link for entry in seen.entries if entry.link] == [m.linkname.encode() for m in members if m.linkname]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_other_writers_are_read(form: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as writer:
        for name, size in (("a", 0), ("dir/" + "b" * 90, 600), ("c" * 60 + "/" + "d" * 60, 512)):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = size, 1_700_000_000
            writer.addfile(info, io.BytesIO(b"z" * size))
    seen = listed(out.getvalue())
    assert [(len(entry.path), entry.size) for entry in seen.entries] == [(1, 0), (94, 600), (121, 512)]


def test_a_pax_time_and_owner_count() -> None:
    block = raw_header(b"a")
    (entry,) = listed(pax(("mtime", b"12.5"), ("uid", b"3000000"), ("gid", b"4")) + block + bytes(1024)).entries
    assert (entry.mtime, entry.uid, entry.gid) == (12, 3_000_000, 4)


def test_base_256_numbers_are_read() -> None:
    size_field = b"\x80" + (5).to_bytes(11, "big")
    (entry,) = listed(raw_tar(raw_header(b"a", size_field=size_field), b"12345")).entries
    assert entry.size == 5


def test_positions_are_those_of_the_headers() -> None:
    assert [entry.position for entry in listed(tar([file("a", b"1"), file("b", b"")])).entries] == [0, 1024]


HEADERS = {
    "checksum": raw_header(b"a", checksum=1234),
    "no magic and a prefix": raw_header(b"a", magic=bytes(8), prefix=b"b"),
    "another magic": raw_header(b"a", magic=b"ustar\x0001"),
    "star format": raw_header(b"a", tail=b"\0" * 8 + b"tar\0"),
    "negative size": raw_header(b"a", size_field=b"\xff" * 12),
    "base-256 with high bits": raw_header(b"a", size_field=b"\x81" + bytes(11)),
    "base-256 over 63 bits": raw_header(b"a", size_field=b"\x80" + b"\xff" * 11),
    "no size": raw_header(b"a", size_field=b" " * 12),
    "size with a sign": raw_header(b"a", size_field=b"-0000000001\0"),
    "size with 8": raw_header(b"a", size_field=b"00000000008\0"),
    "size with underscore": raw_header(b"a", size_field=b"0000000_001\0"),
    "mode is text": raw_header(b"a", mode=b"rw-r--r-"),
    "number after NUL": raw_header(b"a", mode=b"644\x00644\0"),
    "sparse file": raw_header(b"a", flag=b"S", magic=b"ustar  \0"),
    "multi-volume": raw_header(b"a", flag=b"M", magic=b"ustar  \0"),
    "vendor type": raw_header(b"a", flag=b"A"),
    "GNU prefix that Go takes for a name": raw_header(b"status", magic=b"ustar  \0", prefix=b"var/lib/dpkg"),
    "GNU sparse map": raw_header(b"a", magic=b"ustar  \0", prefix=bytes(41) + b"1"),
    "directory with a body": raw_header(b"a/", flag=b"5", size=1),
    "link with a body": raw_header(b"a", flag=b"2", size=1, link=b"b"),
    "device with a body": raw_header(b"a", flag=b"3", size=1),
    "symbolic link to nothing": raw_header(b"a", flag=b"2"),
    "hard link to nothing": raw_header(b"a", flag=b"1"),
    "hard link out of the root": raw_header(b"a", flag=b"1", link=b"../../etc/passwd"),
}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_l07_a_header_that_readers_take_differently(name: str) -> None:
    assert listed(raw_tar(raw_header(b"a", size=3), b"abc")).bodies == [b"abc"]
    refused(raw_tar(HEADERS[name], b"x"))


NAMES = [b"../etc", b"a/../b", b"a/..", b"..", b"./../a", b"/../a", b"", b".", b"./", b"/", b"a/", b"a/.", b"a/b/"]


@pytest.mark.parametrize("name", NAMES)
def test_l08_a_name_that_leaves_or_hides_its_place(name: bytes) -> None:
    refused(raw_tar(raw_header(name)))


READ = [
    (b"./a", b"a"), (b"a", b"a"), (b"...", b"..."), (b"a/..b", b"a/..b"),
    # Cloud Native Buildpacks write names from the root on; others join folders that end in a slash.
    (b"/layers/app", b"layers/app"), (b"//etc", b"etc"), (b"a//b", b"a/b"), (b"a/./b", b"a/b"), (b"././a", b"a"),
    (b".//a", b"a"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path"), READ)
def test_l08_names_within_the_root_are_read(name: bytes, path: bytes) -> None:
    assert [entry.path for entry in listed(raw_tar(raw_header(name))).entries] == [path]


@pytest.mark.parametrize("name", [b".", b"./", b"/"])
def test_the_root_directory_may_be_an_entry(name: bytes) -> None:
    assert [entry.path for entry in listed(raw_tar(raw_header(name, flag=b"5"))).entries] == [b""]


@pytest.mark.parametrize(("length", "is_read"), [(255, True), (256, False)])
def test_l07_a_name_part_of_over_255_bytes(length: int, is_read: bool) -> None:  # noqa: FBT001 - a table
    data = pax(("path", b"d/" + b"a" * length)) + raw_header(b"a") + bytes(1024)
    if is_read:
        assert len(listed(data).entries[0].path) == length + 2
    else:
        refused(data)


@pytest.mark.parametrize(("count", "is_read"), [(2048, True), (2049, False)])
def test_l07_a_name_of_over_4096_bytes(count: int, is_read: bool) -> None:  # noqa: FBT001 - a table
    data = pax(("path", b"/".join([b"a"] * count))) + raw_header(b"a") + bytes(1024)
    if is_read:
        assert len(listed(data).entries[0].path) == 4095
    else:
        refused(data)


PAX = {
    "key twice": pax(("path", b"a"), ("path", b"b")),
    "empty path": pax(("path", b"")),
    "NUL in path": pax(("path", b"etc/os-release\0.txt")),
    "NUL in linkpath": pax(("linkpath", b"a\0b")),
    "sparse": pax(("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")),
    "two headers": pax(("path", b"a")) + pax(("path", b"b")),
    "size beside another in the header": pax(("size", b"1024")),
    "size that is no number": pax(("size", b"0x10")),
    "size with underscore": pax(("size", b"0_0")),
    "negative uid": pax(("uid", b"-1")),
    "mtime that is no time": pax(("mtime", b"now")),
    "global path": pax(("path", b"other"), flag=b"g"),
    "global size": pax(("size", b"0"), flag=b"g"),
    "pax and GNU name": pax(("mtime", b"1")) + long_name(b"b\0"),
    "GNU name and pax": long_name(b"b\0") + pax(("mtime", b"1")),
    "GNU name twice": long_name(b"b\0") + long_name(b"c\0"),
    "GNU name with NUL": long_name(b"b\0c\0"),
    "GNU name that is empty": long_name(b"\0"),
    "length too long": raw_tar(raw_header(b"x", flag=b"x", size=9), b"99 path=a", end=b""),
    "length too short": raw_tar(raw_header(b"x", flag=b"x", size=10), b"3 path=ab\n", end=b""),
    "length with a zero": raw_tar(raw_header(b"x", flag=b"x", size=10), b"010 path=\n", end=b""),
    "no newline": raw_tar(raw_header(b"x", flag=b"x", size=9), b"9 path=ab", end=b""),
    "no equals": raw_tar(raw_header(b"x", flag=b"x", size=7), b"7 path\n", end=b""),
    "no body": raw_header(b"x", flag=b"x"),
    "over a MiB": raw_header(b"x", flag=b"x", size=(1 << 20) + 1),
}


@pytest.mark.parametrize("name", sorted(PAX))
def test_l07_an_extension_that_readers_take_differently(name: str) -> None:
    good = pax(("comment", b"x"), flag=b"g") + pax(("path", b"b"), ("SCHILY.xattr.user.a", b"1"))
    assert [entry.path for entry in listed(good + raw_header(b"a") + bytes(1024)).entries] == [b"b"]
    refused(PAX[name] + raw_header(b"a") + bytes(1024))


def test_gnu_long_names_and_links_are_read() -> None:
    data = long_name(b"n" * 200 + b"\0") + long_name(b"t" * 150 + b"\0", b"K") + raw_header(b"n", flag=b"2", link=b"t")
    (entry,) = listed(data + bytes(1024)).entries
    assert (len(entry.path), len(entry.link)) == (200, 150)


def test_an_extension_speaks_of_one_entry_only() -> None:
    data = pax(("path", b"b")) + raw_header(b"a") + raw_header(b"c") + bytes(1024)
    assert [entry.path for entry in listed(data).entries] == [b"b", b"c"]


ENDS = {
    "half a block": bytes(700),
    "a part of a block": bytes(100),
    "an entry after the end": bytes(1024) + raw_header(b"a"),
    "a byte after the end": bytes(1024) + b"x",
    "a table of contents, then an entry": bytes(1024)
    + raw_header(b"stargz.index.json")
    + raw_header(b"a")
    + bytes(1024),
    "two tables of contents": bytes(1024)
    + raw_header(b"stargz.index.json")
    + bytes(1024)
    + raw_header(b"stargz.index.json"),
    "a table of contents after one zero block": bytes(512) + raw_header(b"stargz.index.json") + bytes(1024),
    "a table of contents that is a link": bytes(1024)
    + raw_header(b"stargz.index.json", flag=b"2", link=b"x")
    + bytes(1024),
    "a zero block, then an entry": bytes(512) + raw_header(b"a") + bytes(1024),
    "an extension without entry": pax(("path", b"b")) + bytes(1024),
    "a long name without entry": long_name(b"b\0") + bytes(1024),
    "an extension and then nothing": pax(("path", b"b")),
    "cut in an extension": pax(("path", b"b"))[:515],
    "cut in a header": raw_header(b"b")[:300],
    "cut in a body": raw_header(b"b", size=2000) + bytes(1024),
}


@pytest.mark.parametrize("name", sorted(ENDS))
def test_d11_a_tar_that_does_not_end_where_it_says(name: str) -> None:
    for zeros in (0, 512, 1024, 1536, 10240, 1025):
        assert len(listed(raw_tar(raw_header(b"a"), end=bytes(zeros))).entries) == 1
    refused(raw_tar(raw_header(b"a"), end=ENDS[name]))


@pytest.mark.parametrize("zeros", [1024, 1536, 10240])
def test_estargz_table_of_contents_behind_the_end_is_an_entry(zeros: int) -> None:
    appended = bytes(zeros) + raw_header(b"stargz.index.json", size=2) + b"{}" + bytes(510) + bytes(1024)
    read = listed(raw_tar(raw_header(b"a"), end=appended))
    assert [entry.path for entry in read.entries] == [b"a", b"stargz.index.json"]
    assert read.bodies == [b"", b"{}"]


@pytest.mark.parametrize("step", [1, 512, 1 << 20])
def test_a_tar_may_end_after_any_entry_without_its_padding(step: int) -> None:
    whole = raw_header(b"a") + raw_header(b"b", size=3) + b"abc"
    for end in (b"", bytes(100), bytes(509), bytes(509 + 512)):
        assert listed(whole + end, step).bodies == [b"", b"abc"]
    assert listed(b"", step).entries == []


def test_a_directory_of_version_7_is_one() -> None:
    block = raw_header(b"d/", flag=b"\0", magic=bytes(8))
    entries = listed(raw_tar(block, raw_header(b"d/a", flag=b"\0", magic=bytes(8)))).entries
    assert [(entry.path, entry.kind) for entry in entries] == [(b"d", EntryKind.DIRECTORY), (b"d/a", EntryKind.FILE)]


def test_l06_a_hard_link_may_have_its_files_size_and_has_no_body() -> None:
    data = raw_tar(raw_header(b"a", size=3), b"abc", raw_header(b"b", flag=b"1", size=3, link=b"a"), raw_header(b"c"))
    assert [(entry.path, entry.size) for entry in listed(data).entries] == [(b"a", 3), (b"b", 0), (b"c", 0)]


def test_l08_the_message_shows_foreign_text_escaped_and_cut() -> None:
    error = refused(raw_tar(raw_header(b"../\x1b[2J\n" + b"a" * 90)))
    assert error.seen.isprintable()
    assert len(error.seen) < 120


def mutated(data: bytes, changes: Sequence[tuple[int, int]], cut: int) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed[: len(changed) - cut % len(changed)])


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6)
SMALL = tar([
    directory("var/lib/dpkg"), file("var/lib/dpkg/status", "Package: a\nVersion: 1\nArchitecture: all\n"),
    file("etc/os-release", "ID=debian\nVERSION_ID=12\n"), file("etc/passwd", "root:x:0:0:::\n"),
    hardlink("b", "etc/passwd"), symlink("c", "b"), ArchiveEntry(name="p" * 120, pax=(("mtime", "1"),)),
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.integers(0, 100), st.sampled_from([PLAIN, GZIP, ZSTD]), st.booleans())
def test_l07_a_mutated_layer_gives_facts_or_a_gate_error(
    changes: list[tuple[int, int]],
    cut: int,
    media_type: str,
    outside: bool,  # noqa: FBT001 - drawn
) -> None:
    blob = (
        mutated(compressed(SMALL, media_type), changes, cut)
        if outside
        else compressed(mutated(SMALL, changes, cut), media_type)
    )
    try:
        read_blobs([(described(blob, media_type), blob)], [Digest.of(SMALL)])
    except GateError as error:
        refusal = error.code
    else:
        refusal = ""
    assert refusal in {"", "IMG_LAYER_MALFORMED", "IMG_DIFFID"}


def test_l14_a_long_chain_of_extensions_ends() -> None:
    data = pax(("comment", b"x" * 1000), flag=b"g") * 2000 + raw_header(b"a") + bytes(1024)
    assert len(listed(data).entries) == 1


def test_l08_nothing_is_written_beside_the_archive(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("sentinel")
    target = place / "owned"
    assert facts_of(tar([symlink("a", str(place)), file("b", b"x")])).files == 1
    with pytest.raises(ImageError) as caught:
        facts_of(tar([symlink("a", str(place)), file("a/owned", b"x")], sort=False))
    assert caught.value.code == "IMG_LAYER_MALFORMED"
    assert not target.exists()
