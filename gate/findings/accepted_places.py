"""The operator's half of completeness: each refusal that a place in the image causes is lifted by an entry of `coverage.accept`.

A problem names its place in `location`; one whose place the policy accepts is not reported. What no place causes has a setting of
its own (`docs/checks/coverage.md`): a database's age, a release's end, a platform, which scanners are asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gate.model.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.model.evidence import LayerFacts
    from gate.model.policy import CoveragePolicy
    from gate.model.verdict import Problem

RELEASE_FILE: Final = "etc/os-release"
"""The place of everything that is about which distribution and release an image is."""


def without_accepted(problems: Iterable[Problem], policy: CoveragePolicy, now: datetime) -> Iterator[Problem]:
    """Leave out what the policy accepts by its place; tell the others that an entry could, where they are the image's fault."""
    for problem in problems:
        if not problem.location:
            yield problem
        elif not policy.accepted(problem.location, now):
            yield _with_step(problem)


def database_place(layers: LayerFacts, policy: CoveragePolicy, now: datetime, kind: str = "") -> str:
    """Return the package database that a problem about packages is about: the first that the policy does not accept."""
    places = [one.path for one in layers.package_databases if not kind or one.kind == kind]
    open_ones = [path for path in places if not policy.accepted(path, now)]
    return (open_ones or places or [RELEASE_FILE])[0]


def _with_step(problem: Problem) -> Problem:
    step = problem.next_step or REASONS[problem.code].next_step
    if "`path: " in step:
        return problem
    place = f"/{ascii(problem.location)[1:-1]}"
    return replace(
        problem, next_step=f"{step} Where this is known to be so: `spec.coverage.accept` with `path: {place}`."
    )
