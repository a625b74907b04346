"""What is signed: in-toto statements, the verification summary, and what a reader takes from the gate's evidence.

Values only; `gate.codec` reads and writes their bytes, `gate.verification` says whether they count.

Specification: in-toto Statement v1; SLSA 1.2 Verification Summary; formats reference, sections 6.2 and 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gate.model.digest import Digest
from gate.model.string_map import StringMap

STATEMENT_V1: Final = "https://in-toto.io/Statement/v1"
STATEMENT_V01: Final = "https://in-toto.io/Statement/v0.1"
VERIFICATION_SUMMARY: Final = "https://slsa.dev/verification_summary/v1"
COSIGN_SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
PASSED_LEVEL: Final = "GATE_PASSED"
FAILED_LEVEL: Final = "FAILED"
SLSA_VERSION: Final = "1.2"


class VerificationResult(StrEnum):
    """What a verdict says; nothing else is a verdict."""

    PASSED = "PASSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSubject:
    """A subject; with a malformed SHA-256 `digest` is None and it binds nothing. Annotations are Cosign's `-a`."""

    digest: Digest | None
    name: str = ""
    annotations: StringMap = StringMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSubject:
    """A subject of our own statements: `host/path` and digest."""

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class InputAttestation:
    """An attestation that a verdict rests on: SHA-256 of its payload (evidence) or bundle (others)."""

    digest: Digest
    media_type: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSummary:
    """A verdict as it travels: the fields of formats 10.2.

    `subjects` holds the judged index first, then its judged children, or the one manifest. `levels` are as written, in
    order. Empty `environments` mean that the verdict names none. `policy_digest` is None where a summary names none.
    """

    subjects: tuple[NamedSubject, ...]
    verifier_id: str
    time_verified: datetime
    resource_uri: str
    policy_uri: str
    policy_digest: Digest | None
    result: VerificationResult
    levels: tuple[str, ...]
    verifier_versions: StringMap = StringMap()
    inputs: tuple[InputAttestation, ...] = ()
    environments: tuple[str, ...] = ()
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDatabase:
    """A scanner's database as the evidence names it."""

    name: str
    digest: Digest
    built_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTool:
    """A scanner as the evidence names it."""

    name: str
    version: str
    digest: Digest
    databases: tuple[EvidenceDatabase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSummary:
    """What is read back from evidence of the gate, to tell whether a verdict rests on the same inputs.

    `outcomes` are pairs of check id and outcome; `reports` are the digests of the raw scanner reports, `trusted_roots` those of
    the roots that signatures were judged with.
    """

    result: VerificationResult
    evaluated_at: datetime
    policy_digest: Digest
    environments: tuple[str, ...]
    outcomes: tuple[tuple[str, str], ...]
    tools: tuple[EvidenceTool, ...]
    reports: tuple[Digest, ...]
    trusted_roots: tuple[Digest, ...] = ()
