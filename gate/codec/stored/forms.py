"""The pieces of a stored form: how one value is written as JSON, read back, and described in the published schema.

A form is a table that names each field twice, once as it is stored and once as the model calls it, with the default that stands
for a field that is left out. So the model may rename, and what was stored years ago is still read. Larger parts are kept as
pieces of their own, by digest, so that what two verdicts share is kept once.

What is read was found by its digest, so it is what the gate wrote; it is read strictly all the same: no value is bent into
another type, and an unknown field is refused, because what it says would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from gate.codec.strict_json import JsonValue, canonical_json
from gate.model.digest import Digest
from gate.model.string_map import StringMap

T = TypeVar("T")
Keep = Callable[[bytes], Digest]
"""Keeps a piece and returns its digest."""
Get = Callable[[Digest], bytes]
"""Returns the piece with a digest; raises StorageError."""
DEFINITIONS: Final[dict[str, JsonValue]] = {}
"""Name of a table → its schema; filled when the tables are made, at import."""
_REQUIRED: Final = object()


class WrongFormError(ValueError):
    """What is stored is not of the form that is read."""


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How a value is written, read and described."""

    write: Callable[[T, Keep], JsonValue]
    read: Callable[[Any, Get], T]
    schema: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table: its stored name, the model's name, its form, and what stands for it where it is left out."""

    name: str
    attribute: str
    form: Form[Any]
    default: Any = _REQUIRED


def field(name: str, form: Form[Any], attribute: str = "", default: Any = _REQUIRED) -> Field:  # noqa: ANN401 - of any form
    """Return a field; the model calls it as it is stored unless `attribute` says otherwise."""
    return Field(name, attribute or name, form, default)


def table(kind: type[T], name: str, *fields: Field) -> Form[T]:
    """Return the form of a class, an object with these fields."""
    names = frozenset(one.name for one in fields)
    steps = tuple((one.name, one.attribute, one.form.read, one.default) for one in fields)

    def write(value: T, keep: Keep) -> JsonValue:
        found = ((one, getattr(value, one.attribute)) for one in fields)
        return {one.name: one.form.write(item, keep) for one, item in found if _is_said(one, item)}

    def read(plain: Any, get: Get) -> T:  # noqa: ANN401 - any JSON
        if type(plain) is not dict or not plain.keys() <= names:
            raise WrongFormError(f"not a {name}")
        values = {}
        for stored, attribute, read_field, default in steps:
            if stored in plain:
                values[attribute] = read_field(plain[stored], get)
            elif default is _REQUIRED:
                raise WrongFormError(f"a {name} without {stored}")
            else:
                values[attribute] = default
        return kind(**values)

    required: list[JsonValue] = [one.name for one in fields if one.default is _REQUIRED]
    properties: dict[str, JsonValue] = {one.name: one.form.schema for one in fields}
    DEFINITIONS[name] = {
        "type": "object", "properties": properties, "required": required, "additionalProperties": False,
    }  # fmt: skip
    return Form(write, read, {"$ref": f"#/$defs/{name}"})


def _is_said(one: Field, item: object) -> bool:
    return one.default is _REQUIRED or type(item) is not type(one.default) or item != one.default


def _plain(kind: type[T], schema: dict[str, JsonValue]) -> Form[T]:
    def read(plain: Any, _: Get) -> T:  # noqa: ANN401 - any JSON
        if type(plain) is not kind:
            raise WrongFormError(f"not {kind.__name__}")
        return plain

    return Form(lambda value, _: value, read, schema)  # type: ignore[arg-type, return-value]  # a JSON value itself


TEXT: Final = _plain(str, {"type": "string"})
INTEGER: Final = _plain(int, {"type": "integer"})
BOOLEAN: Final = _plain(bool, {"type": "boolean"})


def text_of(write: Callable[[T], str], read: Callable[[str], T], pattern: str = "", description: str = "") -> Form[T]:
    """Return the form of a value that is stored as text."""
    schema: dict[str, JsonValue] = {"type": "string"}
    schema |= {"pattern": pattern} if pattern else {}
    schema |= {"description": description} if description else {}
    return Form(lambda value, _: write(value), lambda plain, get: read(TEXT.read(plain, get)), schema)


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise WrongFormError("a time without zone")
    return moment


DIGEST: Final[Form[Digest]] = text_of(str, Digest, "^sha256:[0-9a-f]{64}$")
TIME: Final[Form[datetime]] = text_of(datetime.isoformat, _aware, description="ISO 8601 with an offset")
# Canonical JSON has no fractions, because readers differ on them; the shortest text that reads back as the same double.
NUMBER: Final[Form[float]] = text_of(repr, float, description="a decimal number")


