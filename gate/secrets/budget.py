"""How much may come out of what stands in an image: depth, bytes, members; and the refusal that names what was not opened.

A bomb (attack L14) ends at its limit, and what is left unread is said, never passed over (attack L13).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gate.errors import ImageError

MIB: Final = 1024 * 1024
MAX_DEPTH: Final = 8
# Honest archives of text reach 20 to 1; a file of at most this size may hold so much whatever its own size.
_RATIO: Final = 200
_FREE_BYTES: Final = 64 * MIB
_MAX_TOTAL_BYTES: Final = 16 * 1024 * MIB
_MAX_MEMBERS: Final = 500_000


def cannot_open(reason: str) -> ImageError:
    """Make (not raise) the refusal of one container; `reason` holds no byte of it."""
    return ImageError(reason, code="SECRET_INCOMPLETE", expected="a container that can be read whole")


class Budget:
    """What one image may unfold to, and one file of it (`begin_file`)."""

    def __init__(self, check_deadline: Callable[[], None] = lambda: None) -> None:
        self._check_deadline = check_deadline
        self._total_left = _MAX_TOTAL_BYTES
        self._file_left = 0
        self._members_left = 0

    @property
    def spent_bytes(self) -> int:
        """Return how much came out of containers so far, over all files."""
        return _MAX_TOTAL_BYTES - self._total_left

    def begin_file(self, size_bytes: int) -> None:
        """Start with a file of a layer."""
        self._file_left = max(_FREE_BYTES, _RATIO * size_bytes)
        self._members_left = _MAX_MEMBERS

    @property
    def is_spent(self) -> bool:
        """Say whether nothing more of this file may be opened."""
        return self._file_left < 0 or self._total_left < 0 or self._members_left < 0

    def spend(self, count_bytes: int) -> None:
        """Note bytes that came out of a container.

        Raises:
            ImageError: `SECRET_INCOMPLETE`, a limit is passed.
        """
        self._check_deadline()
        self._file_left -= count_bytes
        self._total_left -= count_bytes
        if self._file_left < 0:
            raise cannot_open(f"it unfolds to more than {_RATIO} times its size")
        if self._total_left < 0:
            raise cannot_open(f"the image unfolds to more than {_MAX_TOTAL_BYTES // MIB} MiB")

    def enter(self, depth: int) -> None:
        """Note that a container at this depth is opened.

        Raises:
            ImageError: `SECRET_INCOMPLETE`, it is too deep.
        """
        if depth > MAX_DEPTH:
            raise cannot_open(f"it is nested deeper than {MAX_DEPTH} containers")

    def member(self) -> None:
        """Note one more member.

        Raises:
            ImageError: `SECRET_INCOMPLETE`, there are too many.
        """
        self._members_left -= 1
        if self._members_left < 0:
            raise cannot_open(f"it holds more than {_MAX_MEMBERS} members")
