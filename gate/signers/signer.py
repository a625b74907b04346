"""What every signer is, wherever its key lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from gate.model.bundle import Envelope
    from gate.model.signer import PublicKey
    from gate.model.signing import SigningEvidence

# Asked once, and only where a key needs a password; raises KeyFileError `KEY_PASSWORD` where there is none.
PasswordSource: TypeAlias = Callable[[], bytes]


class Signer(Protocol):
    """A key that can sign without being shown."""

    @property
    def public_key(self) -> PublicKey:
        """Return the public half, as verifiers must know it."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature over the data, in the encoding that verifiers of this algorithm read (ECDSA: ASN.1 DER)."""


@runtime_checkable
class EvidencedSigner(Signer, Protocol):
    """A signer with evidence beside each signature, which says when it was made, or also by whom."""

    @property
    def name(self) -> str:
        """Name who signs, the same for every run: what changes with a key of minutes does not."""

    @property
    def is_identity(self) -> bool:
        """Say whether the evidence says who signed, and the key means nothing by itself."""

    @property
    def is_stamped(self) -> bool:
        """Say whether an authority says when."""

    def vouch(self, envelope: Envelope) -> SigningEvidence:
        """Return the evidence of an envelope that this signer signed; raises EvidenceError where it cannot be had."""


def signer_name(signer: Signer) -> str:
    """Return what stays the same between runs of one signer: the key's id, or the identity."""
    return signer.name if isinstance(signer, EvidencedSigner) else signer.public_key.key_id


def is_identity(signer: Signer | None) -> bool:
    """Say whether this signs by identity."""
    return isinstance(signer, EvidencedSigner) and signer.is_identity


def is_stamped(signer: Signer) -> bool:
    """Say whether an authority vouches for the time of what this signs."""
    return isinstance(signer, EvidencedSigner) and signer.is_stamped
