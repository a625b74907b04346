"""The policy: what an image must be.

Values only; `gate.codec.policy.document` makes them from bytes, strictly. A section that is None was not given, so that its
checks are `disabled`. Every file that a policy points to was read and compared with its digest before a value was made;
those without a digest are listed in `unpinned`, and then no verdict can be signed (DESIGN, section 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from gate.model.digest import Digest
from gate.model.finding import SecretFinding, SecretGrade, SecretOrigin, Tool
from gate.model.glob import Glob
from gate.model.image import Platform
from gate.model.limits import LayerLimits
from gate.model.policy_signers import SignatureRule, Signer
from gate.model.predicate import kind_of
from gate.model.reference_exception import ReferenceException
from gate.model.requirement import DEFAULT_EVIDENCE_TYPE, DEFAULT_EXTENSION_PREFIX, DEFAULT_MAX_AGE
from gate.model.severity import Severity
from gate.model.source_glob import SourceGlob
from gate.model.string_map import StringMap
from gate.model.vex import VexDocument

DEFAULT_DATABASE_MAX_AGE: Final = timedelta(hours=48)
DEFAULT_WAIVER_MAX_DURATION: Final = timedelta(days=90)
DEFAULT_VERIFIER_ID: Final = "https://gate.example/verifier/default"


class Quorum(StrEnum):
    """How many scanners must see a vulnerability: one is enough, all must, or they must agree at all."""

    ANY = "any"
    ALL = "all"
    AGREE = "agree"


class FailOrIgnore(StrEnum):
    """Whether a fact refuses the image."""

    FAIL = "fail"
    IGNORE = "ignore"


class FailOrWarn(StrEnum):
    """Whether something that is always named also refuses."""

    FAIL = "fail"
    WARN = "warn"


ANY_RELEASE: Final = "@refs/tags/*"
# A released version as slsa-verifier takes it (builder ids of GitHub's reusable workflows): no prerelease, no moving `v2`.
_RELEASE: Final = re.compile(r"@refs/tags/v?(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedBuilder:
    """A builder, and the SLSA build level (1 to 3) that it is trusted to reach.

    `id` is exact, or ends in `@refs/tags/*`, which is the same builder at any released tag.
    """

    id: str
    level: int = 1

    def is_builder(self, claimed: str) -> bool:
        """Return whether a claimed id is of this builder."""
        stem = self.id.removesuffix(ANY_RELEASE)
        if stem == self.id:
            return claimed == self.id
        return claimed.startswith(stem) and _RELEASE.fullmatch(claimed.removeprefix(stem)) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenancePolicy:
    """What signed provenance an image must have; all of it is said by one and the same statement.

    Empty `sources`, `refs`, `build_types` and `parameters` demand nothing. `parameters` are external parameters by dotted path.
    """

    signers: tuple[Signer, ...]
    builders: tuple[TrustedBuilder, ...]
    sources: tuple[SourceGlob, ...] = ()
    refs: tuple[Glob, ...] = ()
    build_types: tuple[str, ...] = ()
    parameters: StringMap = StringMap()
    minimum_level: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationRule:
    """An attestation that an image must have: of which type (a kind's word or an exact URI), by whom, how old at most."""

    type: str
    signers: tuple[Signer, ...]
    max_age: timedelta | None = None

    def accepts(self, predicate_type: str) -> bool:
        """Say whether a statement is of this type."""
        kind = kind_of(predicate_type)
        return predicate_type == self.type or (kind is not None and kind.value == self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpssRule:
    """Fail over this probability, 0 to 1; scores older than `max_age` (None: of any age) cannot be judged by."""

    fail_above: float
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VexAuthor:
    """Whose signed VEX statements count, and for which packages: globs over purls without version, e.g. `pkg:deb/debian/*`."""

    signer: Signer
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerabilityPolicy:
    """What vulnerabilities an image may have. `grace` maps a severity to the days after a fix is known.

    A catalogue of known exploited vulnerabilities older than `kev_max_age` (None: of any age) cannot be judged by.
    """

    require: frozenset[Tool] = frozenset({Tool.TRIVY, Tool.GRYPE})
    quorum: Quorum = Quorum.ANY
    database_max_age: timedelta = DEFAULT_DATABASE_MAX_AGE
    fail_on: Severity = Severity.HIGH
    unknown_severity: Severity | None = None
    ignore_unfixed: bool = False
    grace: tuple[tuple[Severity, timedelta], ...] = ()
    kev: FailOrIgnore = FailOrIgnore.FAIL
    kev_max_age: timedelta | None = None
    epss: EpssRule | None = None
    vex: tuple[VexDocument, ...] = ()
    vex_authors: tuple[VexAuthor, ...] = ()
    end_of_life: FailOrIgnore = FailOrIgnore.FAIL
    empty_base: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsFailOn:
    """Which secrets refuse: from which grade on, by who shipped the file; None: none does.

    `live_only` leaves out what a later layer hides.
    """

    own: SecretGrade | None = SecretGrade.LIKELY
    packaged: SecretGrade | None = SecretGrade.CERTAIN
    live_only: bool = False

    def least(self, origin: SecretOrigin) -> SecretGrade | None:
        """Return the lowest grade that refuses for an origin."""
        return self.own if origin is SecretOrigin.OWN else self.packaged

    def refuses(self, secret: SecretFinding) -> bool:
        """Return whether a secret that nobody accepted refuses."""
        least = self.least(secret.origin)
        return least is not None and secret.grade.rank >= least.rank and not (self.live_only and secret.hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretAllowance:
    """A secret that is known and accepted until a day (inclusive, UTC): by its fingerprint, or every one in a file.

    Exactly one of `fingerprint` and `file` is given; `file` is the digest of the whole file, whatever its path.
    """

    fingerprint: str = ""
    file: Digest | None = None
    reason: str
    owner: str
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRuleFile:
    """A file of the policy's own rules (docs/secret-rules.md): its path as the policy writes it, its bytes and digest."""

    path: str
    content: bytes
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsPolicy:
    """What plaintext secrets an image may hold. The gate always searches; `scanners` says who does so beside it."""

    fail_on: SecretsFailOn = SecretsFailOn()
    allow: tuple[SecretAllowance, ...] = ()
    scanners: frozenset[Tool] = frozenset({Tool.GATE})
    unopened: FailOrIgnore = FailOrIgnore.FAIL
    rules: tuple[SecretRuleFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageAllowance:
    """A place in the image that is known not to count for completeness, until a day (inclusive, UTC).

    `path` has no leading slash and is taken literally: it stands for the file, or for the folder and all below it.
    """

    path: str
    reason: str
    owner: str
    expires: date

    def covers(self, path: str, now: datetime) -> bool:
        """Return whether the entry speaks of this path of the image at this time."""
        inside = path == self.path or path.startswith(f"{self.path}/")
        return inside and now.date() <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePolicy:
    """What completeness leaves to the policy: forms of packages that nobody asked looks up, and places that do not count."""

    unread: FailOrWarn = FailOrWarn.FAIL
    accept: tuple[CoverageAllowance, ...] = ()

    def accepted(self, path: str, now: datetime) -> CoverageAllowance | None:
        """Return the entry that accepts this path of the image now, if there is one."""
        return next((entry for entry in self.accept if entry.covers(path, now)), None)


class UserRule(StrEnum):
    """Who the image may run as."""

    NON_ROOT = "non-root"
    ANY = "any"


class RevisionRule(StrEnum):
    """Whether the image must say from which commit it was built, and whether signed provenance must say the same."""

    REQUIRED = "required"
    PROVENANCE = "provenance"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedBase:
    """A base image, known by the diff ids of its layers, base first."""

    name: str
    diff_ids: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """What the image's configuration and files may be. None: that check is disabled.

    `ports_deny` holds `port` or `port/proto`; `setuid_allow` holds absolute paths or globs within one directory level;
    `labels_deny` holds globs over label names.
    """

    user: UserRule = UserRule.NON_ROOT
    max_age: timedelta | None = None
    revision: RevisionRule = RevisionRule.ANY
    ports_deny: tuple[str, ...] = ()
    setuid_allow: tuple[str, ...] | None = None
    labels_deny: tuple[str, ...] = ("containerd.io/*",)
    base: tuple[AllowedBase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of the policy's own: a CEL expression over documented evidence that must be true.

    What breaks a rule of the level `warn`, or any rule before the day on which it begins (UTC), is a warning.
    """

    id: str
    cel: str
    message: str
    level: FailOrWarn = FailOrWarn.FAIL
    begins: date | None = None

    def refuses(self, now: datetime) -> bool:
        """Return whether an image that breaks the rule at this time is refused."""
        return self.level is FailOrWarn.FAIL and (self.begins is None or now.astimezone(UTC).date() >= self.begins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A recorded, owned, expiring exception for findings of one check.

    `match` depends on the check: `vulnerability`, `package` (purl without version) and `versions` for `vulnerability`;
    `fingerprint` for `secret`; `code` (and `location`) for `image-*`; `rule` for `rules`. Ends at 24:00 UTC of `expires`.
    """

    id: str
    check: str
    images: Glob
    match: StringMap
    reason: str
    owner: str
    approved_by: str
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestSettings:
    """What a verdict says of itself."""

    verifier_id: str = DEFAULT_VERIFIER_ID
    max_age: timedelta = DEFAULT_MAX_AGE
    environments: tuple[str, ...] = ()
    evidence_predicate_type: str = DEFAULT_EVIDENCE_TYPE
    extension_prefix: str = DEFAULT_EXTENSION_PREFIX
    require_timestamp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole policy; `digest` is that of the document's bytes and stands in every verdict.

    `warn` holds the ids, sorted, of the checks whose failures are warnings.

    `kev_file` and `epss_file` are (path, digest) of the data that `gate.pipeline` reads as evidence.
    """

    name: str
    digest: Digest
    description: str = ""
    expires: date | None = None
    registries: tuple[Glob, ...] = ()
    reference_exceptions: tuple[ReferenceException, ...] = ()
    platforms: tuple[Platform, ...] = ()
    signature: tuple[SignatureRule, ...] | None = None
    provenance: ProvenancePolicy | None = None
    attestations: tuple[AttestationRule, ...] = ()
    vulnerabilities: VulnerabilityPolicy | None = None
    secrets: SecretsPolicy | None = None
    coverage: CoveragePolicy = CoveragePolicy()
    image: ImagePolicy | None = None
    rules: tuple[Rule, ...] = ()
    warn: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    waiver_max_duration: timedelta = DEFAULT_WAIVER_MAX_DURATION
    limits: LayerLimits = field(default_factory=LayerLimits)
    attest: AttestSettings = field(default_factory=AttestSettings)
    unpinned: tuple[str, ...] = ()
    kev_file: tuple[str, Digest] | None = None
    epss_file: tuple[str, Digest] | None = None


def signers_of(policy: Policy) -> Iterator[Signer]:
    """Return every signer that a policy names, in whatever section."""
    for rule in policy.signature or ():
        yield from (*rule.any_of, *rule.all_of)
    if policy.provenance is not None:
        yield from policy.provenance.signers
    for demanded in policy.attestations:
        yield from demanded.signers
    if policy.vulnerabilities is not None:
        yield from (author.signer for author in policy.vulnerabilities.vex_authors)
