"""The text of one file with the way back to its bytes, and how a reader reports what it found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any, Final

from gate.errors import EvidenceError
from gate.model.found_reference import (
    FoundReference,
    ReferenceKind,
    ReferenceState,
    Span,
    Standing,
    image_standing,
    unresolved,
)

_BOM: Final = b"\xef\xbb\xbf"
MAX_FOUND: Final = 20_000


def no_neighbour(_name: str) -> bytes | None:
    """Return None: there are no other files."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What else is known of a reference; `value` is what its text comes to, where that is something else."""

    value: str = ""
    platform: str = ""
    comment: str = ""
    note: str = ""
    fixable: bool = True
    advisory: bool = False


@dataclass(slots=True)
class SourceText:
    """One file: `path` is its name in reports, `neighbour` reads another file relative to its folder, or returns None."""

    path: str
    data: bytes
    neighbour: Callable[[str], bytes | None] = no_neighbour
    text: str = field(init=False)
    found: list[FoundReference] = field(init=False, default_factory=list)
    merged: dict[int, tuple[object, dict[str, Any]]] = field(init=False, default_factory=dict)
    _bom: int = field(init=False, default=0)
    _ascii: bool = field(init=False, default=True)
    _lines: list[int] | None = field(init=False, default=None)
    _byte_starts: list[int] | None = field(init=False, default=None)
    _seen: dict[tuple[int, int], int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Decode; raise EvidenceError where it is not UTF-8."""
        self._bom = len(_BOM) if self.data.startswith(_BOM) else 0
        try:
            self.text = self.data[self._bom :].decode("utf-8")
        except UnicodeDecodeError as error:
            raise malformed(
                self.path, 0, "the file is not UTF-8", f"a wrong byte at {error.start + self._bom}"
            ) from error
        self._ascii = self.text.isascii()

    def span(self, start: int, end: int) -> Span:
        """Return the place of the characters from `start` up to `end`."""
        line = self.line_of(start)
        return Span(self._byte(start), self._byte(end), line, start - self._line_starts()[line - 1] + 1)

    def line_of(self, index: int) -> int:
        """Return the line, from 1, of a character."""
        return bisect_right(self._line_starts(), index)

    def add(
        self, start: int, end: int, kind: ReferenceKind, standing: Standing, reached: str, about: About | None = None
    ) -> None:
        """Report a reference; an anchor is reached many times, and the strictest of its uses counts."""
        more = about or About()
        earlier = self._seen.get((start, end))
        if earlier is not None and not _weaker(self.found[earlier], standing, more):
            if self.found[earlier].platform != more.platform:
                # One text for two platforms is pinned for both.
                self.found[earlier] = replace(self.found[earlier], platform="")
            return
        if len(self.found) >= MAX_FOUND:
            raise malformed(self.path, self.line_of(start), "the file holds too many references", f"over {MAX_FOUND}")
        text = self.text[start:end]
        note = "; ".join(filter(None, (standing.note, more.note)))
        reference = FoundReference(
            path=self.path, span=self.span(start, end), kind=kind, text=text, value=more.value or text, reached=reached,
            state=standing.state, code=standing.code, note=note, image=standing.image, platform=more.platform,
            comment=more.comment, fixable=more.fixable, advisory=more.advisory,
        )  # fmt: skip
        if earlier is not None:
            self.found[earlier] = reference
            return
        self._seen[start, end] = len(self.found)
        self.found.append(reference)

    def add_image(self, start: int, end: int, reached: str, about: About | None = None) -> None:
        """Report an image whose reference is the value, or what stands there."""
        value = about.value if about is not None and about.value else self.text[start:end]
        self.add(start, end, ReferenceKind.IMAGE, image_standing(value), reached, about)

    def add_unresolved(self, start: int, end: int, reached: str, note: str, value: str = "") -> None:
        """Report an image that only a run decides; `note` says what is missing."""
        self.add(start, end, ReferenceKind.IMAGE, unresolved(note), reached, About(value=value, fixable=False))

    def _line_starts(self) -> list[int]:
        if self._lines is None:
            self._lines = _starts(self.text)
        return self._lines

    def _byte(self, index: int) -> int:
        if self._ascii:
            return self._bom + index
        starts = self._line_starts()
        if self._byte_starts is None:
            lengths = (len(self.text[one:other].encode()) for one, other in pairwise([*starts, len(self.text)]))
            self._byte_starts = [0, *accumulate(lengths)]
        line = bisect_right(starts, index) - 1
        return self._bom + self._byte_starts[line] + len(self.text[starts[line] : index].encode())


def _weaker(earlier: FoundReference, standing: Standing, more: About) -> bool:
    """Return whether what was reported before refuses less than what is reported now."""
    if earlier.advisory:
        return not more.advisory
    return earlier.state is ReferenceState.EXEMPT and standing.state is not ReferenceState.EXEMPT and not more.advisory


def _starts(text: str) -> list[int]:
    """Return where each line begins; only a line feed ends one, as editors and Git count."""
    starts, position = [0], text.find("\n")
    while position != -1:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    return starts


def malformed(path: str, line: int, message: str, seen: str = "", *, expected: str = "") -> EvidenceError:
    """Return the error about a file that cannot be read as what its name says; it quotes nothing of the file's content."""
    where = f"{path}:{line}" if line else path
    return EvidenceError(f"{where}: {message}", code="REF_FILE_MALFORMED", expected=expected, seen=seen)
