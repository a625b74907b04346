"""What must stand beside a signature: apart from the roots it is checked with, because a key alone needs none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Inclusion(StrEnum):
    """What an entry of a log must carry: `PROOF` an inclusion proof in every format; `PROMISE` the log's promise is enough.

    `BUNDLES`, where a verifier says nothing: a proof in every bundle, whatever version it calls itself, and a promise in
    Cosign's legacy tags, which have no place for proofs.
    """

    PROOF = "proof"
    BUNDLES = "bundles"
    PROMISE = "promise"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDemand:
    """What must stand beside a signature: counts of distinct logs, timestamp authorities and witnesses.

    `sct`: the certificate must be proven to be logged. `inclusion`: whether a log's promise alone is
    enough. It comes from the verifier's own configuration, never from what a bundle says of itself (attack S11).
    """

    logs: int = 0
    timestamps: int = 0
    sct: bool = True
    inclusion: Inclusion = Inclusion.BUNDLES
