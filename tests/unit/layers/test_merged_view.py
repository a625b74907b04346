"""Layers over each other: whiteouts, replacements, links (attacks L04, L05, L06)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import ImageError
from gate.layers.entry import EntryKind
from gate.layers.merged_view import MergedView
from gate.layers.tar_stream import TarStream
from tests.support.layers import facts_of, raw_header, raw_tar
from tools.images.archive import Entry, Kind, directory, file, hardlink, opaque, symlink, tar, whiteout

SUID = 0o4755


class Adding:
    def __init__(self, view: MergedView) -> None:
        self._view = view

    def visit(self, entry: object) -> tuple[()]:
        self._view.add(entry)  # type: ignore[arg-type] # TarStream gives entries
        return ()


def view_of(*tars: bytes) -> MergedView:
    view = MergedView()
    for data in tars:
        view.begin_layer()
        stream = TarStream(Adding(view))
        stream.feed(data)
        stream.finish()
        view.end_layer()
    return view


def paths(view: MergedView) -> set[str]:
    return {(folder + b"/" + name if folder else name).decode() for folder, name, _ in view.files()}


def refused(*tars: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        view_of(*tars)
    assert caught.value.code == "IMG_LAYER_MALFORMED"
    return caught.value


def ordered(*entries: Entry) -> bytes:
    return tar(entries, sort=False)


BASE = tar([file("a/b/one", b"1"), file("a/b/two", b"2"), file("a/top", b"t"), file("other", b"o")])


def test_layers_lie_over_each_other() -> None:
    view = view_of(BASE, tar([file("a/b/one", b"new", mode=0o600), file("a/c/three", b"3")]))
    assert paths(view) == {"a/b/one", "a/b/two", "a/c/three", "a/top", "other"}
    node = view.find(b"a/b/one")
    assert node is not None
    assert (node.layer, node.mode) == (1, 0o600)


def test_l05_a_whiteout_removes_a_file_or_a_whole_directory() -> None:
    assert paths(view_of(BASE, tar([whiteout("a/top")]))) == {"a/b/one", "a/b/two", "other"}
    assert paths(view_of(BASE, tar([whiteout("a/b")]))) == {"a/top", "other"}


def test_l05_a_whiteout_of_nothing_removes_nothing() -> None:
    assert paths(view_of(BASE, tar([whiteout("a/none"), whiteout("x/y")]))) == paths(view_of(BASE))


def test_l05_a_later_layer_may_write_again_what_was_removed() -> None:
    view = view_of(BASE, tar([whiteout("a")]), tar([file("a/b/one", b"again")]))
    assert paths(view) == {"a/b/one", "other"}


@pytest.mark.parametrize("first", [True, False])
def test_l05_an_opaque_marker_removes_what_is_below_wherever_it_stands(first: bool) -> None:  # noqa: FBT001 - a table
    new = (file("a/b/three", b"3"), file("a/d/four", b"4"))
    layer = ordered(opaque("a"), *new) if first else ordered(*new, opaque("a"))
    assert paths(view_of(BASE, layer)) == {"a/b/three", "a/d/four", "other"}


def test_l05_an_opaque_root_removes_everything_below() -> None:
    assert paths(view_of(BASE, ordered(opaque(""), file("new", b"")))) == {"new"}


def test_l05_nested_opaque_markers_agree() -> None:
    assert paths(view_of(BASE, ordered(opaque("a/b"), file("a/b/x", b""), opaque("a"), file("a/y", b"")))) == {
        "a/b/x", "a/y", "other",
    }  # fmt: skip


BOTH = [
    (file("a/top", b"x"), whiteout("a/top")),
    (directory("a/b"), whiteout("a/b")),
    (file("a/b/new", b"x"), whiteout("a/b")),
    (file("new", b"x"), whiteout("new")),
]


@pytest.mark.parametrize("pair", BOTH)
def test_l05_a_path_and_its_whiteout_in_one_layer_either_order(pair: tuple[Entry, Entry]) -> None:
    refused(BASE, ordered(*pair))
    refused(BASE, ordered(*reversed(pair)))


@pytest.mark.parametrize(
    "name",
    [
        ".wh.",
        "var/lib/dpkg/.wh.",
        "var/.wh..",
        "var/.wh...",
        ".wh..wh.plnk",
        "a/.wh..wh.aufs",
        "a/.wh..wh.x",
        ".wh.a/b",
    ],
)
def test_l04_a_whiteout_that_hides_more_than_it_names(name: str) -> None:
    assert paths(view_of(BASE, tar([whiteout("a/top")])))
    refused(BASE, tar([file(name, b"")]))


@pytest.mark.parametrize(
    "entry",
    [
        file("a/.wh.top", b"x"),
        Entry(name="a/.wh.top", kind=Kind.DIRECTORY),
        Entry(name="a/.wh.top", kind=Kind.SYMLINK, target="x"),
        Entry(name="a/.wh.top", kind=Kind.CHARACTER_DEVICE),
        file("a/.wh..wh..opq", b"x"),
        Entry(name="a/.wh..wh..opq", kind=Kind.DIRECTORY),
    ],
)
def test_l04_a_whiteout_that_is_no_empty_file(entry: Entry) -> None:
    refused(BASE, tar([entry]))


@pytest.mark.parametrize(
    "entries",
    [
        (file("etc/os-release", b"1"), file("etc/os-release", b"2")),
        (file("x", b""), directory("x")),
        (directory("x"), file("x", b"")),
        (directory("x"), symlink("x", "y")),
        (file("x/y", b""), file("x", b"")),
        (whiteout("a/top"), whiteout("a/top")),
        (opaque("a"), opaque("a")),
    ],
)
def test_l07_a_path_twice_in_one_layer(entries: tuple[Entry, ...]) -> None:
    refused(ordered(*entries))
    for entry in entries:
        view_of(ordered(entry))


@pytest.mark.parametrize("last", [directory("x"), directory("x", mode=0o2775), directory("x", uid=1)])
def test_builders_may_repeat_a_directory_and_the_last_rights_and_owner_count(last: Entry) -> None:
    view = view_of(ordered(file("x/y", b""), directory("x"), last))
    assert paths(view) == {"x/y"}
    node = view.find(b"x")
    assert node is not None
    assert (node.mode, node.uid) == (last.mode, last.uid)


@pytest.mark.parametrize("above", [file("x", b""), symlink("x", "/etc")])
def test_l08_an_entry_below_a_file_or_link_of_its_layer(above: Entry) -> None:
    refused(ordered(above, file("x/y", b"")))
    assert paths(view_of(ordered(above), ordered(file("x/y", b"")))) == {"x/y"}


def test_a_directory_that_becomes_a_file_loses_what_it_held() -> None:
    assert paths(view_of(BASE, tar([file("a", b"file")]))) == {"a", "other"}


def test_a_file_that_becomes_a_directory() -> None:
    view = view_of(tar([file("x", b"")]), tar([directory("x"), file("x/y", b"")]))
    assert paths(view) == {"x/y"}


def test_l06_a_hard_link_is_a_name_of_its_target() -> None:
    view = view_of(ordered(file("usr/bin/su", b"x", mode=SUID, uid=3), hardlink("tmp/.x", "usr/bin/su")))
    node = view.find(b"tmp/.x")
    assert node is not None
    assert (node.kind, node.mode, node.uid, node.is_hardlink) == (EntryKind.FILE, SUID, 3, True)


def test_l06_a_hard_link_reaches_into_lower_layers() -> None:
    assert view_of(BASE, ordered(hardlink("link", "a/top"))).find(b"link") is not None


def test_l06_kaniko_writes_hard_links_absolute() -> None:
    data = raw_tar(raw_header(b"a"), raw_header(b"b", flag=b"1", link=b"/a"))
    assert paths(view_of(data)) == {"a", "b"}


@pytest.mark.parametrize("target", ["none", "a", "a/none"])
def test_l06_a_hard_link_to_nothing_or_to_a_directory(target: str) -> None:
    refused(BASE, ordered(hardlink("link", target)))


def test_l06_a_hard_link_may_name_a_symbolic_link_or_a_pipe() -> None:
    pipe = Entry(name="pipe", kind=Kind.CHARACTER_DEVICE)
    view = view_of(BASE, ordered(symlink("sym", "other"), hardlink("link", "sym"), pipe, hardlink("twin", "pipe")))
    link, twin = view.find(b"link"), view.find(b"twin")
    assert link is not None
    assert twin is not None
    assert (link.kind, link.link, twin.kind) == (EntryKind.SYMLINK, b"other", EntryKind.DEVICE)


def test_l06_a_hard_link_to_another_name_of_the_same_file() -> None:
    view = view_of(ordered(file("a", b"", mode=SUID), hardlink("b", "a"), hardlink("c", "b")))
    node = view.find(b"c")
    assert node is not None
    assert node.mode == SUID


def test_l06_a_hard_link_through_a_linked_folder_of_a_lower_layer() -> None:
    base = tar([file("usr/bin/perl", b"", mode=0o755), symlink("bin", "usr/bin")])
    assert view_of(base, ordered(hardlink("opt/perl", "bin/perl"))).find(b"opt/perl") is not None
    refused(base, ordered(hardlink("opt/perl", "bin/none")))


MERGED = tar([
    file("usr/bin/su", b"", mode=SUID), file("etc/passwd", b""), symlink("bin", "usr/bin"), symlink("conf", "/etc"),
])  # fmt: skip


def test_a_layer_without_directories_over_a_linked_folder_reads_as_the_scanners_do() -> None:
    view = view_of(MERGED, ordered(file("bin/tool", b"")))
    assert paths(view) == {"usr/bin/su", "etc/passwd", "conf", "bin/tool"}


@pytest.mark.parametrize(
    "entry", [file("conf/passwd", b"x"), file("bin/su", b""), symlink("conf/passwd", "x"), whiteout("conf/passwd")]
)
def test_l05_an_entry_that_replaces_a_file_for_one_runtime_and_not_for_another(entry: Entry) -> None:
    refused(MERGED, ordered(entry))
    refused(MERGED, ordered(file("conf/other", b""), file("bin/other", b"")), ordered(entry))
    if entry.kind is not Kind.WHITEOUT:
        # With the directory as an entry every runtime puts it in the link's place.
        folder = entry.name.partition("/")[0]
        assert entry.name in paths(view_of(MERGED, ordered(directory(folder), entry)))


def test_l06_a_hard_link_before_its_target() -> None:
    refused(ordered(hardlink("link", "late"), file("late", b"")))


def test_l06_rights_of_a_link_count_beside_those_of_its_target() -> None:
    link = Entry(name="tmp/x", kind=Kind.HARDLINK, target="a", mode=SUID)
    facts = facts_of(ordered(file("a", b"", mode=0o755), link))
    assert [(one.path, one.mode) for one in facts.privileged_files] == [("tmp/x", SUID)]


LINKS = tar([
    file("usr/lib/os-release", b""), symlink("etc/os-release", "../usr/lib/os-release"), symlink("lib", "usr/lib"),
    symlink("abs", "/lib/os-release"), symlink("up", "../../../../lib/./os-release"), symlink("loop", "loop2"),
    symlink("loop2", "loop"), symlink("nowhere", "/none"), symlink("through", "abs/below"),
])  # fmt: skip


@pytest.mark.parametrize("path", [b"etc/os-release", b"abs", b"up", b"lib/os-release"])
def test_symbolic_links_are_resolved_inside_the_root(path: bytes) -> None:
    resolved = view_of(LINKS).resolve(path)
    assert resolved is not None
    assert (resolved.path, resolved.via_link) == (b"usr/lib/os-release", True)


@pytest.mark.parametrize("path", [b"loop", b"nowhere", b"through", b"usr/lib/os-release/x", b"none"])
def test_symbolic_links_that_lead_nowhere(path: bytes) -> None:
    assert view_of(LINKS).resolve(path) is None


@pytest.mark.parametrize(("count", "is_found"), [(40, True), (41, False)])
def test_at_most_40_links_are_followed(count: int, is_found: bool) -> None:  # noqa: FBT001 - a table
    chain = [symlink(f"l{number}", f"l{number + 1}") for number in range(count)]
    view = view_of(tar([*chain, file(f"l{count}", b"")]))
    assert (view.resolve(b"l0") is not None) is is_found


def test_a_path_without_links_resolves_to_itself() -> None:
    resolved = view_of(BASE).resolve(b"a/top")
    assert resolved is not None
    assert (resolved.path, resolved.via_link) == (b"a/top", False)


def test_directories_as_deep_as_names_allow() -> None:
    deep = "/".join(["d"] * 2047)
    view = view_of(tar([file(deep, b"")]), tar([opaque("d")]))
    assert paths(view) == set()


NAMES = ["a", "b", "a/a", "a/b", "b/a", "a/b/a", "a/b/b", "b/a/b"]
KINDS = st.sampled_from(["file", "directory", "whiteout", "opaque"])
STEPS = st.lists(st.tuples(KINDS, st.sampled_from(NAMES)), max_size=4, unique_by=lambda step: step[1])


def model(layers: list[list[tuple[str, str]]]) -> set[str] | None:
    """Return the files by the text of the OCI specification, over plain sets; None where a layer contradicts itself."""
    files: set[str] = set()
    for steps in layers:
        written = {name for kind, name in steps if kind in {"file", "directory"}}
        parents = {parent for name in written for parent in parents_of(name)}
        new_files = {name for kind, name in steps if kind == "file"}
        hidden = {name for kind, name in steps if kind == "whiteout"}
        if new_files & parents or hidden & (written | parents):
            return None
        emptied = {name for kind, name in steps if kind == "opaque"}
        gone = {one for one in files if hidden & {one, *parents_of(one)} or emptied & set(parents_of(one))}
        gone |= {one for one in files if one in written | parents or new_files & set(parents_of(one))}
        files = (files - gone) | new_files
    return files


def parents_of(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


MAKERS = {"file": lambda name: file(name, b""), "directory": directory, "whiteout": whiteout, "opaque": opaque}


@given(st.lists(STEPS, max_size=4))
def test_l05_layers_give_what_the_specification_says_or_are_refused(layers: list[list[tuple[str, str]]]) -> None:
    expected = model(layers)
    tars = [ordered(*(MAKERS[kind](name) for kind, name in steps)) for steps in layers]
    if expected is None:
        refused(*tars)
    else:
        assert paths(view_of(*tars)) == expected
