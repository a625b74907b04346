"""Values of the model as JSON, and back: for the evidence cache and for verdicts that are given again.

What `decode_value` reads was written by `encode_value` and is kept by digest; it is read strictly all the same, because a
cache is a file like any other: no value is bent into another type. Sets are written sorted, so that one value has one text.
The work is that of `cattrs`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache, partial, reduce
from operator import or_
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import cattrs

from gate.codec.strict_json import Fault, parse_json
from gate.errors import GateError, StorageError
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.string_map import StringMap

T = TypeVar("T")
_FAULT = Fault(StorageError, "CACHE_CORRUPT", "a kept value")
_LIMIT_BYTES = 256 * 1024 * 1024


def encode_value(value: object) -> bytes:
    """Return a value of the model as JSON; equal values give equal bytes."""
    plain = _converter().unstructure(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode_value(kind: type[T], data: bytes) -> T:
    """Return the value back.

    Raises:
        StorageError: `CACHE_CORRUPT`, the bytes are not those of such a value.
    """
    plain = parse_json(data, _FAULT, limit_bytes=_LIMIT_BYTES)
    try:
        return _converter().structure(plain, kind)
    except (cattrs.errors.ForbiddenExtraKeysError, AttributeError, ValueError, TypeError, KeyError, GateError) as error:
        raise StorageError("a kept value is of another form", code="CACHE_CORRUPT", expected=kind.__name__) from error


@cache
def _converter() -> cattrs.Converter:
    # Without the collection of every error, because the first one refuses: what is made and run is a third less.
    converter = cattrs.Converter(
        detailed_validation=False, forbid_extra_keys=True, unstruct_collection_overrides={frozenset: _sorted}
    )
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(StrEnum, lambda plain, kind: kind(_exactly(plain, str)))
    converter.register_structure_hook_factory(_is_sequence, lambda kind: _sequence_hook(converter, kind))
    converter.register_structure_hook_factory(_is_union_with_sequence, lambda kind: _union_hook(converter, kind))
    _register(converter, Digest, str, Digest)
    _register(converter, Glob, str, Glob)
    _register(
        converter, bytes, lambda value: base64.b64encode(value).decode(), partial(base64.b64decode, validate=True)
    )
    _register(converter, datetime, datetime.isoformat, _aware)
    _register(converter, date, date.isoformat, date.fromisoformat)
    _register(converter, timedelta, timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds), float)
    _register(converter, StringMap, dict, lambda pairs: StringMap.of(converter.structure(pairs, dict[str, str])), dict)
    return converter


def _register(
    converter: cattrs.Converter,
    kind: type[T],
    write: Callable[[T], object],
    read: Callable[[Any], T],
    written: type = str,
) -> None:
    converter.register_unstructure_hook(kind, write)
    converter.register_structure_hook(kind, lambda plain, _: read(_exactly(plain, written)))


def _exactly(plain: Any, kind: type[T]) -> T:  # noqa: ANN401 - any JSON
    """Return a plain value of this very type: the library would turn `0` into text and any text into a truth."""
    if type(plain) is not kind:
        raise TypeError(f"expected {kind.__name__}")
    return plain


def _aware(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


def _is_sequence(kind: Any) -> bool:  # noqa: ANN401 - a type as it is annotated
    return get_origin(kind) in {tuple, frozenset}


def _is_union_with_sequence(kind: Any) -> bool:  # noqa: ANN401 - a type as it is annotated
    return get_origin(kind) in {Union, UnionType} and any(map(_is_sequence, get_args(kind)))


def _sequence_hook(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    """Read a list as a tuple or set of one type, or as a tuple of exactly these types; a text is no list of letters."""
    origin, kinds = get_origin(kind), get_args(kind)
    hooks = tuple(converter.get_structure_hook(item) for item in kinds if item is not Ellipsis)
    fixed = origin is tuple and Ellipsis not in kinds

    def read(plain: Any, _: Any) -> Any:  # noqa: ANN401
        items = _exactly(plain, list)
        if fixed and len(items) != len(hooks):
            raise ValueError(f"expected {len(hooks)} values")
        pairs = zip(
            items, hooks if fixed else hooks * len(items), kinds if fixed else kinds[:1] * len(items), strict=True
        )
        return origin(hook(item, item_kind) for item, hook, item_kind in pairs)

    return read


def _union_hook(converter: cattrs.Converter, kind: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    """Read a list as the member that is a sequence, anything else as one of the others."""
    sequence, *others = sorted(get_args(kind), key=_is_sequence, reverse=True)
    rest: Any = reduce(or_, others)

    def read(plain: Any, _: Any) -> Any:  # noqa: ANN401
        return converter.structure(plain, sequence if isinstance(plain, list) else rest)

    return read


def _sorted(values: Iterable[object]) -> list[object]:
    return sorted(values, key=repr)
