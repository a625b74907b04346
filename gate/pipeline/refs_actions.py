"""Commits of actions and reusable workflows: what a tag names now, whether a comment tells the truth, and whose commit it is."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

from gate.errors import GateError
from gate.model.found_reference import COMMIT, FoundReference, ReferenceKind, ReferenceState
from gate.sources.changes import pin_revision, unpin_revision

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from gate.pipeline.refs import FoundReferences, Wanted
    from gate.pipeline.refs_change import Changes
    from gate.registry.github import GitHub

T = TypeVar("T")
_AT_ONCE: Final = 8
# A tag of one release, which nobody moves on purpose; `v4` and `main` move.
_RELEASE: Final = re.compile(r"v?\d+\.\d+\.\d+.*", re.ASCII)
KINDS: Final = frozenset({ReferenceKind.ACTION, ReferenceKind.WORKFLOW})


class ActionLookups:
    """Asks GitHub, each question once in a run; use it as a context, so that its threads end."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="github")
        self._commits: dict[tuple[str, str], Future[str | None]] = {}
        self._holds: dict[tuple[str, str], Future[bool]] = {}
        self._below: dict[tuple[str, str], Future[bool]] = {}
        self._dates: dict[tuple[str, str], Future[datetime | None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def commit_of(self, repository: str, name: str) -> Future[str | None]:
        """Ask what a tag or branch names."""
        return self._once(self._commits, self._github.commit_of, repository, name)

    def holds(self, repository: str, commit: str) -> Future[bool]:
        """Ask whether a commit is the repository's own."""
        return self._once(self._holds, self._github.holds, repository, commit)

    def is_below(self, repository: str, commit: str, name: str) -> Future[bool]:
        """Ask whether a commit is an ancestor of what a tag or branch names."""
        return self._once(self._below, self._github.is_below, repository, f"{commit}...{name}")

    def date_of(self, repository: str, commit: str) -> Future[datetime | None]:
        """Ask when a commit was made."""
        return self._once(self._dates, self._github.date_of, repository, commit)

    def _once(
        self, asked: dict[tuple[str, str], Future[T]], ask: Callable[[str, str], T], repository: str, name: str
    ) -> Future[T]:
        key = repository.lower(), name
        if key not in asked:
            asked[key] = self._pool.submit(ask, repository, name)
        return asked[key]


def plan_actions(
    found: FoundReferences,
    wanted: Wanted,
    lookups: ActionLookups,
    data: Callable[[str], bytes],
    now: datetime,
    plan: Changes,
) -> None:
    """Add to the plan what to do with each action; a comment that lies and a foreign commit become refusals of their own."""
    concerned = [(number, item) for number, item in enumerate(found.references) if _concerned(item, wanted)]
    for _, item in concerned:
        repository, revision = _parts(item)
        name = _name(item, revision)
        if name:
            lookups.commit_of(repository, name)
    for number, item in concerned:
        try:
            found.references[number] = _plan(item, wanted, lookups, partial(data, item.path), now, plan)
        except GateError as fault:
            plan.faults.setdefault(str(fault), fault)


def plan_unpin_actions(found: FoundReferences, data: Callable[[str], bytes], plan: Changes) -> None:
    """Add to the plan the changes that name again what the comment of a pinned action says."""
    for item in found.references:
        if item.kind not in KINDS or item.state is not ReferenceState.PINNED:
            continue
        change = unpin_revision(item, data(item.path))
        if change is not None:
            plan.made.append(change)
        else:
            plan.notes[item] = "has no comment that names a tag"


def _concerned(found: FoundReference, wanted: Wanted) -> bool:
    if found.kind not in KINDS:
        return False
    return found.state is ReferenceState.PINNED or (found.state is ReferenceState.MUTABLE and wanted.fix)


def _parts(found: FoundReference) -> tuple[str, str]:
    """Return the repository and the revision of `owner/name/path@revision`."""
    place, _, revision = found.value.rpartition("@")
    return "/".join(place.split("/")[:2]), revision


def _name(found: FoundReference, revision: str) -> str:
    """Return the tag or branch that a reference names: of a commit, the first word of its comment, or nothing."""
    return found.comment.partition(" ")[0] if COMMIT.fullmatch(revision) else revision


def _plan(
    found: FoundReference,
    wanted: Wanted,
    lookups: ActionLookups,
    data: Callable[[], bytes],
    now: datetime,
    plan: Changes,
) -> FoundReference:
    repository, revision = _parts(found)
    pinned = COMMIT.fullmatch(revision) is not None
    name = _name(found, revision)
    commit = lookups.commit_of(repository, name).result() if name else None
    if pinned and commit != revision and not (wanted.update and commit):
        return _checked(found, repository, revision, name, commit, lookups, plan)
    if commit is None:
        if not pinned:
            plan.notes[found] = f"{repository} has no tag or branch of this name"
        return found
    young = _too_young(lookups, repository, commit, wanted.min_age, now) if commit != revision else ""
    if young:
        plan.notes[found] = young
    elif commit != revision:
        change = pin_revision(found, data(), commit, name)
        if change is None:
            plan.notes[found] = f"cannot be written here: {commit}"
        else:
            plan.made.append(change)
    return found


def _checked(
    found: FoundReference, repository: str, revision: str, name: str, commit: str | None, lookups: ActionLookups, plan: Changes
) -> FoundReference:  # fmt: skip
    """Return a pinned reference that its comment does not vouch for, as what it is: its own, foreign, or wrongly described."""
    moved = commit is not None and lookups.is_below(repository, revision, name).result()
    if not moved and not lookups.holds(repository, revision).result():
        note = f"no branch or tag of {repository} holds this commit"
        return replace(found, state=ReferenceState.INVALID, code="REF_FOREIGN_COMMIT", note=note)
    if commit is None:
        return found  # the comment names no tag: a remark of its own
    if moved and not _RELEASE.fullmatch(name):
        plan.notes[found] = f"{name} names {commit} now"
        plan.outdated.add(found)
        return found
    note = f"the comment says {name}, which names {commit}"
    return replace(found, state=ReferenceState.INVALID, code="REF_COMMENT", note=note)


def _too_young(lookups: ActionLookups, repository: str, commit: str, min_age: timedelta | None, now: datetime) -> str:
    if min_age is None:
        return ""
    made = lookups.date_of(repository, commit).result()
    if made is not None and made.tzinfo is not None and now - made >= min_age:
        return ""
    return f"{commit} is younger than {min_age.days} days" if made else f"{commit} claims no age"
