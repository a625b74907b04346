"""Foreign JSON, read so that two readers cannot see two documents, and the one form of JSON that the gate writes.

Refuses what Python's own reader takes or answers with a traceback: other encodings than UTF-8, a byte order mark, a
key twice, `NaN`, `Infinity`, numbers beyond a double or 64 bits, lone surrogates, nesting that is deeper than 64, more
bytes than the caller allows (attack A16). Every refusal is the error that the caller names in its `Fault`, so that the
same trick is `IMG_MALFORMED` in a manifest and `ATT_MALFORMED` in a statement.

Specification: RFC 8259; formats reference, head (reading) and section 12.1 (writing).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NoReturn, TypeAlias

from gate.errors import GateError, UsageError
from gate.model.digest import Digest
from gate.model.string_map import StringMap

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_DEPTH: Final = 64
# Nothing that is read needs more than 64 bits; longer digits cost quadratic time in int().
_MAX_INTEGER: Final = 2**63
_NOT_STRUCTURE: Final = bytes(sorted(set(range(256)) - set(b'"[]{}')))
_STRING: Final = re.compile(rb'"[^"]*"')
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a malformed document becomes: the class and code of the error, and what people call the document.

    `single` says that every refusal has this code, also those for which a codec has a code of its own: a list of a
    registry's is never the image's fault, whatever is wrong with it. `ambiguous_code` is for a key that is given twice,
    where two readers of the document see two things; without one it is as malformed as anything else.
    """

    error: type[GateError]
    code: str
    document: str
    single: bool = False
    ambiguous_code: str = ""

    def refuse(self, message: str, *, code: str = "", expected: str = "", seen: str = "") -> GateError:
        """Make (not raise) the error; `message` continues the document's name, `seen` is cut and escaped here."""
        return self.error(
            f"{self.document} {message}",
            code=self.code if self.single else code or self.code,
            expected=expected,
            seen=printable(seen),
        )


class _RefusedValueError(ValueError):
    """Carry a refusal out of the hooks of the JSON reader."""


class _AmbiguousKeyError(_RefusedValueError):
    """A key that is given twice."""


def printable(text: str, limit: int = 120) -> str:
    """Return foreign text cut and in printable ASCII, for messages (attack O01)."""
    shown = text if len(text) <= limit else f"{text[:limit]}..."
    return "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in shown)


def parse_json(data: bytes, fault: Fault, *, limit_bytes: int, limit_code: str = "") -> JsonValue:
    """Parse untrusted bytes into plain JSON values.

    Raises:
        GateError: of the class and code of `fault`; `limit_code` instead where there are more than `limit_bytes`.
    """
    if len(data) > limit_bytes:
        raise fault.refuse(
            "is too large", code=limit_code, expected=f"at most {limit_bytes} bytes", seen=f"{len(data)} bytes"
        )
    if _depth(data) > MAX_DEPTH:
        raise fault.refuse("is nested too deeply", expected=f"at most {MAX_DEPTH} levels")
    try:
        return _loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise fault.refuse("is not UTF-8", seen=f"a wrong byte at {error.start}") from error
    except json.JSONDecodeError as error:
        raise fault.refuse("is not JSON", seen=f"{error.msg} at character {error.pos}") from error
    except _AmbiguousKeyError as error:
        raise fault.refuse("is not acceptable JSON", code=fault.ambiguous_code, seen=str(error)) from error
    except (_RefusedValueError, RecursionError) as error:
        raise fault.refuse("is not acceptable JSON", seen=str(error)) from error


def _loads(text: str) -> JsonValue:
    if text.startswith("\ufeff"):
        raise _RefusedValueError("a byte order mark")
    value: JsonValue = json.loads(
        text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
    )
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise _RefusedValueError("half of a surrogate pair") from None
    return value


def _depth(data: bytes) -> int:
    """Count nesting without parsing; wrong only for what is no JSON, and there the reader's own limit stands."""
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in data else data
    structure = _STRING.sub(b"", bare.translate(None, _NOT_STRUCTURE)).replace(b'"', b"")
    return max(accumulate(map(_STEP.__getitem__, structure)), default=0)


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _AmbiguousKeyError("a key that is given twice")
    return result


def _constant(word: str) -> JsonValue:
    raise _RefusedValueError(f"the number {word}")


