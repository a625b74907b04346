"""What every signer is, wherever its key lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from gate.model.signer import PublicKey

# Asked once, and only where a key needs a password; raises KeyFileError `KEY_PASSWORD` where there is none.
PasswordSource: TypeAlias = Callable[[], bytes]


class Signer(Protocol):
    """A key that can sign without being shown."""

    @property
    def public_key(self) -> PublicKey:
        """Give the public half, as verifiers must know it."""

    def sign(self, data: bytes) -> bytes:
        """Give a signature over the data, in the encoding that verifiers of this algorithm read (ECDSA: ASN.1 DER)."""
