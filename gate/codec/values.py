"""Values of the model as JSON, and back: for the evidence cache and for verdicts that are given again.

What `decode_value` reads was written by `encode_value` and is kept by digest; it is read strictly all the same, because a
cache is a file like any other. Sets are written sorted, so that one value has one text. The work is that of `cattrs`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

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
    """Give a value of the model as JSON; equal values give equal bytes."""
    plain = _converter().unstructure(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode_value(kind: type[T], data: bytes) -> T:
    """Give the value back.

    Raises:
        StorageError: `CACHE_CORRUPT`, the bytes are not those of such a value.
    """
    plain = parse_json(data, _FAULT, limit_bytes=_LIMIT_BYTES)
    try:
        return _converter().structure(plain, kind)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError, GateError) as error:
        raise StorageError("a kept value is of another form", code="CACHE_CORRUPT", expected=kind.__name__) from error


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={frozenset: _sorted})
    _register(converter, Digest, str, Digest)
    _register(converter, Glob, str, Glob)
    _register(converter, datetime, datetime.isoformat, datetime.fromisoformat)
    _register(converter, date, date.isoformat, date.fromisoformat)
    _register(converter, timedelta, timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds))
    _register(converter, StringMap, dict, StringMap.of)
    return converter


def _register(
    converter: cattrs.Converter, kind: type[T], write: Callable[[T], object], read: Callable[[Any], T]
) -> None:
    converter.register_unstructure_hook(kind, write)
    converter.register_structure_hook(kind, lambda plain, _: read(plain))


def _sorted(values: Iterable[object]) -> list[object]:
    return sorted(values, key=repr)
