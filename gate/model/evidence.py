"""Evidence: what was obtained about an image, each item with its origin, or why it could not be obtained.

Rule 4 of the design: what was looked for and is not there is evidence; what could not be looked for is `Unavailable`.
Nothing here judges. Values are frozen and picklable, because a worker may gather them where no key is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gate.model.attachment import Attachments
from gate.model.digest import Digest
from gate.model.finding import Package, PackageKey, SecretFinding, Tool, ToolFinding
from gate.model.image import Descriptor, ImageIndex, ImageManifest, Platform
from gate.model.image_config import ImageConfig
from gate.model.layer_facts import DroppedEntry, FormSeen, NestedDatabase, PrivilegedFile, Redirect
from gate.model.reference import Repository
from gate.model.subject import SkippedChild, Subject

OsPackage = tuple[str, str, str]
"""A package of a distribution: name, version with epoch, architecture."""


class EvidenceKind(StrEnum):
    """What a check can need of one subject; a check names these as data and never imports a collector."""

    CONFIG = "config"
    LAYERS = "layers"
    TRIVY = "trivy"
    TRIVY_SECRETS = "trivy-secrets"
    GRYPE = "grype"
    SECRETS = "secrets"
    RULES = "rules"
    ATTACHMENTS = "attachments"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Evidence that could not be had: a reason code, and a sentence for people without secrets or raw foreign bytes."""

    code: str
    reason: str
    expected: str = ""
    seen: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolIdentity:
    """A scanner: its name, the version it is pinned as, and the sha256 of the binary that ran."""

    name: str
    version: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseIdentity:
    """A vulnerability database as it was opened: digest of the file, build time as written inside, schema.

    `demonstration` marks the small databases of the demo, wherever a verdict made with them is shown.
    """

    name: str
    digest: Digest
    built_at: datetime
    schema: str
    source: str = ""
    demonstration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReport:
    """A scanner's report as it was written, kept by digest; `size` in bytes."""

    name: str
    media_type: str
    digest: Digest
    size: int


