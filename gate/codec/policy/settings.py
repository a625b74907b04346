"""The sections `spec.references`, `spec.platforms`, `spec.limits` and `spec.attest` of a policy.

Specification: DESIGN, section 6; limits: checks reference, section 7.2.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.platforms import parse_platform
from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct, read_name, read_prefix, read_uri
from gate.codec.yaml_node import Node
from gate.errors import UsageError
from gate.model.limits import GIB, MIB, LayerLimits
from gate.model.policy import AttestSettings

if TYPE_CHECKING:
    from gate.model.image import Platform

_LIMITS: Final = LayerLimits()
_ATTEST: Final = AttestSettings()
# A verdict of more than a year says nothing of what is known now.
MAX_VERDICT_AGE: Final = timedelta(days=365)
MAX_ENVIRONMENTS: Final = 32
MAX_PLATFORMS: Final = 32


def read_platforms(node: Node) -> tuple[Platform, ...]:
    """Read `spec.platforms`: `all`, given as an empty tuple, or a list."""
    if node.kind == "scalar":
        if node.text() != "all":
            raise node.refuse("is not acceptable", expected="all, or a list of platforms", seen=node.text())
        return ()
    items = node.items(most=MAX_PLATFORMS, empty_code="POL_MALFORMED")
    return distinct(node, map(_platform, items), "platform")


def _platform(node: Node) -> Platform:
    text = node.text()
    try:
        return parse_platform(text)
    except UsageError as error:
        raise node.refuse("is not a platform", expected="os/architecture[/variant]", seen=text) from error


def read_limits(node: Node) -> LayerLimits:
    """Read `spec.limits`; a number that is not given keeps the gate's default."""
    fields = node.fields(POLICY_KEYS["spec.limits"])
    return LayerLimits(
        layers=fields.get("layers", lambda value: value.integer(1, 1000), _LIMITS.layers),
        uncompressed_bytes=fields.get(
            "uncompressedBytes", lambda value: value.integer(1, 1024 * GIB), _LIMITS.uncompressed_bytes
        ),
        entries=fields.get("entries", lambda value: value.integer(1, 100_000_000), _LIMITS.entries),
        ratio=fields.get("ratio", lambda value: value.integer(1, 100_000), _LIMITS.ratio),
        ratio_window_bytes=fields.get(
            "ratioWindowBytes", lambda value: value.integer(MIB, 16 * GIB), _LIMITS.ratio_window_bytes
        ),
        seconds_per_gib=fields.get("secondsPerGib", lambda value: value.number(1, 86_400), _LIMITS.seconds_per_gib),
    )


def read_attest(node: Node) -> AttestSettings:
    """Read `spec.attest`."""
    fields = node.fields(POLICY_KEYS["spec.attest"])
    return AttestSettings(
        verifier_id=fields.get("verifierId", read_uri, _ATTEST.verifier_id),
        max_age=fields.get("maxAge", lambda value: value.duration(MAX_VERDICT_AGE), _ATTEST.max_age),
        environments=fields.get("environments", _environments, ()),
        evidence_predicate_type=fields.get("evidencePredicateType", read_uri, _ATTEST.evidence_predicate_type),
        extension_prefix=fields.get("extensionPrefix", read_prefix, _ATTEST.extension_prefix),
        require_timestamp=fields.get("requireTimestamp", Node.boolean, default=False),
    )


def _environments(node: Node) -> tuple[str, ...]:
    return distinct(node, map(read_name, node.items(most=MAX_ENVIRONMENTS)), "environment")
