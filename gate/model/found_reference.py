"""References that were found in the files of a repository: what stands there, where, and whether it can move.

A reference is pinned only if what it names can never be something else: an image by its digest, a repository by its commit. What
cannot be evaluated without running something is unresolved, and refused like a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gate.errors import UsageError
from gate.model.reference import RegistryReference, parse_reference

COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


class ReferenceKind(StrEnum):
    """What is referred to; the value is used in reports."""

    IMAGE = "image"
    ACTION = "action"
    WORKFLOW = "workflow"
    INCLUDE = "include"
    HOOK = "hook"
    MODULE = "module"
    PROVIDER = "provider"
    CHART = "chart"
    PACKAGE = "package"
    MACHINE_IMAGE = "machine-image"
    GIT = "git"
    URL = "url"


class ReferenceState(StrEnum):
    """How a reference stands; only what is pinned or exempt is accepted."""

    PINNED = "pinned"
    MUTABLE = "mutable"
    UNRESOLVED = "unresolved"
    INVALID = "invalid"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file: bytes from `start` up to `end`; line and column count from 1, columns in characters."""

    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReference:
    """One reference in a file.

    `text` is what stands in the file at `span`, `value` what it comes to after variables. `reached` says how it was reached, as
    `services.web.image`. `fixable` says that the bytes at `span` may be replaced so that the reference is pinned; `platform` is
    the one that the place itself names. `advisory` marks what is probably a reference: it is shown and refuses nothing.
    `outdated` marks a pin whose tag names something else now.
    """

    path: str
    span: Span
    kind: ReferenceKind
    text: str
    value: str
    reached: str
    state: ReferenceState
    code: str = ""
    note: str = ""
    image: RegistryReference | None = None
    platform: str = ""
    comment: str = ""
    fixable: bool = False
    advisory: bool = False
    outdated: bool = False

    @property
    def refuses(self) -> bool:
        """Report whether this reference refuses the repository."""
        return bool(self.code) and not self.advisory


@dataclass(frozen=True, slots=True)
class Standing:
    """How a text stands as a reference, and what it parsed to."""

    state: ReferenceState
    code: str = ""
    note: str = ""
    image: RegistryReference | None = None


PINNED: Final = Standing(ReferenceState.PINNED)


def mutable(note: str) -> Standing:
    """Return the standing of something that can move; `note` says why."""
    return Standing(ReferenceState.MUTABLE, "REF_MUTABLE", note)


def unresolved(note: str) -> Standing:
    """Return the standing of something that only a run decides; `note` says what is missing."""
    return Standing(ReferenceState.UNRESOLVED, "REF_UNRESOLVED", note)


def invalid(note: str) -> Standing:
    """Return the standing of a text that is no reference at a place where one must stand."""
    return Standing(ReferenceState.INVALID, "REF_INVALID", note)


def exempt(note: str) -> Standing:
    """Return the standing of what refuses nothing although it can move; `note` says why."""
    return Standing(ReferenceState.EXEMPT, "", note)


def image_standing(text: str) -> Standing:
    """Return how an image reference stands (untrusted text, variables already replaced)."""
    try:
        parsed = parse_reference(text)
    except UsageError as error:
        return invalid(f"not an image reference: expected {error.expected}")
    if not isinstance(parsed, RegistryReference):
        return invalid("not an image in a registry")
    if parsed.digest is not None:
        return Standing(ReferenceState.PINNED, image=parsed)
    note = "a tag can be moved" if parsed.tag else "without a tag, `latest` is meant, and it moves"
    return Standing(ReferenceState.MUTABLE, "REF_NOT_DIGEST", note, parsed)


def commit_standing(revision: str, what: str) -> Standing:
    """Return how a revision of a repository stands: only a whole commit is pinned."""
    if COMMIT.fullmatch(revision):
        return PINNED
    return mutable(f"{what} is no whole commit, so it can move")
