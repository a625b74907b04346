"""The requirement: what a deploy stage demands of verdicts, whatever a policy says (DESIGN, section 6).

Values only; `gate.codec.requirement.document` makes them from bytes, strictly, and `gate.pipeline.verify` from options.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.image import Platform
from gate.model.policy_signers import SignatureRule, Signer
from gate.model.reference import Repository

DEFAULT_MAX_AGE: Final = timedelta(days=7)
DEFAULT_EVIDENCE_TYPE: Final = "https://gate.example/evidence/v1"
DEFAULT_EXTENSION_PREFIX: Final = "https://gate.example/vsa/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSigner:
    """Who may sign verdicts, bound to the verifier id that the verdicts must carry (None: any id is accepted)."""

    signer: Signer
    verifier_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRule:
    """What a verdict must be to let an image in."""

    signed_by: tuple[VerdictSigner, ...]
    failed_by: tuple[VerdictSigner, ...] = ()
    policies: frozenset[Digest] = frozenset()
    environment: str | None = None
    max_age: timedelta = DEFAULT_MAX_AGE
    require_timestamp: bool = False
    extension_prefixes: tuple[str, ...] = (DEFAULT_EXTENSION_PREFIX,)
    evidence_types: tuple[str, ...] = (DEFAULT_EVIDENCE_TYPE,)


class Mode(StrEnum):
    """What an admission does with a refusal: refuse, let in with a warning, or let in and only write it down."""

    ENFORCE = "enforce"
    WARN = "warn"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequirement:
    """For images that match: a verdict, or only signatures (`signature`); exactly one is given.

    `attestations_in` is a repository that is asked too for what is attached to the image. `mode` is for a cluster's admission;
    `gate verify` always says what it found.
    """

    match: Glob
    verdict: VerdictRule | None = None
    signature: SignatureRule | None = None
    attestations_in: Repository | None = None
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Images of one namespace that nothing is demanded of until the end of a day, and who answers for that (UTC)."""

    namespace: str
    images: Glob
    reason: str
    owner: str
    ends: date

    def holds(self, namespace: str, repository: Repository, now: datetime) -> bool:
        """Say whether it is about this image, and has not ended."""
        return self.namespace == namespace and self.images.matches(str(repository)) and now.date() <= self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResource:
    """A kind of others, and the paths at which its objects hold a reference or the specification of a pod."""

    group: str
    kind: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRules:
    """What an admission in a cluster needs beside the demands: exemptions, which nothing else grants, and kinds of others."""

    exempt: tuple[Exemption, ...] = ()
    custom_resources: tuple[CustomResource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a deploy stage demands: the first entry that matches decides; no entry matches: refused.

    `platforms` are those of the stage's nodes: an index is judged by the verdicts of these children. Empty: by its own.
    """

    name: str
    digest: Digest
    images: tuple[ImageRequirement, ...]
    platforms: tuple[Platform, ...] = ()
    cluster: ClusterRules = ClusterRules()
