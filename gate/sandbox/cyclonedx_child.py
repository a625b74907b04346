"""Validate one CycloneDX document: the task of `gate.sandbox.cyclonedx`, which runs it under limits and may kill it.

It imports nothing of the gate. Reads one JSON object from standard input (`version`: that of the specification, `document`),
and writes one JSON line: `place` and `rule` of what breaks the strict schema, both empty where nothing does. Neither holds a
value of the document beyond names of its own keys.

The validation is that of `cyclonedx-python-lib`. Two keywords of `jsonschema`, on which it stands, are replaced in this
process by ones that cost linear time: a list is compared pair by pair there, and a word with each of a list's words, which
takes 38 s for 5,000 components instead of 3. Formats that `jsonschema` checks only with further packages stay unchecked,
except the one on which a choice of the schema hangs.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError, best_match

if TYPE_CHECKING:
    from collections.abc import Iterator

# Rules whose message says which key is missing or too much, and nothing that the document holds.
_ABOUT_KEYS = frozenset({"additionalProperties", "required"})
_MOST_LETTERS = 200
_BY_PAIRS = Draft7Validator.VALIDATORS["enum"]
# id of a list of the schema -> the list, so that no other gets its id, and its words; None where not all are texts.
_words: dict[int, tuple[list[Any], frozenset[str] | None]] = {}


def require_distinct(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[ValidationError]:  # noqa: ANN401, FBT001
    """Check `uniqueItems` over the items' canonical text.

    JSON Schema takes 1 and 1.0 for equal, and their texts differ; what the specification lists once are objects and texts.
    """
    if wanted and isinstance(items, list) and len({json.dumps(item, sort_keys=True) for item in items}) != len(items):
        yield ValidationError("lists an item twice")


def require_known(validator: Any, known: list[Any], value: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ANN401
    """Check `enum` by a look-up where all that is known are words."""
    if id(known) not in _words:
        texts = frozenset(word for word in known if isinstance(word, str))
        _words[id(known)] = known, texts if len(texts) == len(known) else None
    words = _words[id(known)][1]
    if words is None or not isinstance(value, str):
        yield from _BY_PAIRS(validator, known, value, schema) or ()
    elif value not in words:
        yield ValidationError("is none of the known words")


def is_uri(value: object) -> bool:
    """Say whether a text has a scheme, as every URI has and no name of a signature's algorithm."""
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


def prepare() -> None:
    """Replace the keywords, for this process."""
    Draft7Validator.VALIDATORS.update(uniqueItems=require_distinct, enum=require_known)
    Draft7Validator.FORMAT_CHECKER.checks("uri", raises=ValueError)(is_uri)


def validate(version: str, document: dict[str, Any]) -> dict[str, str]:
    """Return `place` and `rule` of the first violation."""
    found = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(json.dumps(document))
    if found is None:
        return {"place": "", "rule": ""}
    error = best_match([found.data])
    rule = error.message if error.validator in _ABOUT_KEYS else str(error.validator)
    return {"place": "/".join(map(str, error.absolute_path)) or "the top level", "rule": rule[:_MOST_LETTERS]}


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    prepare()
    sys.stdout.write(json.dumps(validate(request["version"], request["document"])) + "\n")


if __name__ == "__main__":
    main()