def _integer(digits: str) -> int:
    if len(digits) > len(str(_MAX_INTEGER)) + 1 or not -_MAX_INTEGER <= int(digits) < 2 * _MAX_INTEGER:
        raise _RefusedValueError("an integer of more than 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise _RefusedValueError("a number beyond a double")
    return number


def canonical_json(value: JsonValue) -> bytes:
    """Write the form of formats 12.1: sorted keys, no blanks, UTF-8, no final newline. Same value, same bytes.

    Raises:
        TypeError: a float, an integer of 2**53 or more, or a value that is not JSON: a defect of whoever built it.
    """
    _check_writable(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _check_writable(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) >= 2**53:
                raise TypeError("integers of 2**53 and more do not survive other readers")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError("keys are text")
                _check_writable(item)
        case list():
            for item in value:
                _check_writable(item)
        case _:
            raise TypeError(f"{type(value).__name__} is not written as JSON")


@dataclass(frozen=True, slots=True)
class ObjectView:
    """One JSON object, read field by field; every accessor raises the document's fault, with the path of the field.

    Accessors demand their field; those named `optional_*` give their empty value where it is absent or `null` (Go and
    protobuf write `null` for "not set"). A field of another type is refused by both. Booleans are never integers.
    """

    fields: Mapping[str, JsonValue]
    fault: Fault
    path: str = ""

    def __contains__(self, key: object) -> bool:
        return key in self.fields

    def refuse(self, key: str, message: str, *, code: str = "", expected: str = "", seen: str = "") -> GateError:
        """Make (not raise) the error about one field; an empty key means the object itself."""
        return self.fault.refuse(f"{message} at {self._at(key)}", code=code, expected=expected, seen=seen)

    def has(self, key: str) -> bool:
        """Say whether the field is there and not `null`."""
        return self.fields.get(key) is not None

    def text(self, key: str) -> str:
        """Return a text."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else self._wrong(key, "a text")

    def optional_text(self, key: str) -> str:
        """Return a text, or ""."""
        return self.text(key) if self.has(key) else ""

    def integer(self, key: str, *, minimum: int = 0) -> int:
        """Return an integer that is not smaller than `minimum`."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            return self._wrong(key, f"an integer from {minimum}")
        return value

    def optional_integer(self, key: str, *, minimum: int = 0) -> int | None:
        """Return an integer, or None."""
        return self.integer(key, minimum=minimum) if self.has(key) else None

    def optional_number(self, key: str) -> float | None:
        """Return an integer or fraction as a float, or None."""
        value = self.fields.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._wrong(key, "a number")
        return float(value)

    def optional_boolean(self, key: str) -> bool:
        """Return a boolean, or False."""
        value = self.fields.get(key, False)
        if value is None:
            return False
        return value if isinstance(value, bool) else self._wrong(key, "true or false")

    def digest(self, key: str) -> Digest:
        """Return a digest; any other spelling is the document's fault, not a fault of the request."""
        text = self.text(key)
        try:
            return Digest(text)
        except UsageError as error:
            raise self.refuse(key, "has a malformed digest", expected="sha256: and 64 hex digits", seen=text) from error

    def object(self, key: str) -> ObjectView:
        """Return the object in this field."""
        value = self.fields.get(key)
        return (
            ObjectView(value, self.fault, self._at(key)) if isinstance(value, dict) else self._wrong(key, "an object")
        )

    def optional_object(self, key: str) -> ObjectView | None:
        """Return the object in this field, or None."""
        return self.object(key) if self.has(key) else None

    def objects(self, key: str) -> tuple[ObjectView, ...]:
        """Return a list of objects, in its order."""
        return tuple(self._item(key, place, value) for place, value in enumerate(self._list(key)))

    def optional_objects(self, key: str) -> tuple[ObjectView, ...]:
        """Return a list of objects, or an empty one."""
        return self.objects(key) if self.has(key) else ()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, in its order."""
        return tuple(
            value if isinstance(value, str) else self._wrong(key, "a list of texts") for value in self._list(key)
        )

    def optional_texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, or an empty one."""
        return self.texts(key) if self.has(key) else ()

    def optional_text_map(self, key: str) -> StringMap:
        """Return an object whose values are texts, or an empty one."""
        view = self.optional_object(key)
        return StringMap.of({name: view.text(name) for name in view.fields}) if view else StringMap()

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse every field that is not one of these."""
        for key in sorted(self.fields.keys() - set(allowed)):
            raise self.refuse("", "has an unknown field", seen=key)

    def _list(self, key: str) -> list[JsonValue]:
        value = self.fields.get(key)
        return value if isinstance(value, list) else self._wrong(key, "a list")

    def _item(self, key: str, place: int, value: JsonValue) -> ObjectView:
        if not isinstance(value, dict):
            return self._wrong(key, "a list of objects")
        return ObjectView(value, self.fault, f"{self._at(key)}[{place}]")

    def _at(self, key: str) -> str:
        parts = [part for part in (self.path, printable(key, 60)) if part]
        return ".".join(parts) or "the top level"

    def _wrong(self, key: str, expected: str) -> NoReturn:
        value = self.fields.get(key)
        seen = "nothing" if key not in self.fields else _KINDS.get(type(value), "null")
        raise self.refuse(key, "has a wrong field", expected=expected, seen=seen)


_KINDS: Final[Mapping[type, str]] = {
    bool: "a boolean", int: "an integer", float: "a fraction", str: "a text", list: "a list", dict: "an object",
}  # fmt: skip


def parse_object(data: bytes, fault: Fault, *, limit_bytes: int, limit_code: str = "") -> ObjectView:
    """Parse untrusted bytes that must be one JSON object; raises as `parse_json` does."""
    value = parse_json(data, fault, limit_bytes=limit_bytes, limit_code=limit_code)
    if not isinstance(value, dict):
        raise fault.refuse("is not a JSON object", seen=_KINDS.get(type(value), "null"))
    return ObjectView(value, fault)


def parse_objects(data: bytes, fault: Fault, *, limit_bytes: int, limit_code: str = "") -> tuple[ObjectView, ...]:
    """Parse untrusted bytes that must be one JSON list of objects; raises as `parse_json` does."""
    value = parse_json(data, fault, limit_bytes=limit_bytes, limit_code=limit_code)
    return ObjectView({"the list": value}, fault).objects("the list")
