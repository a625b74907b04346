"""`spec.cluster` and `mode` of a requirement: what an admission in a cluster needs beside the demands themselves.

Specification: DESIGN, section 6; attack K08 (nothing but `exempt` exempts, and each exemption is narrow and ends).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import REQUIREMENT_KEYS
from gate.codec.policy.patterns import distinct, read_narrow_glob
from gate.codec.yaml_node import Node
from gate.model.requirement import ClusterRules, CustomResource, Exemption, Mode

if TYPE_CHECKING:
    from gate.codec.yaml_node import Node as YamlNode

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_API_VERSION: Final = re.compile(r"(?:([a-z0-9.-]{1,253})/)?v[0-9][a-z0-9]{0,20}", re.ASCII)
_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}(?:\[\])?(?:\.[A-Za-z][A-Za-z0-9]{0,62}(?:\[\])?){0,15}", re.ASCII)


def read_mode(node: YamlNode) -> Mode:
    """Read what an admission does with a refusal."""
    return node.choice(Mode)


def read_cluster(node: YamlNode) -> ClusterRules:
    """Read `spec.cluster`; raises PolicyError."""
    fields = node.fields(REQUIREMENT_KEYS["spec.cluster"])
    return ClusterRules(
        exempt=fields.get("exempt", lambda items: tuple(map(_exemption, items.items())), ()),
        custom_resources=fields.get("customResources", _resources, ()),
    )


def _exemption(node: YamlNode) -> Exemption:
    fields = node.fields(REQUIREMENT_KEYS["spec.cluster.exempt[]"])
    return Exemption(
        namespace=fields.demand("namespace", lambda item: item.matching(_LABEL, "the name of one namespace")),
        images=fields.demand("images", read_narrow_glob),
        reason=fields.demand("reason", Node.text),
        owner=fields.demand("owner", Node.text),
        ends=fields.demand("expires", Node.date),
    )


def _resources(node: YamlNode) -> tuple[CustomResource, ...]:
    found = [_resource(item) for item in node.items(most=200)]
    return distinct(node, found, "kind")


def _resource(node: YamlNode) -> CustomResource:
    fields = node.fields(REQUIREMENT_KEYS["spec.cluster.customResources[]"])
    version = fields.demand(
        "apiVersion", lambda item: item.matching(_API_VERSION, "group/version, as argoproj.io/v1alpha1")
    )
    return CustomResource(
        group=version.rpartition("/")[0],
        kind=fields.demand("kind", lambda item: item.matching(_KIND, "a kind, as Rollout")),
        paths=fields.demand("paths", _paths),
    )


def _paths(node: YamlNode) -> tuple[str, ...]:
    items = node.items(most=50, empty_code="POL_EMPTY")
    expected = "the path of a reference or of a pod's specification, as spec.template.spec or spec.steps[].image"
    return distinct(node, (item.matching(_PATH, expected) for item in items), "path")
