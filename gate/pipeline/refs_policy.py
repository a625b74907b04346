"""What a policy says of found references: which repositories are allowed, and which references may stay until when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gate.model.found_reference import FoundReference, ReferenceState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from gate.model.policy import Policy


def judge_references(
    found: Iterable[FoundReference], policy: Policy, today: date
) -> tuple[list[FoundReference], list[str]]:
    """Return the references as the policy sees them, and a note on each exception that excuses nothing; `today` is in UTC."""
    judged: list[FoundReference] = []
    used: set[int] = set()
    for item in found:
        seen = _in_allowed_repository(item, policy)
        for number, exception in enumerate(policy.reference_exceptions):
            if seen.refuses and exception.covers(seen) and today <= exception.expires:
                used.add(number)
                note = f"excepted until {exception.expires} by {exception.owner}: {exception.reason}"
                seen = replace(seen, state=ReferenceState.EXEMPT, code="", note=note)
        judged.append(seen)
    notes = [
        f"the exception for {exception} {'has ended' if exception.expires < today else 'excuses nothing'}"
        for number, exception in enumerate(policy.reference_exceptions)
        if number not in used
    ]
    return judged, notes


def _in_allowed_repository(found: FoundReference, policy: Policy) -> FoundReference:
    if found.image is None or not policy.registries or found.state is ReferenceState.EXEMPT:
        return found
    repository = str(found.image.repository)
    if any(glob.matches(repository) for glob in policy.registries):
        return found
    note = f"the policy allows {', '.join(map(str, policy.registries))}"
    return replace(found, state=ReferenceState.INVALID, code="REF_REGISTRY", note=note)
