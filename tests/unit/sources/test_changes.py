"""What a change leaves alone: every byte outside the references, and what the file means otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import EvidenceError
from gate.model.digest import Digest
from gate.model.found_reference import FoundReference, ReferenceState
from gate.sources.changes import (
    Change,
    Edit,
    apply_edits,
    change_file,
    pin_image,
    pin_revision,
    unpin_image,
    unpin_revision,
)
from gate.sources.files import read_source
from gate.sources.text import SourceText
from tests.support.sources import ROOT

DIGEST = Digest(f"sha256:{'ab' * 32}")
OTHER = Digest(f"sha256:{'cd' * 32}")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = [
    path
    for path in sorted((ROOT / "fixtures" / "refs").rglob("*"))
    if path.is_file()
    and path.name not in {"README.md", "expected.txt", ".env", "not-compose.yml", "Dockerfile.dockerignore"}
]


def read(path: str, data: bytes) -> SourceText:
    source = SourceText(path, data)
    read_source(source)
    return source


def outside(source: SourceText) -> list[bytes]:
    """Return the bytes between the references."""
    spans = sorted(found.span for found in source.found)
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), len(source.data)]
    return [source.data[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


def changed(source: SourceText, change: Callable[[FoundReference], Change | None]) -> SourceText:
    return change_file(source, [made for found in source.found if (made := change(found)) is not None])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "fixtures" / "refs")))
def test_pin_update_and_unpin_leave_every_other_byte(path: Path) -> None:
    before = read(str(path), path.read_bytes())
    pinned = changed(before, lambda found: pin_image(found, DIGEST))
    assert outside(pinned) == outside(before)
    fixable = [
        found for found in before.found if found.state is ReferenceState.MUTABLE and found.fixable and found.image
    ]
    assert [found.state for found in pinned.found if found.fixable and found.image] == [ReferenceState.PINNED] * sum(
        found.fixable and found.image is not None for found in before.found
    )
    assert changed(pinned, lambda found: pin_image(found, DIGEST)).data == pinned.data
    moved = changed(pinned, lambda found: pin_image(found, OTHER))
    assert outside(moved) == outside(before)
    assert str(DIGEST).encode() not in moved.data
    unpinned = changed(moved, unpin_image)
    if all(found.image and found.image.tag for found in fixable) and not any(
        "@sha" in found.text for found in before.found
    ):
        assert unpinned.data == before.data


blanks = st.sampled_from(["", " ", "  ", "\t"])
names = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,5})?(:[a-z0-9]{1,6})?", fullmatch=True)
quotes = st.sampled_from(["", "'", '"'])
ends = st.sampled_from(["\n", "\r\n"])


@given(
    st.lists(
        st.tuples(names, quotes, blanks, st.sampled_from(["", " # c: é", " # image: x:1"])), min_size=1, max_size=6
    ),
    ends,
)
def test_a_generated_manifest_keeps_its_bytes(items: list[tuple[str, str, str, str]], end: str) -> None:
    lines = ["apiVersion: v1", "kind: Pod", "spec:", "  containers:"]
    lines += [f"  - image: {blank}{quote}{name}{quote}{comment}" for name, quote, blank, comment in items]
    before = read("a.yaml", end.join(lines).encode())
    assert [found.value for found in before.found] == [name for name, *_ in items]
    after = changed(before, lambda found: pin_image(found, DIGEST))
    assert outside(after) == outside(before)
    assert all(found.state is ReferenceState.PINNED for found in after.found)


@given(st.lists(st.tuples(names, blanks, st.booleans()), min_size=1, max_size=5), ends, st.sampled_from(["", "\ufeff"]))
def test_a_generated_dockerfile_keeps_its_bytes(items: list[tuple[str, str, bool]], end: str, mark: str) -> None:
    lines = [
        f"{blank}FROM {blank}{name}{' AS s' + str(at) if alias else ''}"
        for at, (name, blank, alias) in enumerate(items)
    ]
    data = mark.encode() + end.join([*lines, "RUN echo \\", "  FROM x", ""]).encode()
    before = read("Dockerfile", data)
    after = changed(before, lambda found: pin_image(found, DIGEST))
    assert outside(after) == outside(before)
    assert len(after.found) == len(before.found) == sum(name != "scratch" for name, *_ in items)


STEPS = "jobs: {{j: {{steps: [{{uses: x/y@{commit}}}]}}}}\n"


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("- uses: a/b@v1", f"- uses: a/b@{COMMIT} # v1"),
        ("- uses: 'a/b@v1'   ", f"- uses: 'a/b@{COMMIT}' # v1   "),
        ("- uses: a/b@v1 # why", f"- uses: a/b@{COMMIT} # v1 # why"),
        ("- uses: a/b@v1 # v0.9 # why", f"- uses: a/b@{COMMIT} # v1 # why"),
        ("- uses: a/b@v1 #v0", f"- uses: a/b@{COMMIT} #v1"),
        ("- {uses: a/b@v1}", f"- {{uses: a/b@{COMMIT}}} # v1"),
        ("- {uses: a/b@v1, with: {x: y}}", f"- {{uses: a/b@{COMMIT}, with: {{x: y}}}}"),
    ],
)
def test_an_action_gets_its_commit_and_keeps_its_tag_as_a_comment(line: str, pinned: str) -> None:
    text = "jobs:\r\n  j:\r\n    steps:\r\n    {}\r\n    - run: x\r\n"
    before = read(".github/workflows/a.yml", text.format(line).encode())
    change = pin_revision(before.found[0], before.data, COMMIT, "v1")
    assert change is not None
    after = change_file(before, [change])
    assert after.data == text.format(pinned).encode()
    again = pin_revision(after.found[0], after.data, COMMIT, "v1")
    assert again is not None
    assert change_file(after, [again]).data == after.data
    if after.found[0].comment == "v1":
        back = unpin_revision(after.found[0], after.data)
        assert back is not None
        assert b"@v1" in change_file(after, [back]).data
        assert COMMIT.encode() not in change_file(after, [back]).data


def test_a_change_that_would_alter_something_else_is_refused() -> None:
    before = read("Dockerfile", b"FROM a:1\nFROM b:1\n")
    found = before.found[0]
    for text in ("a:1 AS b", "x:1\nFROM y", "b:1"):
        wrong = Change(found, f"a:1@{DIGEST}", (Edit(found.span.start, found.span.end, text),), "fixed")
        with pytest.raises(EvidenceError, match="left as it was") as caught:
            change_file(before, [wrong])
        assert caught.value.code == "REF_NOT_FIXED"
    right = pin_image(found, DIGEST)
    assert right is not None
    assert change_file(before, [right]).found[0].value == f"a:1@{DIGEST}"


def test_a_change_that_alters_a_value_beside_the_reference_is_refused() -> None:
    before = read("a.yaml", b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a:1, x: old}]}\n")
    right = pin_image(before.found[0], DIGEST)
    assert right is not None
    at = before.data.index(b"old")
    wrong = Change(right.found, right.value, (*right.edits, Edit(at, at + 3, "new")), "fixed")
    with pytest.raises(EvidenceError) as caught:
        change_file(before, [wrong])
    assert caught.value.code == "REF_NOT_FIXED"
    assert change_file(before, [right]).data != before.data


def test_edits_that_overlap_are_a_defect() -> None:
    with pytest.raises(ValueError, match="overlap"):
        apply_edits(b"abcdef", [Edit(0, 3, "x"), Edit(2, 4, "y")])
    assert apply_edits(b"abcdef", [Edit(3, 4, "y"), Edit(0, 1, "x")]) == b"xbcyef"
