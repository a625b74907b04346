"""Families with a syntax of their own: each field that holds a secret, with one in it and with a variable in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.secrets.test_search import search

FAMILIES = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "fixtures" / "secrets" / "families.yaml").read_text("utf-8")
)
ENTRIES = [(name, one["path"], one["content"]) for name, all_of in FAMILIES.items() for one in all_of]
FILES = [pytest.param(path, content, id=f"{name}: {path}") for name, path, content in ENTRIES]
FILLED = [pytest.param(path, content, id=f"{name}: {path}") for name, path, content in ENTRIES if "{VALUE}" in content]
VALUES = ["k4Tn93vQz81x", "x7!Kq2mZ9w"]


def test_there_are_seven_families_and_many_fields() -> None:
    assert len(FAMILIES) == 7
    assert len(FILES) >= 150


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("path", "content"), FILES)
def test_each_field_that_holds_a_secret_is_found(path: str, content: str, value: str) -> None:
    hits, unopened = search(content.replace("{VALUE}", value).encode(), path)
    assert hits
    assert unopened == []


@pytest.mark.parametrize("variable", ["${PASSWORD}", "$PASSWORD"])
@pytest.mark.parametrize(("path", "content"), FILLED)
def test_a_variable_in_its_place_is_none(path: str, content: str, variable: str) -> None:
    found = [hit.value for hit in search(content.replace("{VALUE}", variable).encode(), path)[0]]
    assert [value for value in found if b"PASSWORD" in value] == []
