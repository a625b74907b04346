"""The verdict: all answers about one image, from which exit code, reports and attestations are made.

An image passes when every check that was asked says pass; the absence of a failure is not a pass (rule 2). One failed check
refuses even where another could not be judged, because nothing that could still be learned would admit the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gate.model.decision import Decision, Outcome
from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, EvidenceOrigin, Isolation, RawReport, RequestFacts, ToolIdentity
from gate.model.finding import Finding, SecretFinding
from gate.model.image import Descriptor
from gate.model.image_config import ImageConfig
from gate.model.policy import Waiver
from gate.model.reasons import EXIT_CODES, ReasonClass
from gate.model.subject import SkippedChild, Subject
from gate.model.trust import TrustSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason of one check: what was expected, what was seen, what to do next.

    `subject` is the child of an index that it is about. `fingerprint`, `location` and `rule` are what a waiver can name
    (see `Waiver.match`). `waived_by` is the id of the waiver that applies; a waived problem refuses nothing, nor does one that
    the policy takes for a warning (`warned`).
    """

    code: str
    message: str
    expected: str = ""
    seen: str = ""
    next_step: str = ""
    subject: Digest | None = None
    fingerprint: str = ""
    location: str = ""
    rule: str = ""
    waived_by: str = ""
    warned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The answer of one check over all subjects; `counts` are named numbers for the record, sorted by name.

    `warned` says of one that failed that the policy takes all of its problems for warnings: it refuses nothing.
    """

    id: str
    outcome: Outcome
    message: str
    problems: tuple[Problem, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    warned: bool = False

    @property
    def state(self) -> str:
        """Say the outcome in one word for people: a failure that refuses nothing is `warn`."""
        return "warn" if self.warned else self.outcome.value

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of the problems that are not waived, sorted, each once."""
        return tuple(sorted({problem.code for problem in self.problems if not problem.waived_by}))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFinding:
    """A finding and what was decided of it, with the reasons in words.

    `counts` says whether it refuses the image, `code` is the reason it then has. `waived_by`, `vex` (document and status),
    `grace_until` and `warned` (the policy only warns of such) say why it does not.
    """

    finding: Finding
    subject: Digest
    counts: bool
    code: str
    explanation: str
    waived_by: str = ""
    vex: str = ""
    grace_until: datetime | None = None
    warned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSecret:
    """A secret and what was decided of it."""

    secret: SecretFinding
    subject: Digest
    counts: bool
    explanation: str
    waived_by: str = ""
    warned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSearch:
    """How one image was searched for secrets: under which rules and which key of fingerprints.

    `known` counts what was left out because it is public; `unopened` are places with the reason, whatever the policy makes of
    them. `rules_digest` is None and `key_id` empty where nothing was searched by the gate itself.
    """

    subject: Digest
    rules_digest: Digest | None
    key_id: str
    known: int = 0
    unopened: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What one scanner saw and the other did not, or a severity on which they differ."""

    subject: Digest
    finding: str
    package: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedWaiver:
    """A waiver of the policy and what became of it: `used`, `unused`, `expired`, or `elsewhere` (for other images).

    `covers` counts what it excused.
    """

    waiver: Waiver
    state: str
    covers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One scanner as it ran: identity, databases, how it was kept from the network."""

    tool: ToolIdentity
    databases: tuple[DatabaseIdentity, ...]
    isolation: Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedSignature:
    """A signature that met the policy: by which key, in which manifest it stood.

    By a certificate, `key_id` is that of its passing key, and `identity` and `issuer` are who signed; else both are empty.
    `trusted_root` is the digest of the root that it was verified with; None for a key that the policy gives none.
    """

    key_id: str
    format: str
    attachment: Digest | None = None
    identity: str = ""
    issuer: str = ""
    trusted_root: Digest | None = None

    @property
    def signer(self) -> str:
        """Say in a few words who signed."""
        return f"{self.identity} by {self.issuer}" if self.identity else self.key_id[:19]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRoot:
    """A trusted root that what is attached was judged with: `name` and `place` as in `Trust`, `digest` of its bytes.

    Nothing says when a pinned or shipped file was fetched: `newest` is since when its newest entry counts, `ends` when nobody
    can sign under it any more.
    """

    name: str
    digest: Digest
    source: TrustSource
    place: str
    newest: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySummary:
    """Which policy decided; `warn` holds the ids of the checks whose failures it takes for warnings."""

    name: str
    digest: Digest
    uri: str
    warn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All answers about one image at one moment under one policy.

    `root` is None where nothing was fetched; such a verdict has no subject and is never attested. `checks` holds every check
    of this release, sorted by id. `config` is of the first subject what reports show; never text in which secrets are found.
    `demonstration` marks a verdict that was made with demonstration data. `build_level` is the SLSA build level that was proven.
    `origin` says that another job scanned. `trusted_roots` are those of the policy's entries that apply to this image, sorted.
    """

    request: RequestFacts
    decision: Decision
    evaluated_at: datetime
    policy: PolicySummary
    environments: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    root: Descriptor | None = None
    subjects: tuple[Subject, ...] = ()
    skipped: tuple[SkippedChild, ...] = ()
    findings: tuple[JudgedFinding, ...] = ()
    secrets: tuple[JudgedSecret, ...] = ()
    secret_searches: tuple[SecretSearch, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    waivers: tuple[UsedWaiver, ...] = ()
    notes: tuple[str, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    reports: tuple[RawReport, ...] = ()
    signatures: tuple[AcceptedSignature, ...] = ()
    trusted_roots: tuple[UsedRoot, ...] = ()
    config: ImageConfig | None = None
    demonstration: bool = False
    build_level: int = 0
    origin: EvidenceOrigin | None = None

    @property
    def exit_code(self) -> int:
        """Return the exit code (DESIGN, section 3): 0 passed, 1 refused, 3 could not be judged."""
        match self.decision:
            case Decision.PASSED:
                return 0
            case Decision.REFUSED:
                return EXIT_CODES[ReasonClass.FAIL]
            case Decision.ERROR:
                return EXIT_CODES[ReasonClass.ERROR]

    @property
    def digest(self) -> Digest | None:
        """Return the digest that was judged."""
        return self.root.digest if self.root is not None else None
