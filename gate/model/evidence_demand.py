"""What must stand beside a signature: apart from the roots it is checked with, because a key alone needs none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDemand:
    """What must stand beside a signature: counts of distinct logs, timestamp authorities and witnesses.

    `sct`: the certificate must be proven to be logged. `inclusion`: a log's promise alone is not enough, whatever the
    format. It comes from the verifier's own configuration, never from what a bundle says of itself (attack S11).
    """

    logs: int = 0
    timestamps: int = 0
    sct: bool = True
    inclusion: bool = False