class Isolation(StrEnum):
    """How a scanner was kept from the network."""

    NAMESPACE = "network-namespace"
    FLAGS = "flags-and-dead-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedDistribution:
    """The operating system as a scanner names it, in the scanner's own words; `end_of_life` is its opinion, if it has one."""

    name: str
    version: str
    end_of_life: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A known vulnerability planted in a generated image: the same binary, database and flags must find it.

    `expected` are ids from the database itself, `found` those of them that the tool reported.
    """

    expected: frozenset[str]
    found: frozenset[str]

    @property
    def is_found(self) -> bool:
        """Say whether something was planted and all of it was found."""
        return bool(self.expected) and self.expected <= self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What one scanner says of one image.

    `target_config` (Trivy) or `target_manifest` (Grype) and `target_diff_ids` say which image it read. `packages` are all
    packages that it saw; `os_packages` (name, version, architecture) are those of the distribution's database. `passed_over`
    are those of the `os_packages` that it looked nothing up for, though its database has advisories for a package of that
    name; `unjudged` are packages of languages of which the same is true, because they name no version that can be compared.
    `answered` are pairs of a package of the distribution and a vulnerability of a file that it claims, where the database has
    the distribution's own word on that vulnerability. `uncovered` are ecosystems (purl types) of the image for which the
    database has no advisory at all. `suppressed` are ids that the tool left out on its own.
    `covered` says whether its database has advisories for the
    distribution's release; None where the image has no distribution. `secrets` only from Trivy, and only where
    `searched_secrets`: it was told to look for them. `package_report` is the second document of a run whose first does not
    name every package (Grype).
    """

    tool: ToolIdentity
    kind: Tool
    database: DatabaseIdentity
    java_database: DatabaseIdentity | None = None
    report: RawReport
    package_report: RawReport | None = None
    isolation: Isolation
    target_diff_ids: tuple[Digest, ...]
    target_config: Digest | None = None
    target_manifest: Digest | None = None
    distribution: ScannedDistribution | None = None
    packages: tuple[Package, ...] = ()
    os_packages: frozenset[tuple[str, str, str]] = frozenset()
    passed_over: frozenset[tuple[str, str, str]]
    unjudged: frozenset[PackageKey] = frozenset()
    answered: frozenset[tuple[OsPackage, str]] = frozenset()
    uncovered: frozenset[str] = frozenset()
    findings: tuple[ToolFinding, ...] = ()
    secrets: tuple[SecretFinding, ...] = ()
    searched_secrets: bool = False
    suppressed: tuple[str, ...] = ()
    covered: bool | None = None
    canary: Canary | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The distribution as the gate reads it from the merged view: `ID`, `VERSION_ID`, `VERSION_CODENAME` of os-release.

    `conflicts` name the release files or keys that contradict it or each other, in words; empty where all agree.
    """

    id: str
    version_id: str
    codename: str = ""
    pretty_name: str = ""
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDatabase:
    """One package database in the merged view: `dpkg`, `apk`, `rpm`, `pacman`; `readable` only if the gate read it whole.

    `linked` says that it is reached through a link that the distribution does not make itself.
    """

    kind: str
    path: str
    readable: bool
    linked: bool = False
    problem: str = ""
    packages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """One layer as it was read: digest and size of the blob, digest and size of its tar, number of entries."""

    digest: Digest
    size: int
    diff_id: Digest
    uncompressed_bytes: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What one pass over all layers found; every blob was hashed and every diff id compared on the way.

    `os_packages` (name, version, architecture) and `language_packages` are the gate's own reading of the merged view;
    `unversioned` are packages of languages whose file names no version, so that nobody can look them up. `package_forms` are the
    forms of packages that are there, whether or not the gate reads names and versions from them. `claims` are files of
    packages of languages (path) that a package of the distribution (name, version, architecture) has in its list.
    `removed_databases` stood in a lower layer and are gone above. `users` maps names of the image's own passwd file to
    numbers. `newest_file` is the newest believable modification time. `hidden_paths` are not kept; `final_layers` maps a
    path asked for to the layer that wrote it last: for secrets only (path, layer digest).
    """

    layers: tuple[LayerSummary, ...]
    distribution: Distribution | None = None
    package_databases: tuple[PackageDatabase, ...] = ()
    removed_databases: tuple[str, ...] = ()
    os_packages: frozenset[tuple[str, str, str]] = frozenset()
    language_packages: frozenset[PackageKey] = frozenset()
    unversioned: frozenset[PackageKey] = frozenset()
    package_forms: tuple[FormSeen, ...] = ()
    nested_databases: tuple[NestedDatabase, ...] = ()
    claims: frozenset[tuple[str, OsPackage]] = frozenset()
    redirects: tuple[Redirect, ...] = ()
    dropped_entries: tuple[DroppedEntry, ...] = ()
    privileged_files: tuple[PrivilegedFile, ...] = ()
    embedded_sboms: tuple[str, ...] = ()
    users: tuple[tuple[str, int], ...] = ()
    newest_file: datetime | None = None
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEvidence:
    """Secrets that the gate itself found; `unopened` names what could not be opened, with the reason.

    `key_id` names the key of the fingerprints: those of two installations can be compared where it is the same. `known` counts
    what was left out because it is public: keys of tests and documentation that packages ship.
    """

    findings: tuple[SecretFinding, ...] = ()
    unopened: tuple[tuple[str, str], ...] = ()
    rules_digest: Digest | None = None
    key_id: str = ""
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one of the policy's own rules came to; `value` is None where it was neither true nor false, and `error` says why."""

    id: str
    value: bool | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectEvidence:
    """All that was obtained about one runnable image. None: no check of the policy needs it, so nobody looked."""

    subject: Subject
    manifest: ImageManifest | Unavailable
    config: ImageConfig | Unavailable | None = None
    layers: LayerFacts | Unavailable | None = None
    trivy: ScanReport | Unavailable | None = None
    grype: ScanReport | Unavailable | None = None
    secrets: SecretEvidence | Unavailable | None = None
    rules: tuple[RuleResult, ...] | Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAnswer:
    """What an attested document came to under the schema of its format; `payload` is the digest of the signed statement.

    `violation` names the place and the rule that is broken, "" where none is; `unavailable` says why nobody could tell.
    """

    payload: Digest
    violation: str = ""
    unavailable: Unavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What was asked: the reference as text, the repository it is judged as, its tag as a remark, platforms asked for.

    `digest` is None where a tag was asked; `hint` is then the digest that the tag names now, if it could be asked. A `local`
    image (a layout or archive) is named by where it is, and its digest is known once it was read.
    """

    reference: str
    repository: Repository | None
    tag: str | None = None
    digest: Digest | None = None
    hint: Digest | None = None
    local: bool = False
    platforms: tuple[Platform, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeen:
    """What the record knew before: when a fix of each finding (by fingerprint) was first seen on any digest of this repository.

    `kept` says whether the record knew anything of this repository.
    """

    since: tuple[tuple[str, datetime], ...] = ()
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatData:
    """Known exploited vulnerabilities and EPSS scores from files that the policy pins; `known` says which are there."""

    kev: frozenset[str] = frozenset()
    epss: tuple[tuple[str, float], ...] = ()
    kev_digest: Digest | None = None
    epss_digest: Digest | None = None
    epss_date: datetime | None = None
    kev_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOrigin:
    """That the scans were made by another job: digest of the file that it handed over, when, and by which release."""

    file: Digest
    gathered_at: datetime
    gate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSet:
    """Everything that `decide` may know of one image.

    `root` is the manifest or index that was asked for; None where the reference was refused before anything was fetched or
    nothing could be fetched (`fault` then says why). `fault` is about the image as a whole; a fault of one child stands in
    its own `SubjectEvidence.manifest`. `attachments` hang on the digest that was asked for, the index's or the manifest's:
    a signature on an index covers its children, one on a child covers nothing else. `documents` are answers about those of them
    that the policy demands and whose format has a schema. `origin` is given where the scans were made
    by another job than the one that decides.
    """

    request: RequestFacts
    root: Descriptor | None = None
    index: ImageIndex | None = None
    subjects: tuple[SubjectEvidence, ...] = ()
    skipped: tuple[SkippedChild, ...] = ()
    attachments: Attachments | Unavailable | None = None
    documents: tuple[DocumentAnswer, ...] = ()
    fault: Unavailable | None = None
    first_seen: FirstSeen = FirstSeen()
    threat_data: ThreatData = ThreatData()
    origin: EvidenceOrigin | None = None
