"""Containers that are not opened: each is named, so that the policy decides (attack L13).

Why not: 7z, RAR, cabinets and squashfs have no library that is kept up, needs no system library and can be bounded in memory for
hostile input; the others are met too seldom. What they hold is compressed, so that a search of their bytes says nothing.
"""

from __future__ import annotations

from typing import Final

from gate.secrets.container import Kind, Opened, Opener, SeekableBody
from gate.secrets.hit import Where

_WORDS: Final = {
    Kind.SEVEN_ZIP: "a 7z archive",
    Kind.RAR: "a RAR archive",
    Kind.CAB: "a cabinet",
    Kind.MSI: "an installer of Windows",
    Kind.XAR: "a xar archive",
}


def unread(kind: Kind) -> Opener:
    """Return what names a container of this kind."""
    what = _WORDS.get(kind, f"what is in the form of {kind.value}")

    def name_it(body: SeekableBody, where: Where, opened: Opened) -> None:  # noqa: ARG001 - nothing of it is read
        opened.unopened(where, f"{what} is not opened")

    return name_it
