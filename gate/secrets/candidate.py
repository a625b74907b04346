"""One place that a rule's pattern fits, and what a validator can say of it. The value never leaves `gate.secrets`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Judgement(StrEnum):
    """What one validator says: it is none, it is doubtful, nothing against it, it is certainly one."""

    REJECT = "reject"
    DOUBTFUL = "doubtful"
    PLAIN = "plain"
    CERTAIN = "certain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A match in `text` from `start` to `end`; `value` is the secret itself and `groups` the pattern's named groups.

    `text` is the window that the pattern was searched in, so that a validator can look around; `path` the file's name, or
    empty. `has_proven_checksum` says that the checksum of the rule was held against a published example or the vendor's own
    code. All bytes are untrusted.
    """

    value: bytes
    text: bytes
    start: int
    end: int
    path: str = ""
    groups: Mapping[str, bytes] = field(default_factory=dict)
    has_proven_checksum: bool = False

    def __repr__(self) -> str:
        """Show no byte of it: a value must not reach a log by a debugger or a failed assertion."""
        return f"Candidate({self.end - self.start} bytes)"

    def around(self, before: int, after: int) -> bytes:
        """Return the text near the match, the match included."""
        return self.text[max(0, self.start - before) : self.end + after]
