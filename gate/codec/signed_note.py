"""Signed notes and the checkpoints of logs in them: text, an empty line, and lines with signatures.

Only splits and decodes; who must have signed is verification. Refuses what two readers could split in two ways: carriage
returns, other control bytes, a size with leading zeros, a root that is not 32 bytes.

Specification: C2SP signed-note and tlog-checkpoint; formats reference, section 8.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.encodings import decode_base64, parse_integer
from gate.codec.strict_json import Fault
from gate.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NOTE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 16
_FAULT: Final = Fault(SignatureError, "SIG_INCLUSION", "the log's checkpoint")
_LINE: Final = re.compile(r"\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: whose name it gives, the four bytes that name the key, the signature."""

    name: str
    hint: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree's head: who says it, how many leaves, which root; `text` are the signed bytes, as they came."""

    origin: str
    size: int
    root: bytes
    text: bytes
    signatures: tuple[NoteSignature, ...]


def parse_checkpoint(note: str) -> Checkpoint:
    """Parse an untrusted note that must be a checkpoint.

    Raises:
        SignatureError: `SIG_INCLUSION`.
    """
    if len(note) > MAX_NOTE_BYTES or _CONTROL.search(note):
        raise _FAULT.refuse("is too large or holds control characters", expected=f"at most {MAX_NOTE_BYTES} bytes")
    # The text may not hold an empty line, the signatures begin after the last one.
    text, separator, lines = note.rpartition("\n\n")
    if not separator or "\n\n" in text or not lines.endswith("\n"):
        raise _FAULT.refuse("is not text, an empty line and signatures")
    head = text.split("\n")
    if len(head) < 3 or not all(head):
        raise _FAULT.refuse("lacks a line", expected="origin, size and root", seen=f"{len(head)} lines")
    root = decode_base64(head[2], _FAULT, "the root")
    size = parse_integer(head[1], _FAULT, "the size")
    if len(root) != 32 or size < 0:
        raise _FAULT.refuse("has a malformed head", expected="a size and a root of 32 bytes")
    signed = f"{text}\n".encode("utf-8", "surrogatepass")
    return Checkpoint(
        origin=head[0], size=size, root=root, text=signed, signatures=_signatures(lines.rstrip("\n").split("\n"))
    )


def _signatures(lines: Sequence[str]) -> tuple[NoteSignature, ...]:
    if len(lines) > MAX_SIGNATURES:
        raise _FAULT.refuse("has too many signatures", expected=f"at most {MAX_SIGNATURES}", seen=str(len(lines)))
    return tuple(map(_signature, lines))


def _signature(line: str) -> NoteSignature:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _FAULT.refuse("has a malformed signature line", seen=line)
    data = decode_base64(match.group(2), _FAULT, "a signature line")
    if len(data) < 5:
        raise _FAULT.refuse("has a signature line without a signature")
    return NoteSignature(name=match.group(1), hint=data[:4], signature=data[4:])
