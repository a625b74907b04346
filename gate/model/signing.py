"""How keyless signatures are made: the services of one Sigstore instance, who asks them, and what they give.

Values only; for signing alone. Who is trusted is said by a `TrustedRoot`, never by where something was asked.

Specification: protobuf-specs `sigstore_trustroot.proto` (`SigningConfig`); formats reference, section 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gate.model.bundle import LogEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LogService:
    """A log by its URL and the major version of its API, 1 or 2."""

    url: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningServices:
    """What a signature is made with: one authority, every log and every timestamp authority that the configuration asks for.

    `issuer` is where people log in; "" where the configuration names none.
    """

    authority: str
    logs: tuple[LogService, ...]
    timestamps: tuple[str, ...]
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningEvidence:
    """What a Sigstore instance gave beside a signature: the certificate in DER, log entries, RFC 3161 responses in DER.

    `certificate` is None beside a signature by key.
    """

    certificate: bytes | None = None
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityToken:
    """A token that says who runs this, with what it claims of itself; only the service that it is for verifies it.

    `text` is a secret until `expires`. `name` is whom it names, for people.
    """

    text: str = field(repr=False)
    issuer: str
    name: str
    audiences: frozenset[str]
    expires: datetime
