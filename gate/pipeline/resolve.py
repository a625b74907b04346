"""`resolve`: the digest that a tag names now. A hint for people, who then write the digest down; no stage deploys by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gate.clock import Deadline
from gate.errors import UsageError
from gate.model.reference import RegistryReference, parse_reference
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions


def resolve(
    reference: str, *, registry: RegistryOptions, timeout: timedelta = timedelta(minutes=1)
) -> RegistryReference:
    """Return the reference with its digest; a reference that has one is given back as it is, without asking anybody.

    Raises:
        UsageError: it is not a reference into a registry; RegistryError: it cannot be asked.
    """
    parsed = parse_reference(reference)
    if not isinstance(parsed, RegistryReference):
        raise UsageError(
            "only a tag in a registry can be resolved", expected="registry/repository:tag", seen=reference[:120]
        )
    if parsed.digest is not None:
        return parsed
    tag = parsed.tag or "latest"
    with RegistryClient(registry, Deadline.after(timeout)) as client:
        return replace(parsed, tag=tag, digest=client.resolve_tag(parsed.repository, tag))
