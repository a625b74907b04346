"""The child's own code, run here: with its faster keywords the library's validator says what it says without them."""

from __future__ import annotations

import copy
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from gate.sandbox import cyclonedx_child
from gate.sandbox.cyclonedx_child import prepare, validate
from tests.support.sources import ROOT

WRITTEN: Final = json.loads((ROOT / "fixtures" / "scanners" / "grype.cdx.json").read_bytes())
WORDS: Final = ("MIT", "library", "SHA-256", "required", "http://x.example", "a", "", "2026-01-01T00:00:00Z")
VALUES: Final = st.one_of(
    st.sampled_from(WORDS), st.integers(-1, 2), st.none(), st.booleans(), st.lists(st.sampled_from(WORDS), max_size=2)
)


@contextmanager
def faster() -> Iterator[None]:
    """Replace the keywords, and put the library's own back."""
    own, formats = dict(Draft7Validator.VALIDATORS), dict(Draft7Validator.FORMAT_CHECKER.checkers)
    try:
        prepare()
        yield
    finally:
        Draft7Validator.VALIDATORS.update(own)
        Draft7Validator.FORMAT_CHECKER.checkers = formats


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Return the path of every value of a document."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


PLACES: Final = sorted(places(WRITTEN), key=str)


def changed(place: tuple[Any, ...], value: Any, *, doubled: bool) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    document: dict[str, Any] = copy.deepcopy(WRITTEN)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    if doubled and isinstance(holder, list):
        holder.append(holder[place[-1]])
    else:
        holder[place[-1]] = value
    return document


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), VALUES, st.booleans())
def test_the_faster_keywords_change_no_answer(place: tuple[Any, ...], value: object, doubled: bool) -> None:  # noqa: FBT001
    document = changed(place, value, doubled=doubled)
    version = document["specVersion"] if document["specVersion"] in {"1.6", "1.7"} else "1.7"
    own = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(json.dumps(document))
    with faster():
        assert (own is None) == (validate(version, document) == {"place": "", "rule": ""})


def test_an_item_twice_is_seen_whatever_the_order_of_its_keys() -> None:
    document = copy.deepcopy(WRITTEN)
    first = document["components"][0]
    document["components"].append(dict(reversed(first.items())))
    with faster():
        assert validate("1.7", document) == {"place": "components", "rule": "uniqueItems"}


@pytest.mark.parametrize(("value", "known"), [("a", True), ("c", False), (1, True), (None, False)])
def test_a_list_that_is_not_of_words_alone_is_compared_as_before(value: object, known: bool) -> None:  # noqa: FBT001
    with faster():
        assert Draft7Validator({"enum": ["a", 1]}).is_valid(value) is known


def test_what_is_no_list_may_be_unique_or_not() -> None:
    with faster():
        assert Draft7Validator({"uniqueItems": True}).is_valid("aa")
        assert Draft7Validator({"uniqueItems": False}).is_valid([1, 1])


def test_one_request_is_answered_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"version": "1.7", "document": WRITTEN})))
    monkeypatch.setattr(sys, "stdout", answer)
    with faster():
        cyclonedx_child.main()
    assert json.loads(answer.getvalue()) == {"place": "", "rule": ""}
