"""Trusted roots that a command is given, beside those that policies name."""

from __future__ import annotations

from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError
from gate.model.evidence_demand import EvidenceDemand
from gate.model.trust import PUBLIC, Trust


def given_trust(trusted_root: bytes | None, demand: EvidenceDemand | None = None) -> Trust:
    """Return trust in this `trusted_root.json`; None is the public instance, as the `sigstore` package ships it.

    `demand` is what must stand beside an identity's signature under a given root; None: one log, and a logged certificate.

    Raises:
        UsageError: `ROOT_MALFORMED`.
        EvidenceError: `ROOT_MISSING`.
    """
    if trusted_root is not None:
        root = parse_trusted_root(trusted_root)
        return Trust(name="given", root=root, demand=demand or EvidenceDemand(logs=1))
    from gate.trust.shipped import TRUSTED_ROOT, shipped  # noqa: PLC0415 - a root that is given needs no other

    content = shipped(TRUSTED_ROOT)
    if content is None:
        raise EvidenceError("the sigstore package carries no trusted root", code="ROOT_MISSING")
    return Trust(name=PUBLIC, root=parse_trusted_root(content))
