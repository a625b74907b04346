"""Package databases that no scanner reads as what they are: a chiselled image's manifest, and roots below the image's root.

Each is refused by name, until an entry of `coverage.accept` says that it is known (DESIGN, section 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import LayerFacts
    from gate.model.policy import CoveragePolicy

_CHISEL = "chisel"


def is_chiselled(layers: LayerFacts) -> bool:
    """Say whether what is installed stands in a manifest of chisel."""
    return any(database.kind == _CHISEL for database in layers.package_databases)


def place_problems(layers: LayerFacts, coverage: CoveragePolicy, subject: Digest, now: datetime) -> Iterator[Problem]:
    """Name each database that no scanner reads as what it is and that the policy does not accept."""
    for database in layers.package_databases:
        if database.kind == _CHISEL and not coverage.accepted(database.path, now):
            yield _problem(
                "this is a chiselled image: no scanner reads the manifest of what is installed",
                "a package database that a scanner reads, or an entry of `coverage.accept`",
                database.path,
                subject,
                "Build on an image with a dpkg database (`ubuntu`), or a",
            )
    for nested in layers.nested_databases:
        if not coverage.accepted(nested.path, now):
            yield _problem(
                f"a root file system is nested in the image: a {nested.kind} database that is not the image's own",
                "package databases of the image's own root, or an entry of `coverage.accept`",
                nested.path,
                subject,
                "Scan what is nested as an image of its own and leave it out here, or a",
            )


def _problem(message: str, expected: str, path: str, subject: Digest, step: str) -> Problem:
    place = f"/{ascii(path)[1:-1]}"
    return Problem(
        code="SCAN_FORM_UNREAD",
        message=message,
        expected=expected,
        seen=place,
        subject=subject,
        next_step=f"{step}ccept it with a reason, an owner and an end: `spec.coverage.accept` with `path: {place}`.",
    )
