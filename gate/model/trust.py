"""What signatures are checked with: logs, certificate and timestamp authorities, each with the time in which it counts.

Values only; `gate.codec.trusted_root` makes them from a `trusted_root.json`. Nothing that comes with a signature ever
becomes one of these values, and nothing here is fetched from the service that it speaks of (attack T04).

Specification: formats reference, section 9.1; protobuf-specs `sigstore_trustroot.proto`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Final

from gate.model.digest import Digest
from gate.model.evidence_demand import EvidenceDemand
from gate.model.signer import PublicKey
from gate.model.validity import Validity

PUBLIC: Final = "public"


class TrustSource(StrEnum):
    """Where a root came from."""

    SHIPPED = "shipped"
    TUF = "tuf"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransparencyLog:
    """A log of signatures or of certificates.

    `log_id` is the whole key id; `hint` are the four bytes that name the key in checkpoints, `name` the name there.
    """

    url: str
    name: str
    log_id: bytes
    hint: bytes
    key: PublicKey
    validity: Validity
    operator: str = ""

    @property
    def authority(self) -> str:
        """Return who runs the log: thresholds count these, not entries (attack S09)."""
        return self.operator or self.url or self.log_id.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority:
    """An authority by its certificates in DER: intermediates first, root last; for timestamps the stamping leaf first."""

    url: str
    certificates: tuple[bytes, ...]
    validity: Validity
    operator: str = ""

    @property
    def authority(self) -> str:
        """Return who runs the authority: thresholds count these, not tokens (attack S09)."""
        return self.operator or self.url or Digest.of(self.certificates[-1]).hex


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRoot:
    """A whole trusted root; `skipped` counts entries whose kind of key is not known, which are never trusted."""

    digest: Digest
    logs: tuple[TransparencyLog, ...] = ()
    certificate_logs: tuple[TransparencyLog, ...] = ()
    certificate_authorities: tuple[CertificateAuthority, ...] = ()
    timestamp_authorities: tuple[CertificateAuthority, ...] = ()
    skipped: int = 0

    @property
    def newest(self) -> datetime | None:
        """Return since when its newest entry counts: no copy of the root is older. None where it holds nothing."""
        logs = chain(self.logs, self.certificate_logs)
        authorities = chain(self.certificate_authorities, self.timestamp_authorities)
        return max(
            (entry.validity.start for entry in chain[TransparencyLog | CertificateAuthority](logs, authorities)),
            default=None,
        )

    @property
    def ends(self) -> datetime | None:
        """Return when the last of its certificate authorities ends, after which nobody can sign anew; None while one is open."""
        ends = [authority.validity.end for authority in self.certificate_authorities]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who cosigns checkpoints of logs: its name and Ed25519 key (C2SP tlog-cosignature)."""

    name: str
    hint: bytes
    key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A trusted root by the name that a policy gives it, and what is demanded of signatures under it.

    `witnessed` of the `witnesses` must have cosigned the checkpoint of every log entry. `place` says where exactly the root came
    from: the path of a file as the policy writes it, or the package that ships it, with its version.
    """

    name: str
    root: TrustedRoot
    source: TrustSource = TrustSource.FILE
    place: str = ""
    demand: EvidenceDemand = field(default_factory=partial(EvidenceDemand, logs=1))
    witnesses: tuple[Witness, ...] = ()
    witnessed: int = 0
