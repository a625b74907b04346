"""Findings: one defect seen by a tool, and the same defect merged over tools.

Scale and identities: `checks` reference, sections 5.2 to 5.5. `unknown` is a level of its own, lower than every other in
order, which the policy must place; nothing compares it with a threshold directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gate.model.digest import Digest
from gate.model.severity import Severity


class FixState(StrEnum):
    """Whether a version without the defect exists."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    WONT_FIX = "wont-fix"
    UNKNOWN = "unknown"


class Tool(StrEnum):
    """The scanners whose reports are merged, and the gate itself."""

    TRIVY = "trivy"
    GRYPE = "grype"
    GATE = "gate"


@dataclass(frozen=True, slots=True, order=True)
class PackageKey:
    """The identity that packages of two tools are joined on: a normalised purl without its distribution, and a path.

    `type` is the purl type (`deb`, `apk`, `rpm`, `pypi`, `npm`, `maven`, `golang`, ...); `namespace` may be empty; `version`
    holds the epoch as `N:` where it is not zero; `arch` is empty for languages and `path` is empty for distributions.
    """

    type: str
    namespace: str
    name: str
    version: str
    arch: str = ""
    path: str = ""

    def __str__(self) -> str:
        namespace = f"{self.namespace}/" if self.namespace else ""
        return f"pkg:{self.type}/{namespace}{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as one tool names it; `purl` is the tool's own text and may be empty.

    `module` is the label of an rpm header that names the module which the package is of, as `nodejs:18:9:abc`.
    """

    key: PackageKey
    name: str
    version: str
    purl: str = ""
    source_name: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epss:
    """Probability of exploitation in 30 days, 0 to 1 (FIRST), and the day of the estimate."""

    cve: str
    score: float
    percentile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinding:
    """One vulnerability of one package, as one scanner reports it.

    `aliases` are identities of the same defect (CVE, GHSA, PYSEC, GO, TEMP ...), without `id`; `advisories` are bundles
    (DSA, USN, RHSA ...) that must never join two defects. `severity_text` is the tool's own word. Dates are aware or None.
    """

    tool: Tool
    id: str
    package: Package
    severity: Severity
    severity_text: str = ""
    severity_source: str = ""
    aliases: frozenset[str] = frozenset()
    advisories: frozenset[str] = frozenset()
    fix_state: FixState = FixState.UNKNOWN
    fixed_versions: tuple[str, ...] = ()
    published: datetime | None = None
    fix_available: datetime | None = None
    kev: frozenset[str] = frozenset()
    epss: tuple[Epss, ...] = ()
    title: str = ""
    url: str = ""
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One vulnerability of one package over all scanners.

    `id` is the CVE where there is one; `aliases` hold every identity, `id` included. `severity` is the highest that a tool
    gives. `seen_by` has one entry a tool record. `fix_known_since` is the earliest believable date of a fix, or None.
    `fingerprint` is stable over runs, tags and scanner versions: 16 hex of SHA-256 over id and package key without its version.
    """

    id: str
    aliases: frozenset[str]
    package: Package
    severity: Severity
    seen_by: tuple[ToolFinding, ...]
    fix_state: FixState
    fixed_versions: tuple[str, ...]
    fingerprint: str
    kev: frozenset[str] = frozenset()
    epss: Epss | None = None
    fix_known_since: datetime | None = None

    @property
    def tools(self) -> frozenset[Tool]:
        """Return the scanners that saw it."""
        return frozenset(seen.tool for seen in self.seen_by)


class SecretPlace(StrEnum):
    """Where in an image a secret stands."""

    FILE = "file"
    ENV = "env"
    LABEL = "label"
    HISTORY = "history"
    COMMAND = "command"
    CONFIG = "config"
    ANNOTATION = "annotation"
    ATTESTATION = "attestation"


class Confidence(StrEnum):
    """How sure it is that a finding is a secret; declared from lowest to highest."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CERTAIN = "certain"


class SecretGrade(StrEnum):
    """What was proven of a finding; declared from lowest to highest (ADR 0033).

    `certain`: a checksum that its vendor publishes, a private key that parses, a pair that belongs together. `likely`: a
    vendor's form, or an assignment to a name that means a credential. `possible`: the rest, with something that speaks against
    it: samples, defaults, words, texts for readers.
    """

    POSSIBLE = "possible"
    LIKELY = "likely"
    CERTAIN = "certain"

    @property
    def rank(self) -> int:
        """Return a number that grows with what was proven."""
        return list(SecretGrade).index(self)


class SecretOrigin(StrEnum):
    """Who shipped the file: a package of the image, as it is published, or the image's author."""

    OWN = "own"
    PACKAGED = "packaged"


_GRADES = {
    Confidence.LOW: SecretGrade.POSSIBLE,
    Confidence.MEDIUM: SecretGrade.LIKELY,
    Confidence.HIGH: SecretGrade.LIKELY,
    Confidence.CERTAIN: SecretGrade.CERTAIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFinding:
    """A plaintext secret, without the secret: no part of its value stands in any field.

    `location` is a path, or the name of the variable, label or history entry (`configuration` for any other field of it);
    `layer` is the digest of the layer for a file.
    `hidden` says that a later layer deletes or overwrites the file, under each of its names: `paths` are all of them, at most
    100, where hard links give it several. `chain` are the containers and encodings that were opened on the way, outermost first;
    `line` and `offset` (in bytes) are of the innermost text. `key_path` is the name that the value is assigned to, `prefix` a
    vendor's fixed beginning. `fingerprint` is keyed: a short value cannot be guessed. `file_digest` is of the whole file where it
    is small. `package` names the package that shipped the file as it is; empty for the author's own.
    """

    rule: str
    title: str
    place: SecretPlace
    location: str
    fingerprint: str
    severity: Severity = Severity.HIGH
    tool: Tool = Tool.GATE
    layer: Digest | None = None
    line: int | None = None
    hidden: bool = False
    paths: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    offset: int | None = None
    key_path: str = ""
    prefix: str = ""
    confidence: Confidence | None = None
    file_digest: Digest | None = None
    package: str = ""

    @property
    def grade(self) -> SecretGrade:
        """Return what was proven of it; a finding of a scanner that does not say is by a vendor's form."""
        return _GRADES[self.confidence or Confidence.HIGH]

    @property
    def origin(self) -> SecretOrigin:
        """Return who shipped it."""
        return SecretOrigin.PACKAGED if self.package else SecretOrigin.OWN

    @property
    def names(self) -> tuple[str, ...]:
        """Return every path of the file, or the one name of what is no file."""
        return self.paths or (self.location,)
