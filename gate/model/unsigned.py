"""A verdict that one job gathered and another is to sign: what was scanned, by digest, with the raw reports.

It is a request and proves nothing: the signing job fetches manifests, configurations and signatures itself, compares every
digest, and decides under its own policy and clock. What it takes from here is what only a scan can say.

Specification: DESIGN, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence import LayerFacts, ScanReport, SecretEvidence, Unavailable
from gate.model.image import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A raw report with its digest; secrets in it were blanked before it was kept."""

    digest: Digest
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedSubject:
    """What the scanning job found in one runnable image."""

    digest: Digest
    layers: LayerFacts | Unavailable | None = None
    trivy: ScanReport | Unavailable | None = None
    grype: ScanReport | Unavailable | None = None
    secrets: SecretEvidence | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedVerdict:
    """All that a signing job needs of a scanning job; `decision` is what that one would have said, for people."""

    gate: str
    gathered_at: datetime
    reference: str
    digest: Digest
    policy: Digest
    decision: Decision
    platforms: tuple[Platform, ...]
    subjects: tuple[ScannedSubject, ...]
    reports: tuple[KeptReport, ...]
