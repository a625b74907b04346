"""What a caller of `verify` chooses and gets: the same for the command line and for Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gate.registry.options import RegistryOptions

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.identity import Identity, VerifiedIdentity
    from gate.model.reference import Repository
    from gate.model.requirement import Requirement
    from gate.model.signer import PublicKey
    from gate.settings.locations import Places
    from gate.verification.demand import SetAside


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How `verify` works: a requirement, or the parts of one entry.

    `policies` are accepted policy digests, `environment` None accepts only verdicts that name none. `trusted_root` says what
    identities, and logs and timestamps beside keys, are checked with; None: the public instance, and nothing beside keys.
    `root_demand` is what must stand beside an identity's signature under it. `recorded` appends each answer to the record in
    `places`; an admission that cannot be recorded is then an error.
    """

    places: Places
    requirement: Requirement | None = None
    keys: tuple[PublicKey, ...] = ()
    identity: Identity | None = None
    trusted_root: Path | None = None
    root_demand: EvidenceDemand | None = None
    fail_keys: tuple[PublicKey, ...] = ()
    verifier_id: str | None = None
    policies: frozenset[Digest] = frozenset()
    environment: str | None = None
    max_age: timedelta = timedelta(days=7)
    require_timestamp: bool = False
    attestation_file: Path | None = None
    name: Repository | None = None
    recorded: bool = False
    timeout: timedelta = timedelta(minutes=1)
    offline: bool = False
    registry: RegistryOptions = field(default_factory=RegistryOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRun:
    """What `verify` found: the verdict that lets the image in, or the signatures where the requirement asks for those.

    All fields are of verified content. `trusted_time` is None where no authority vouches for the time. `identity` is who
    signed with a certificate, whose passing key `key_id` then is; None where a key is the signer. `set_aside` names the
    candidates that do not count.
    """

    reference: str
    digest: Digest
    key_id: str
    identity: VerifiedIdentity | None = None
    policy: Digest | None = None
    verifier_id: str = ""
    environments: tuple[str, ...] = ()
    time_verified: datetime | None = None
    trusted_time: datetime | None = None
    expires: datetime | None = None
    attachment: Digest | None = None
    set_aside: tuple[SetAside, ...] = ()
