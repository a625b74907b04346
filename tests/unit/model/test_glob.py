"""Patterns over repositories: what fits, as a backtracking matcher would say it, and in time that no name can stretch."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.model.glob import Glob

PARTS = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "a*b", "*a*", "**", "x.y"])
NAMES = st.lists(st.text(alphabet="abx.", min_size=1, max_size=4), min_size=1, max_size=5).map("/".join)


def expected(pattern: str, name: str) -> bool:
    parts = [".+" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("/")]
    return re.fullmatch("/".join(parts), name, re.ASCII) is not None


@given(st.lists(PARTS, min_size=1, max_size=5).map("/".join), NAMES)
def test_a_pattern_fits_what_its_expression_fits(pattern: str, name: str) -> None:
    assert Glob(pattern).matches(name) == expected(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("registry.example/shop/**", "registry.example/shop/web", True),
        ("registry.example/shop/**", "registry.example/shop/a/b", True),
        ("registry.example/shop/**", "registry.example/shop", False),
        ("registry.example/shop/**", "registry.example/shop/", False),
        ("registry.example/shop/**", "registry.example.evil/shop/x", False),
        ("registry.example/*/web", "registry.example/shop/web", True),
        ("registry.example/*/web", "registry.example/a/b/web", False),
        ("registry.example/web*", "registry.example/web", True),
        ("**", "x", True),
        ("**", "", False),
        ("**/web", "registry.example/a/b/web", True),
        ("**/a/**", "r/a/a", True),
        ("**/a/**", "r/a", False),
    ],
)
def test_stars_within_and_across_components(pattern: str, name: str, *, fits: bool) -> None:
    assert Glob(pattern).matches(name) is fits


def test_y06_many_stars_cost_no_more_than_the_name_is_long() -> None:
    begun = time.process_time()
    for pattern in ("*a" * 60 + "b", "/".join(["**"] * 40) + "/b"):
        assert not Glob(pattern).matches("a/" * 120 + "a" * 200)
    assert not Glob("*a" * 60 + "b").matches("a" * 255)
    assert time.process_time() - begun < 0.5
