"""Values of the model in which every field says something: for tests that a form keeps every field, whoever adds the next one."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.reference import Repository
from gate.model.string_map import StringMap

_PLAIN: dict[type, Any] = {
    str: "text",
    int: 7,
    bool: True,
    float: 0.25,
    bytes: b"bytes",
    Digest: Digest.of(b"something"),
    datetime: datetime(2026, 12, 1, 12, 30, 15, 250, tzinfo=UTC),
    StringMap: StringMap.of({"name": "value"}),
    Repository: Repository("registry.example", "shop/web"),
}


def filled(kind: Any, *, missing: bool = False) -> Any:  # noqa: ANN401 - of any type
    """Return a value of a type with no field at its default; with `missing`, what could not be had instead of evidence."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) in {Union, types.UnionType}:
        members = [member for member in get_args(kind) if member is not type(None)]
        if missing and Unavailable in members:
            return filled(Unavailable)
        return filled(
            next(member for member in members if member is not Unavailable or len(members) == 1), missing=missing
        )
    if get_origin(kind) in {tuple, frozenset}:
        kinds = [item for item in get_args(kind) if item is not Ellipsis]
        return get_origin(kind)(filled(item, missing=missing) for item in kinds)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{one.name: _other_than_default(one, hints[one.name], missing=missing) for one in fields(kind)})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)[-1]
    raise TypeError(f"no value is known for {kind}")


def _other_than_default(one: Any, kind: Any, *, missing: bool) -> Any:  # noqa: ANN401
    if isinstance(one.default, bool):
        return not one.default
    if isinstance(one.default, StrEnum):
        return next(member for member in type(one.default) if member is not one.default)
    value = filled(kind, missing=missing)
    if one.default is not MISSING and value == one.default:
        raise AssertionError(f"{one.name} is at its default")
    return value


def classes_in(kind: Any) -> set[type]:  # noqa: ANN401
    """Return every dataclass that values of a type are made of."""
    found: set[type] = set()
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        waiting += [item for item in get_args(one) if item is not Ellipsis]
        if isinstance(one, type) and is_dataclass(one) and one not in found and one not in _PLAIN:
            found.add(one)
            waiting += get_type_hints(one).values()
    return found
