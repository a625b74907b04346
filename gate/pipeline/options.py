"""What a caller of the pipeline chooses: the same for the command line and for Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gate.model.finding import Severity
from gate.model.progress import NoProgress, Progress
from gate.registry.options import RegistryOptions

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.identity import Identity, VerifiedIdentity
    from gate.model.image import Platform
    from gate.model.policy import Requirement
    from gate.model.reference import Repository
    from gate.model.signer import PublicKey
    from gate.model.unsigned import UnsignedVerdict
    from gate.model.verdict import Verdict
    from gate.signers.signer import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are kept. `record` is a path or a database URL, `evidence` the folder that no cache prunes.

    `fingerprint_key` is the file of a key that an organisation shares, so that its allow entries hold everywhere; None: the
    installation's own, in `state`.
    """

    cache: Path
    databases: Path
    tools: Path | None
    state: Path
    record: str
    evidence: Path
    fingerprint_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdHoc:
    """Settings of a run without a policy, laid over the shipped baseline; such a run signs nothing."""

    fail_on: Severity | None = None
    ignore_unfixed: bool = False
    vex: tuple[Path, ...] = ()
    signature_key: Path | None = None

    @property
    def is_given(self) -> bool:
        """Say whether anything differs from the baseline."""
        return self != AdHoc()


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtVerdict:
    """What another job scanned and this one is to sign: the parsed file and its digest."""

    verdict: UnsignedVerdict
    file: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """How `check` works.

    `policy` None takes the shipped baseline. `name` (`--as`) is the repository that a layout or archive is judged and
    attested as. `environments` None takes the policy's. `attestation_file` gets the bundle of the verdict. Without `signer`
    nothing is attested; `fail_signer`, where given, signs the verdicts that say FAILED. A verdict that passed is also written
    as a bare DSSE envelope into `envelope_file`, and under Cosign's `.att` tag with `legacy_attestation`.
    `unsigned_file` gets what a signing job needs, which then gives it as `brought`.
    """

    places: Places
    policy: Path | None = None
    ad_hoc: AdHoc = field(default_factory=AdHoc)
    signer: Signer | None = None
    fail_signer: Signer | None = None
    environments: tuple[str, ...] | None = None
    name: Repository | None = None
    platforms: tuple[Platform, ...] = ()
    attestation_file: Path | None = None
    envelope_file: Path | None = None
    legacy_attestation: bool = False
    unsigned_file: Path | None = None
    brought: BroughtVerdict | None = None
    reissue: bool = False
    timeout: timedelta = timedelta(minutes=15)
    offline: bool = False
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    progress: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedAttestation:
    """One attestation that was published and read back: the digest of its manifest (None for a file), and where it is."""

    manifest: Digest | None
    subject: Digest
    place: str
    predicate_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """What one `check` came to.

    `reused` says that an earlier verdict on unchanged inputs was given again and nothing was pushed. `notices` are single
    lines for people (no attestation was made, repaired an earlier publication ...).
    """

    verdict: Verdict
    attestations: tuple[IssuedAttestation, ...] = ()
    reused: bool = False
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How `verify` works: a requirement, or the parts of one entry.

    `policies` are accepted policy digests, `environment` None accepts only verdicts that name none. `trusted_root` says what
    identities, and logs and timestamps beside keys, are checked with; None: the public instance, and nothing beside keys.
    """

    places: Places
    requirement: Requirement | None = None
    keys: tuple[PublicKey, ...] = ()
    identity: Identity | None = None
    trusted_root: Path | None = None
    fail_keys: tuple[PublicKey, ...] = ()
    verifier_id: str | None = None
    policies: frozenset[Digest] = frozenset()
    environment: str | None = None
    max_age: timedelta = timedelta(days=7)
    require_timestamp: bool = False
    attestation_file: Path | None = None
    name: Repository | None = None
    timeout: timedelta = timedelta(minutes=1)
    offline: bool = False
    registry: RegistryOptions = field(default_factory=RegistryOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRun:
    """What `verify` found: the verdict that lets the image in, or the signatures where the requirement asks for those.

    All fields are of verified content. `trusted_time` is None where no authority vouches for the time. `identity` is who
    signed with a certificate, whose passing key `key_id` then is; None where a key is the signer.
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
