"""The list `spec.warn` of a policy: the checks whose failures are warnings. Specification: DESIGN, section 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.policy.patterns import distinct
from gate.codec.yaml_node import nearest
from gate.model.asked import NEVER_WARNED

if TYPE_CHECKING:
    from gate.codec.yaml_node import Node

# Every check that can refuse (`gate.checks.CHECKS`; a test compares them), without those that are never only a warning.
WARNED_CHECKS: Final = (
    "attestation", "base-image", "image-age", "image-config", "image-files", "image-user", "revision", "rules", "secret",
    "vulnerability",
)  # fmt: skip


def read_warn(node: Node) -> tuple[str, ...]:
    """Read `spec.warn`, given sorted.

    Raises:
        PolicyError: `POL_MALFORMED`, an id that is none, that is given twice, or of a check that always refuses.
    """
    ids = distinct(node, map(_check, node.items(most=len(WARNED_CHECKS), empty_code="POL_MALFORMED")), "check")
    return tuple(sorted(ids))


def _check(node: Node) -> str:
    text = node.text()
    if text in NEVER_WARNED:
        raise node.refuse("is a check that always refuses", expected=" | ".join(WARNED_CHECKS), seen=text)
    if text not in WARNED_CHECKS:
        expected = nearest(text, WARNED_CHECKS) or " | ".join(WARNED_CHECKS)
        raise node.refuse("is not a check that can be a warning", expected=expected, seen=text)
    return text
