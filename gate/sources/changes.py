"""Changes of a file at the places of its references: only those bytes, and only if the file still means the same otherwise.

What is changed is read again and compared: every reference must be there with the value that was meant for it, and every other
value of the file must be as it was. A file that fails this is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from gate.errors import EvidenceError
from gate.sources.files import read_source
from gate.sources.text import SourceText
from gate.sources.yaml_tree import LOADER

if TYPE_CHECKING:
    from gate.model.digest import Digest
    from gate.model.found_reference import FoundReference

_REST_OF_LINE: Final = re.compile(rb"[^\r\n]*")
_CLOSING: Final = re.compile(rb"['\"]?[ \t]*(?P<brackets>[\]} \t]*)(?P<comment>#.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes from `start` up to `end` that are replaced."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A reference, what it comes to afterwards, the edits that do it, and one word for what was done."""

    found: FoundReference
    value: str
    edits: tuple[Edit, ...]
    done: str


def pin_image(found: FoundReference, digest: Digest) -> Change | None:
    """Return the change that pins or moves an image to a digest, or None where the place does not allow it."""
    image = found.image
    if image is None or not found.fixable:
        return None
    if image.digest is not None:
        old = str(image.digest)
        if found.text.count(old) != 1:
            return None
        return _replaced(found, found.text.replace(old, str(digest)), found.value.replace(old, str(digest)), "updated")
    # Without a tag, `latest` was meant: written out, so that an update knows what to follow.
    tag = ":latest" if image.tag is None and found.text == found.value else ""
    return _replaced(found, f"{found.text}{tag}@{digest}", f"{found.value}{tag}@{digest}", "fixed")


def unpin_image(found: FoundReference) -> Change | None:
    """Return the change that leaves the tag alone, or None where there is no tag or the place does not allow it."""
    image = found.image
    suffix = f"@{image.digest}" if image is not None else ""
    if image is None or image.digest is None or image.tag is None or not found.fixable or found.text.count(suffix) != 1:
        return None
    return _replaced(found, found.text.replace(suffix, ""), found.value.replace(suffix, ""), "unpinned")


def pin_revision(found: FoundReference, data: bytes, commit: str, name: str) -> Change | None:
    """Return the change that names a commit, with the tag or branch that it was found by as a comment where there is room."""
    place, at, revision = found.text.rpartition("@")
    if not at or not found.fixable:
        return None
    edits = [Edit(found.span.start, found.span.end, f"{place}@{commit}"), *_comment_edits(found, data, name)]
    return Change(found, f"{place}@{commit}", tuple(edits), "updated" if len(revision) == len(commit) else "fixed")


def unpin_revision(found: FoundReference, data: bytes) -> Change | None:
    """Return the change that names again what the comment says, or None where it says nothing."""
    name = found.comment.partition(" ")[0]
    place, at, _ = found.text.rpartition("@")
    if not (name and at and found.fixable):
        return None
    span = _comment_span(data, found)
    without = [Edit(*span, "")] if span is not None and found.comment == name else []
    return Change(
        found, f"{place}@{name}", (Edit(found.span.start, found.span.end, f"{place}@{name}"), *without), "unpinned"
    )


def _replaced(found: FoundReference, text: str, value: str, done: str) -> Change:
    return Change(found, value, (Edit(found.span.start, found.span.end, text),), done)


def _comment_edits(found: FoundReference, data: bytes, name: str) -> list[Edit]:
    """Return the edit that puts the name first in the comment of the line; none where the line goes on with something else."""
    line = _REST_OF_LINE.match(data, found.span.end)
    rest = _CLOSING.fullmatch(line[0]) if line else None
    if line is None or rest is None:
        return []
    if rest["comment"] is None:
        end = found.span.end + len(line[0].rstrip())
        return [Edit(end, end, f" # {name}")]
    start = found.span.end + rest.start("comment") + 1
    old = found.comment.partition(" ")[0]
    begin = data.find(old.encode(), start) if old else start
    if old == name:
        return []
    if re.fullmatch(r"v?\d[\w.+-]*", old, re.ASCII):
        return [Edit(begin, begin + len(old.encode()), name)]
    return [Edit(start, start, f" {name} #" if old else f" {name}")]


def _comment_span(data: bytes, found: FoundReference) -> tuple[int, int] | None:
    line = _REST_OF_LINE.match(data, found.span.end)
    rest = _CLOSING.fullmatch(line[0]) if line else None
    if line is None or rest is None or rest["comment"] is None:
        return None
    before = line[0][: rest.start("comment")].rstrip()
    return found.span.end + len(before), found.span.end + len(line[0])


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes with the edits applied; they do not overlap."""
    result, position = bytearray(), 0
    for edit in sorted(edits, key=lambda item: (item.start, item.end)):
        if edit.start < position:
            raise ValueError("edits overlap")
        result += data[position : edit.start] + edit.text.encode()
        position = edit.end
    return bytes(result + data[position:])


def change_file(before: SourceText, changes: Sequence[Change]) -> SourceText:
    """Return the file with the changes, read again and compared.

    Raises:
        EvidenceError: `REF_NOT_FIXED`: the file would not mean what was intended.
    """
    data = apply_edits(before.data, (edit for change in changes for edit in change.edits))
    after = SourceText(before.path, data, before.neighbour)
    read_source(after)
    values = {change.found.span.start: change.value for change in changes}
    expected = [(item.kind, item.reached, values.get(item.span.start, item.value)) for item in _ordered(before)]
    if [(item.kind, item.reached, item.value) for item in _ordered(after)] != expected:
        raise _not_fixed(before.path, "other references than were meant")
    old, new = structure(before), structure(after)
    if len(old) != len(new) or sum(one != other for one, other in zip(old, new, strict=True)) > len(changes):
        raise _not_fixed(before.path, "another document than was meant")
    return after


def _ordered(source: SourceText) -> list[FoundReference]:
    return sorted(source.found, key=lambda found: found.span)


def _not_fixed(path: str, seen: str) -> EvidenceError:
    return EvidenceError(
        f"{path} is left as it was", code="REF_NOT_FIXED", expected="a change of its references alone", seen=seen
    )


def structure(source: SourceText) -> list[str]:
    """Return the values of a file in order: what must stay the same but for the references. Comments are no values."""
    if re.search(r"\.ya?ml$", source.path, re.IGNORECASE):
        try:
            return [
                f"{type(event).__name__} {getattr(event, 'value', '')}" for event in yaml.parse(source.text, LOADER)
            ]
        except yaml.YAMLError:
            pass  # a template: its lines are its values
    return source.text.splitlines()
