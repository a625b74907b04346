"""Where a block is looked at closely: near what the automaton pointed at, each byte once however many places there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

NO_OFFSET: Final = -1


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value and the name that it is assigned to; `offset` is where the value begins, or `NO_OFFSET`.

    `sign` is what assigned it, where it stood without quotes; `is_whole_file` says that the file holds nothing else.
    """

    key_path: str
    name: str
    value: str
    offset: int
    sign: str = ""
    is_whole_file: bool = False


def windows(ends: Iterable[int], size: int, *, before: int, after: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of a block of `size` bytes that are near a place; `ends` ascend, parts do not touch."""
    start = end = -1
    for place in ends:
        if start >= 0 and place - before > end:
            yield start, end
            start = -1
        start = max(0, place - before) if start < 0 else start
        end = min(size, place + after)
    if start >= 0:
        yield start, end
