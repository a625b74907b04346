"""What `gate verify` demands, read from the files that the user names."""

from __future__ import annotations

from pathlib import Path

from gate.model.digest import Digest
from gate.settings.opening import read_public_key as public_key
from gate.settings.opening import read_requirement
from gate.settings.policy_folder import read_document

__all__ = ["accepted_policy", "public_key", "read_requirement"]


def accepted_policy(policy: Path | Digest) -> Digest:
    """Return the digest of a policy that is accepted: what stands in verdicts is that of its bytes; raises PolicyError."""
    return policy if isinstance(policy, Digest) else Digest.of(read_document(policy))
