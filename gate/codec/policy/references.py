"""The section `spec.references` of a policy: allowed repositories, and exceptions for `gate refs` (DESIGN, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct, read_glob
from gate.model.glob import Glob
from gate.model.reference_exception import ReferenceException

if TYPE_CHECKING:
    from gate.codec.yaml_node import Fields, Node

_EVERYTHING: Final = frozenset({"*", "**", "**/*", "*/**", "**/**"})


def read_references(node: Node) -> Fields:
    """Return the section's fields; one of them must be there."""
    fields = node.fields(POLICY_KEYS["spec.references"])
    if "registries" not in fields and "exceptions" not in fields:
        raise node.refuse("says nothing", expected="registries, exceptions")
    return fields


def allowed_repositories(fields: Fields | None) -> tuple[Glob, ...]:
    """Return the repositories that are allowed."""
    if fields is None:
        return ()
    return fields.get(
        "registries",
        lambda value: distinct(value, map(read_glob, value.items(empty_code="POL_MALFORMED")), "pattern"),
        (),
    )


def reference_exceptions(fields: Fields | None) -> tuple[ReferenceException, ...]:
    """Return the exceptions from what `gate refs` demands."""
    if fields is None:
        return ()
    return fields.get("exceptions", lambda value: tuple(map(_exception, value.items())), ())


def _exception(node: Node) -> ReferenceException:
    fields = node.fields(POLICY_KEYS["spec.references.exceptions[]"], missing="POL_WAIVER")
    pattern = fields.demand("pattern", _pattern)
    path = fields.get("path", _pattern, None)
    if str(pattern) in _EVERYTHING and (path is None or str(path) in _EVERYTHING):
        raise node.refuse("excepts everything", code="POL_WAIVER", expected="a narrower pattern, or a path beside it")
    return ReferenceException(
        pattern=pattern,
        path=path,
        reason=fields.demand("reason", lambda value: value.text()),
        owner=fields.demand("owner", lambda value: value.text()),
        expires=fields.demand("expires", lambda value: value.date()),
    )


def _pattern(node: Node) -> Glob:
    text = node.text(max_bytes=512)
    try:
        return Glob(text)
    except ValueError as error:
        expected = "letters, digits, . _ : / -, with * within a part and ** across"
        raise node.refuse("is no pattern", expected=expected, seen=text) from error
