"""Who may sign verdicts together: what passes and what fails must not look alike to tools that only look at the signer.

Cosign takes any attestation by an identity for a signature by it. A second key hides FAILED verdicts from it for good; one
identity, with certificates for everything that it does, cannot (formats reference, section 10.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.errors import UsageError
from gate.signers.signer import EvidencedSigner

if TYPE_CHECKING:
    from gate.signers.signer import Signer


def expect_verdict_signers(signer: Signer, fail_signer: Signer | None, *, legacy: bool) -> None:
    """Return if these two may sign; an identity signs PASSED alone, and needs a key beside it for FAILED.

    `legacy` asks for Cosign's `.att` as well, which an identity does not write: its evidence stands in bundles.

    Raises:
        UsageError: `USAGE`.
    """
    if isinstance(fail_signer, EvidencedSigner):
        raise UsageError(
            "an identity cannot sign FAILED verdicts",
            expected="a key for --fail-key",
            seen=fail_signer.name,
            next_step="Make one with `gate keys generate --name gate-fail`.",
        )
    if isinstance(signer, EvidencedSigner) and fail_signer is None:
        raise UsageError(
            "verdicts by an identity need a key for those that say FAILED",
            expected="--fail-key",
            seen=f"only {signer.name}",
            next_step="Make one with `gate keys generate --name gate-fail`.",
        )
    if isinstance(signer, EvidencedSigner) and legacy:
        raise UsageError("an identity signs in bundles", expected="no --legacy-attestation, or a key", seen=signer.name)