def choice(kind: type[StrEnum]) -> Form[Any]:
    """Return the form of one of several words."""
    words: list[JsonValue] = [member.value for member in kind]
    return Form(lambda value, _: str(value.value), lambda plain, get: kind(TEXT.read(plain, get)), {"enum": words})


def many(form: Form[T]) -> Form[tuple[T, ...]]:
    """Return the form of values in an order."""
    return Form(
        lambda values, keep: [form.write(value, keep) for value in values],
        lambda plain, get: tuple([form.read(item, get) for item in _list(plain)]),
        {"type": "array", "items": form.schema},
    )


def set_of(form: Form[T]) -> Form[frozenset[T]]:
    """Return the form of values without an order, each once; they are stored sorted."""

    def write(values: Iterable[T], keep: Keep) -> JsonValue:
        return sorted((form.write(value, keep) for value in values), key=canonical_json)

    return Form(
        write,
        lambda plain, get: frozenset([form.read(item, get) for item in _list(plain)]),
        {"type": "array", "items": form.schema, "uniqueItems": True},
    )


def row(*forms: Form[Any]) -> Form[tuple[Any, ...]]:
    """Return the form of a fixed number of values in an order."""

    def read(plain: Any, get: Get) -> tuple[Any, ...]:  # noqa: ANN401 - any JSON
        if len(_list(plain)) != len(forms):
            raise WrongFormError(f"not {len(forms)} values")
        return tuple([form.read(item, get) for form, item in zip(forms, plain, strict=True)])

    def write(values: tuple[Any, ...], keep: Keep) -> JsonValue:
        return [form.write(value, keep) for form, value in zip(forms, values, strict=True)]

    schemas: list[JsonValue] = [form.schema for form in forms]
    return Form(write, read, {"type": "array", "prefixItems": schemas, "minItems": len(forms), "maxItems": len(forms)})


def _list(plain: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    if type(plain) is not list:
        raise WrongFormError("not a list")
    return plain


def _read_map(plain: Any, get: Get) -> StringMap:  # noqa: ANN401 - any JSON
    if type(plain) is not dict:
        raise WrongFormError("not an object")
    return StringMap.of({name: TEXT.read(value, get) for name, value in plain.items()})


STRING_MAP: Final[Form[StringMap]] = Form(
    lambda values, _: dict(values), _read_map, {"type": "object", "additionalProperties": {"type": "string"}}
)


def either(kind: type[Any], mark: str, first: Form[Any], second: Form[Any]) -> Form[Any]:
    """Return the form of a `kind`, stored under the key `mark` alone, or of something else."""

    def write(value: Any, keep: Keep) -> JsonValue:  # noqa: ANN401 - of either form
        return {mark: first.write(value, keep)} if isinstance(value, kind) else second.write(value, keep)

    def read(plain: Any, get: Get) -> Any:  # noqa: ANN401 - of either form
        if type(plain) is dict and plain.keys() == {mark}:
            return first.read(plain[mark], get)
        return second.read(plain, get)

    marked: dict[str, JsonValue] = {
        "type": "object", "properties": {mark: first.schema}, "required": [mark], "additionalProperties": False,
    }  # fmt: skip
    return Form(write, read, {"oneOf": [marked, second.schema]})


def piece(form: Form[T], what: str) -> Form[T]:
    """Return the form of a value that is kept as a piece of its own; what stands in its place is the digest."""

    def write(value: T, keep: Keep) -> JsonValue:
        return str(keep(canonical_json(form.write(value, keep))))

    def read(plain: Any, get: Get) -> T:  # noqa: ANN401 - any JSON
        return form.read(load(get(DIGEST.read(plain, get))), get)

    schema: dict[str, JsonValue] = {**DIGEST.schema, "description": f"digest of a piece: {what}"}
    if "$ref" in form.schema:
        schema["contentSchema"] = form.schema
    return Form(write, read, schema)


BYTES: Final[Form[bytes]] = Form(
    lambda value, keep: str(keep(value)),
    lambda plain, get: get(DIGEST.read(plain, get)),
    {**DIGEST.schema, "description": "digest of bytes as they came"},
)


def load(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON of a piece whose digest was compared.

    Raises:
        ValueError: it is none.
    """
    return json.loads(content)


def described(name: str) -> Mapping[str, JsonValue]:
    """Return the schema of a table, by its name."""
    found = DEFINITIONS[name]
    return found if isinstance(found, dict) else {}
