"""Where keyless signatures are made: the services of one Sigstore instance, chosen from its signing configuration.

Values only; for signing alone. Who is trusted is said by a `TrustedRoot`, never by where something was asked.

Specification: protobuf-specs `sigstore_trustroot.proto` (`SigningConfig`); formats reference, section 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass


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
