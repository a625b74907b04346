"""Who a policy or a requirement trusts to sign, and which of them an image must have.

Values only. They stand apart from the policy because a deploy stage that demands a key needs no more of it than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.model.glob import Glob
from gate.model.signer import PublicKey
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from collections.abc import Iterable

    # Who demands a key loads neither identities nor roots.
    from gate.model.identity import Identity
    from gate.model.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySigner:
    """A signer by public key. The key carries its own validity window (`PublicKey.not_before`, `.not_after`).

    `trust` says whose log entries and timestamps count beside its signatures. None: nobody's, so that a signature which
    brings any is refused (docs/adr/0004-log-entries-need-trust.md).
    """

    key: PublicKey
    trust: Trust | None = None

    def __str__(self) -> str:
        return self.key.key_id[:19]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeylessSigner:
    """A signer by identity, in certificates that an authority of this trusted root wrote, and of no other."""

    identity: Identity
    trust: Trust

    def __str__(self) -> str:
        return str(self.identity)


Signer = KeySigner | KeylessSigner


def trusts_of(signers: Iterable[Signer]) -> tuple[Trust, ...]:
    """Return what these signers' signatures are checked with, each once, in their order; a key may have none."""
    return tuple(dict.fromkeys(signer.trust for signer in signers if signer.trust is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRule:
    """Which signers an image of these repositories must have.

    Exactly one of `any_of` and `all_of` is not empty. Every annotation must stand in the same signature (attack S22). `log`
    and `timestamps` are counts of distinct authorities; None: what the signer's trusted root demands.
    """

    images: Glob
    any_of: tuple[Signer, ...] = ()
    all_of: tuple[Signer, ...] = ()
    annotations: StringMap = StringMap()
    log: int | None = None
    timestamps: int | None = None
