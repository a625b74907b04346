"""What an advisory says, before it becomes rows of one scanner's database.

The values are the project's own data, not foreign input: a mistake in them stops the build with `ValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

# By this name the gate knows that a database holds demonstration data: the file `DEMONSTRATION` beside the databases,
# the top-level bucket and `data-source` entry of Trivy's, the group id in the Java one, the provider id of Grype's.
DEMONSTRATION: Final = "gate-demonstration"
DEMONSTRATION_NOTICE: Final = (
    "Demonstration data: a small hand-made selection of advisories. Nothing that is judged with it is judged for real."
)


class Scanner(StrEnum):
    """Whose database a fact goes into."""

    TRIVY = "trivy"
    GRYPE = "grype"


class Ecosystem(StrEnum):
    """Where a package name has its meaning; distributions are divided by release."""

    DEBIAN = "debian"
    UBUNTU = "ubuntu"
    ALPINE = "alpine"
    PYPI = "pypi"
    NPM = "npm"
    MAVEN = "maven"
    GO = "go"

    @property
    def is_distribution(self) -> bool:
        """Say whether packages of it are found in a distribution's package database."""
        return self in {Ecosystem.DEBIAN, Ecosystem.UBUNTU, Ecosystem.ALPINE}


class Source(StrEnum):
    """Who gave a severity; the values are Trivy's names of its sources."""

    NVD = "nvd"
    GHSA = "ghsa"
    OSV = "osv"
    DEBIAN = "debian"
    UBUNTU = "ubuntu"
    ALPINE = "alpine"
    OURS = DEMONSTRATION


class Word(StrEnum):
    """A severity as the sources spell it; `unimportant` is Debian's."""

    UNIMPORTANT = "unimportant"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FixState(StrEnum):
    """What the source says about a repaired version; the values are Grype's."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    WONT_FIX = "wont-fix"


# The code name is part of what Grype looks up; the releases that have a row even where no real advisory stands for them.
CODENAMES: Final = {
    (Ecosystem.DEBIAN, "11"): "bullseye",
    (Ecosystem.DEBIAN, "12"): "bookworm",
    (Ecosystem.DEBIAN, "13"): "trixie",
    (Ecosystem.UBUNTU, "22.04"): "jammy",
    (Ecosystem.UBUNTU, "24.04"): "noble",
    **{(Ecosystem.ALPINE, f"3.{minor}"): "" for minor in range(18, 23)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRange:
    """Affected versions: from `introduced` (empty: the first), up to but without `fixed`, or with `last_affected`."""

    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""

    @property
    def constraint(self) -> str:
        """Return it in the form that both scanners read; empty means every version."""
        parts = [f">={self.introduced}"] if self.introduced else []
        parts += [f"<{self.fixed}"] if self.fixed else []
        parts += [f"<={self.last_affected}"] if self.last_affected else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One affected package; for a distribution the source package, with the distribution's own word."""

    ecosystem: Ecosystem
    release: str = ""
    package: str
    ranges: tuple[VersionRange, ...]
    state: FixState
    urgency: Word | None = None
    fix_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """What one source says; `vector` is a CVSS 3 vector, or empty where the source has a word only."""

    source: Source
    word: Word
    vector: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class KnownExploited:
    """An entry of CISA's list of known exploited vulnerabilities; `ransomware` is `Known` or `Unknown`."""

    added: date
    ransomware: str


@dataclass(frozen=True, slots=True)
class ExploitPrediction:
    """An EPSS score with its percentile, both 0 to 1."""

    score: float
    percentile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One advisory; `aliases` are other names of the same defect, without `id`, sorted."""

    id: str
    aliases: tuple[str, ...] = ()
    title: str = ""
    published: datetime | None = None
    modified: datetime | None = None
    source: Source
    severities: tuple[Severity, ...] = ()
    affected: tuple[Affected, ...] = ()
    scanners: frozenset[Scanner] = frozenset(Scanner)
    known_exploited: KnownExploited | None = None
    exploit_prediction: ExploitPrediction | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the id and the aliases."""
        return (self.id, *self.aliases)

    @property
    def cves(self) -> tuple[str, ...]:
        """Return the CVE names among id and aliases, sorted."""
        return tuple(sorted(name for name in self.names if name.startswith("CVE-")))
