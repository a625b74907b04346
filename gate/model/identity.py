"""Identities in certificates: what a policy demands, and what a verified certificate says.

An identity always has its issuer: the same subject from another issuer is somebody else (attack I03). Values only.

Specification: fulcio `docs/oid-info.md`; formats reference, section 8.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from collections.abc import Mapping


class Claim(StrEnum):
    """What a certificate says beside subject and issuer, by the name that policies use."""

    OLD_TRIGGER = "oldTrigger"
    OLD_COMMIT = "oldCommit"
    WORKFLOW_NAME = "workflowName"
    OLD_REPOSITORY = "oldRepository"
    OLD_REF = "oldRef"
    BUILDER = "builder"
    BUILDER_DIGEST = "builderDigest"
    RUNNER_ENVIRONMENT = "runnerEnvironment"
    SOURCE_REPOSITORY = "sourceRepository"
    COMMIT = "commit"
    REF = "ref"
    REPOSITORY_ID = "repositoryId"
    OWNER = "owner"
    OWNER_ID = "ownerId"
    WORKFLOW = "workflow"
    WORKFLOW_DIGEST = "workflowDigest"
    TRIGGER = "trigger"
    RUN = "run"
    VISIBILITY = "visibility"
    ENVIRONMENT = "environment"


# The last number of the extension's object identifier, below 1.3.6.1.4.1.57264.1.
CLAIM_NUMBERS: Final[Mapping[Claim, int]] = MappingProxyType(
    {
        Claim.OLD_TRIGGER: 2,
        Claim.OLD_COMMIT: 3,
        Claim.WORKFLOW_NAME: 4,
        Claim.OLD_REPOSITORY: 5,
        Claim.OLD_REF: 6,
        Claim.BUILDER: 9,
        Claim.BUILDER_DIGEST: 10,
        Claim.RUNNER_ENVIRONMENT: 11,
        Claim.SOURCE_REPOSITORY: 12,
        Claim.COMMIT: 13,
        Claim.REF: 14,
        Claim.REPOSITORY_ID: 15,
        Claim.OWNER: 16,
        Claim.OWNER_ID: 17,
        Claim.WORKFLOW: 18,
        Claim.WORKFLOW_DIGEST: 19,
        Claim.TRIGGER: 20,
        Claim.RUN: 21,
        Claim.VISIBILITY: 22,
        Claim.ENVIRONMENT: 23,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A text that must be equal, byte for byte, or a pattern that must fit as a whole; never empty."""

    text: str
    is_pattern: bool = False

    def __str__(self) -> str:
        return f"/{self.text}/" if self.is_pattern else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who may sign: subject and issuer, and the claims that the same certificate must carry."""

    subject: Matcher
    issuer: Matcher
    claims: tuple[tuple[Claim, Matcher], ...] = ()

    def __str__(self) -> str:
        return f"{self.subject} by {self.issuer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedIdentity:
    """Who signed, from a certificate that was verified; `claims` holds every Fulcio extension by its policy name."""

    subject: str
    issuer: str
    claims: StringMap = StringMap()

    def __str__(self) -> str:
        return f"{self.subject} by {self.issuer}"
