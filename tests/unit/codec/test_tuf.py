"""The screen before the TUF client: names, thresholds and signatures, and only declared errors for any bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError

from gate.codec.tuf import screen_metadata
from gate.errors import EvidenceError
from tests.support.tuf_repository import TufRepository


def published() -> TufRepository:
    repository = TufRepository(targets={"trusted_root.json": b"{}", "folder/other.json": b"{}"})
    repository.publish()
    return repository


REPOSITORY = published()
ROLES = ("root", "timestamp", "snapshot", "targets")


def document(role: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(REPOSITORY.files[REPOSITORY.path(role)].body)
    return parsed


def code(content: dict[str, Any] | bytes) -> str:
    with pytest.raises(EvidenceError) as refused:
        screen_metadata(content if isinstance(content, bytes) else json.dumps(content).encode())
    return refused.value.code


@pytest.mark.parametrize("role", ROLES)
def test_what_a_repository_writes_passes(role: str) -> None:
    screen_metadata(REPOSITORY.files[REPOSITORY.path(role)].body)


def test_the_metadata_that_ships_passes() -> None:
    from gate.trust.shipped import shipped  # noqa: PLC0415 - a codec's test needs it once

    content = shipped("root.json")
    assert content is not None
    screen_metadata(content)


@pytest.mark.parametrize("role", ROLES)
def test_t03_a_signature_twice_is_refused(role: str) -> None:
    changed = document(role)
    changed["signatures"] *= 2
    assert code(changed) == "ROOT_THRESHOLD"


@pytest.mark.parametrize("threshold", [3, 2**40])
def test_t03_a_threshold_that_nobody_needs_to_meet_is_refused_and_one_that_nobody_can_never_verifies(
    threshold: int,
) -> None:
    changed = document("root")
    changed["signed"]["roles"]["root"]["threshold"] = 0
    assert code(changed) == "ROOT_THRESHOLD"
    # Legal (ADR 0021): whoever reads it finds that no root of this repository is signed by enough keys.
    changed["signed"]["roles"]["root"]["threshold"] = threshold
    content = json.dumps(changed).encode()
    screen_metadata(content)
    root: Any = Metadata[Any].from_bytes(content)
    with pytest.raises(UnsignedMetadataError):
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)


def test_t03_one_key_named_twice_is_no_metadata_to_the_client() -> None:
    changed = document("root")
    keys = changed["signed"]["roles"]["root"]["keyids"]
    changed["signed"]["roles"]["root"]["keyids"] = [keys[0], keys[0]]
    with pytest.raises(DeserializationError):
        Metadata[Any].from_bytes(json.dumps(changed).encode())


@pytest.mark.parametrize("threshold", [-1, "1", True, None, 1.5])
def test_a_threshold_that_is_no_number_is_refused(threshold: object) -> None:
    changed = document("root")
    changed["signed"]["roles"]["root"]["threshold"] = threshold
    assert code(changed) == "ROOT_METADATA"


@pytest.mark.parametrize(
    "name", ["../x", "a/../b", "/x", "", ".x", "a//b", "a\\b", "a%2fb", "a\0b", "caf\u00e9", "a" * 129]
)
@pytest.mark.parametrize(("role", "field", "suffix"), [("targets", "targets", ""), ("snapshot", "meta", ".json")])
def test_t01_a_name_that_leaves_the_cache_is_refused(role: str, field: str, suffix: str, name: str) -> None:
    changed = document(role)
    entry = next(iter(changed["signed"][field].values()))
    changed["signed"][field][name + suffix] = entry
    assert code(changed) == "ROOT_PATH"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_declared_error(content: bytes) -> None:
    assert code(content) == "ROOT_METADATA"


@given(st.sampled_from(ROLES), st.data())
def test_any_value_in_any_place_passes_or_gives_a_declared_error(role: str, data: st.DataObject) -> None:
    changed = document(role)
    place: Any = changed
    while isinstance(place, dict) and place:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            place[key] = data.draw(st.sampled_from([None, 0, "", [], {}, "../x", [{}], {"../x": {}}]))
            break
        place = place[key]
    try:
        screen_metadata(json.dumps(changed).encode())
    except EvidenceError as error:
        assert error.code in {"ROOT_METADATA", "ROOT_PATH", "ROOT_THRESHOLD"}  # noqa: PT017 - most values pass
