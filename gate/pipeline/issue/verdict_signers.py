"""Who may sign verdicts: what passes and what fails must not look alike to tools that only look at the signer.

Cosign takes any attestation by an identity for a signature by it. A second key hides FAILED verdicts from it for good; one
identity, with certificates for everything that it does, cannot (formats reference, section 10.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.errors import PolicyError, UsageError
from gate.model.policy_signers import KeySigner
from gate.signers.signer import is_identity, is_stamped, signer_name

if TYPE_CHECKING:
    from gate.signers.signer import Signer


def require_verdict_signers(signer: Signer, fail_signer: Signer | None, *, legacy: bool) -> None:
    """Return if these two may sign; an identity signs PASSED alone, and needs a key beside it for FAILED.

    `legacy` asks for Cosign's `.att` as well, which an identity does not write: its evidence stands in bundles.

    Raises:
        UsageError: `USAGE`.
    """
    if fail_signer is not None and is_identity(fail_signer):
        raise UsageError(
            "an identity cannot sign FAILED verdicts",
            expected="a key for --fail-key",
            seen=signer_name(fail_signer),
            next_step="Make one with `gate keys generate --name gate-fail`.",
        )
    if is_identity(signer) and fail_signer is None:
        raise UsageError(
            "verdicts by an identity need a key for those that say FAILED",
            expected="--fail-key",
            seen=f"only {signer_name(signer)}",
            next_step="Make one with `gate keys generate --name gate-fail`.",
        )
    if is_identity(signer) and legacy:
        raise UsageError(
            "an identity signs in bundles", expected="no --legacy-attestation, or a key", seen=signer_name(signer)
        )


def own_signers(*signers: Signer | None) -> tuple[KeySigner, ...]:
    """Return the keys among these, by which a run knows its own earlier verdicts.

    Not an identity, which many runs may share; and without a trusted root a verdict with a timestamp is nobody's.
    """
    return tuple(KeySigner(key=used.public_key) for used in signers if used is not None and not is_identity(used))


def require_timestamps(signer: Signer, fail_signer: Signer | None) -> None:
    """Return if an authority vouches for the time of every verdict that these sign, as the policy demands.

    Raises:
        PolicyError: `USAGE`.
    """
    if not all(is_stamped(used) for used in (signer, fail_signer) if used is not None):
        # A demand that cannot be met is not dropped in silence (attack P02).
        raise PolicyError(
            "the policy demands a timestamp by an authority, and none would be asked",
            code="USAGE",
            expected="--timestamp NAME, for every key that signs",
        )
