"""A digest that cannot be wrong.

Only SHA-256 exists in the type: the OCI grammar is wider, but every registry and signer that the gate meets uses it, and a
second algorithm would let an attacker choose which bytes two readers compare (formats reference, section 1).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from gate.errors import UsageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """`sha256:` and 64 lower-case hexadecimal digits."""

    text: str

    def __post_init__(self) -> None:
        """Refuse any other spelling with `REF_DIGEST`."""
        if not _DIGEST.fullmatch(self.text):
            raise UsageError(
                "not a digest",
                code="REF_DIGEST",
                expected="sha256: and 64 lower-case hex digits",
                seen=repr(self.text[:80]),
            )

    @property
    def hex(self) -> str:
        """Return the 64 hexadecimal digits alone."""
        return self.text[len(_PREFIX) :]

    @property
    def short(self) -> str:
        """Return a form for people: `sha256:` and 12 digits."""
        return self.text[: len(_PREFIX) + 12]

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Compute the digest of these bytes."""
        return cls(_PREFIX + hashlib.sha256(data).hexdigest())

    @classmethod
    def from_hex(cls, digits: str) -> Digest:
        """Return the digest with these 64 digits; anything else is `REF_DIGEST`."""
        return cls(_PREFIX + digits)
