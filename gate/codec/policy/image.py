"""The section `spec.image` of a policy.

Specification: DESIGN, section 6; checks reference, section 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct
from gate.codec.yaml_node import Node
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.policy import (
    AllowedBase,
    ImagePolicy,
    RevisionRule,
    UserRule,
)

_PORT: Final = re.compile(r"([1-9][0-9]{0,4})(?:/(?:tcp|udp|sctp))?", re.ASCII)
_PATH: Final = re.compile(r"/(?!.*(?:^|/)\.{1,2}(?:/|$))[!-~]*[!-.0-~]", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9*][A-Za-z0-9._/*-]{0,254}", re.ASCII)
_DEFAULTS: Final = ImagePolicy()


def read_image(node: Node) -> ImagePolicy:
    """Read `spec.image`; a key that is not given asks nothing, but for `user` and `labels.deny` with their defaults."""
    fields = node.fields(POLICY_KEYS["spec.image"])
    return ImagePolicy(
        user=fields.get("user", lambda value: value.choice(UserRule), _DEFAULTS.user),
        max_age=fields.get("maxAge", Node.duration, None),
        revision=fields.get("revision", lambda value: value.choice(RevisionRule), _DEFAULTS.revision),
        ports_deny=fields.get("ports", _ports, ()),
        setuid_allow=fields.get("setuid", partial(_list, section="setuid", key="allow", read=_path), None),
        labels_deny=fields.get(
            "labels", partial(_list, section="labels", key="deny", read=_label), _DEFAULTS.labels_deny
        ),
        base=fields.get("base", _bases, ()),
    )


def _list(node: Node, *, section: str, key: str, read: Callable[[Node], str]) -> tuple[str, ...]:
    """Read a mapping of one key whose value is a list of texts."""
    fields = node.fields(POLICY_KEYS[f"spec.image.{section}"])
    return fields.demand(key, lambda value: distinct(value, (read(item) for item in value.items()), "entry"))


def _ports(node: Node) -> tuple[str, ...]:
    ports = _list(node, section="ports", key="deny", read=_port)
    if not ports:
        raise node.refuse("denies no port", expected="at least one port, or no image.ports")
    return ports


def _port(node: Node) -> str:
    text = node.matching(_PORT, "a port in quotes, as '22' or 22/tcp")
    if int(text.partition("/")[0]) > 65535:
        raise node.refuse("is not a port", expected="1 to 65535", seen=text)
    return text


def _path(node: Node) -> str:
    text = node.matching(_PATH, "an absolute path without . and .., * allowed within one directory")
    if "**" in text:
        raise node.refuse("reaches no further than *", expected="* within one directory", seen=text)
    return text


def _label(node: Node) -> str:
    return node.matching(_LABEL, "a label's name, * allowed, as containerd.io/*")


def _bases(node: Node) -> tuple[AllowedBase, ...]:
    bases = [_base(item) for item in node.items(empty_code="POL_MALFORMED")]
    distinct(node, (base.name for base in bases), "name")
    return tuple(bases)


def _base(node: Node) -> AllowedBase:
    fields = node.fields(POLICY_KEYS["spec.image.base[]"])
    # A base without layers would be a prefix of every image.
    diff_ids = fields.demand("diffIds", lambda value: value.items(most=128, empty_code="POL_MALFORMED"))
    return AllowedBase(name=fields.demand("name", Node.text), diff_ids=tuple(map(_digest, diff_ids)))


def _digest(node: Node) -> Digest:
    text = node.text()
    try:
        return Digest(text)
    except UsageError as error:
        raise node.refuse("is not a digest", expected="sha256: and 64 lower-case hex digits", seen=text) from error
