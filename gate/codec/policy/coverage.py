"""The section `spec.coverage` of a policy. Specification: DESIGN, section 6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct
from gate.model.policy import CoverageAllowance, CoveragePolicy, FailOrWarn

if TYPE_CHECKING:
    from gate.codec.yaml_node import Node

# A path as a person writes it, absolute and in its only spelling: no empty part, no `.` or `..`, and not the whole image.
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]{1,255}){1,64}")


def read_coverage(node: Node) -> CoveragePolicy:
    """Read `spec.coverage`.

    Raises:
        PolicyError: one of `POL_*`.
    """
    fields = node.fields(POLICY_KEYS["spec.coverage"])
    return CoveragePolicy(
        unread=fields.get("unread", lambda value: value.choice(FailOrWarn), FailOrWarn.FAIL),
        accept=fields.get("accept", _allowances, ()),
    )


def _allowances(node: Node) -> tuple[CoverageAllowance, ...]:
    allowances = tuple(_allowance(item) for item in node.items())
    distinct(node, (allowance.path for allowance in allowances), "path")
    return allowances


def _allowance(node: Node) -> CoverageAllowance:
    fields = node.fields(POLICY_KEYS["spec.coverage.accept[]"], missing="POL_WAIVER")
    path = fields.demand("path", lambda value: value.matching(_PATH, "an absolute path below the image's root"))
    return CoverageAllowance(
        path=path.removeprefix("/"),
        reason=fields.demand("reason", lambda value: value.text()),
        owner=fields.demand("owner", lambda value: value.text()),
        expires=fields.demand("expires", lambda value: value.date()),
    )
