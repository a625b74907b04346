"""What a caller of `check` chooses and gets: the same for the command line and for Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gate.model.progress import NoProgress, Progress
from gate.model.severity import Severity
from gate.registry.options import RegistryOptions

if TYPE_CHECKING:
    from gate.model.digest import Digest
    from gate.model.image import Platform
    from gate.model.reference import Repository
    from gate.model.unsigned import UnsignedVerdict
    from gate.model.verdict import Verdict
    from gate.settings.locations import Places
    from gate.signers.signer import Signer


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
class ScanHandoff:
    """What another job scanned and this one is to sign: the parsed file and its digest."""

    verdict: UnsignedVerdict
    file: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """How `check` works.

    `policy` None takes the shipped baseline. `name` (`--as`) is the repository that a layout or archive is judged and
    attested as. `environments` None takes the policy's. `attestation_file` gets the bundle of the verdict. Without `signer`
    nothing is attested; `fail_signer`, where given, signs the verdicts that say FAILED. A verdict that passed is also written
    as a bare DSSE envelope into `envelope_file`, and under Cosign's `.att` tag with `legacy_attestation`. `attach_to` is the
    repository that attestations go to; None: what `registry` says of the image's host, else the image's own.
    `unsigned_file` gets what a signing job needs, which then gives it as `handoff`.
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
    attach_to: Repository | None = None
    unsigned_file: Path | None = None
    handoff: ScanHandoff | None = None
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
