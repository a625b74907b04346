"""What the search found, with the value, which stays in `gate.secrets`; and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gate.model.digest import Digest
from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.file_hashes import FileHashes

# A NUL so near says that this is no text, and has no lines.
_NEAR: Final = 512


@dataclass(frozen=True, slots=True)
class Where:
    """A text in an image: its outermost name, and the chain of containers and encodings that led to it.

    `file` is the last name of a file on the way, which says what kind of text it is; `depth` counts what was opened.
    """

    name: str
    chain: tuple[str, ...] = ()
    file: str = ""
    depth: int = 0

    @property
    def path(self) -> str:
        """Return the whole way as rules with `paths` see it."""
        return " → ".join((self.name, *self.chain))

    @property
    def innermost(self) -> str:
        """Return the last name that is one of a file."""
        return self.file or self.name

    def encoded(self, encoding: str) -> Where:
        """Return the place of a text that stood here in an encoding."""
        return replace(self, chain=(*self.chain, encoding), depth=self.depth + 1)

    def member(self, name: str) -> Where:
        """Return the place of a file in a container that stood here."""
        return Where(self.name, (*self.chain, name), name, self.depth + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A secret: what judged it, how sure, its value, and its place: byte `offset` and line of the innermost text.

    `line` counts from 1 and is None in what has no lines; `key_path` is empty where no structure names one.
    """

    rule: str
    title: str
    severity: Severity
    confidence: Confidence
    value: bytes
    where: Where
    offset: int
    line: int | None = None
    prefix: str = ""
    key_path: str = ""
    file_digest: Digest | None = None
    file_hashes: FileHashes | None = None

    def __repr__(self) -> str:
        """Show the rule alone: a value must not reach a log by a debugger or a failed assertion."""
        return f"Hit({self.rule})"


def line_of(block: bytes, offset: int) -> int | None:
    """Return the line of an offset, from 1; None where the text around it is none."""
    if block.find(b"\0", max(0, offset - _NEAR), offset + _NEAR) >= 0:
        return None
    return block.count(b"\n", 0, offset) + 1
