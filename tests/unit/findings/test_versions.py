"""Ranges of versions in the order of each ecosystem; what cannot be read matches nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import PolicyError
from gate.findings.versions import in_range, parse_range

ECOSYSTEMS = ("deb", "apk", "rpm", "pypi", "npm", "maven", "golang", "gem", "cargo", "composer", "nuget", "alpm")


@pytest.mark.parametrize(
    ("version", "text", "ecosystem", "inside"),
    [
        ("1:1.2.13.dfsg-1", "< 1:1.3", "deb", True),
        ("1:1.3", "< 1:1.3", "deb", False),
        ("2.0", "< 1:1.3", "deb", True),
        ("1.0~rc1", "< 1.0", "deb", True),
        ("1.1.1n-0+deb11u5", "< 1.1.1n-0+deb11u10", "deb", True),
        ("1:3.0.7-27.el9", "< 3.0.7-28.el9", "rpm", False),
        ("3.0.7-27.el9", "< 3.0.7-28.el9", "rpm", True),
        ("1.2.3-r9", "< 1.2.3-r10", "apk", True),
        ("2.19.1", ">= 2.0, < 2.20", "pypi", True),
        ("2.20rc1", "< 2.20", "pypi", True),
        ("1.9", ">= 2.0, < 2.20", "pypi", False),
        ("4.17.11", "= 4.17.11", "npm", True),
        ("1.0.0-rc.1", ">= 1.0.0", "npm", False),
        ("1.9", "<= 1.10.0", "maven", True),
        ("1.0-SNAPSHOT", "< 1.0", "maven", True),
        ("1.26.8", "> 1.26.7", "golang", True),
        ("0.10.0", "> 0.9", "gem", True),
        ("1.0-1", "< 1.0-2", "alpm", True),
    ],
)
def test_a_version_is_compared_as_its_own_tools_do(version: str, text: str, ecosystem: str, *, inside: bool) -> None:
    assert in_range(version, text, ecosystem) is inside


@pytest.mark.parametrize(
    ("version", "text", "ecosystem"),
    [
        ("1.0", "> 0", "unknown"),
        ("", ">= 0", "deb"),
        ("not a version", ">= 0", "deb"),
        ("latest", "> 0", "nuget"),
        ("1.0", "", "deb"),
        ("1.0", "*", "deb"),
        ("1.0", "!= 2", "deb"),
        ("1.0", ">= 0,", "deb"),
    ],
)
def test_what_cannot_be_read_matches_nothing(version: str, text: str, ecosystem: str) -> None:
    assert not in_range(version, text, ecosystem)


def test_a_range_is_read_into_its_terms() -> None:
    assert parse_range(">= 2.0, < 1:2.5~rc1") == ((">=", "2.0"), ("<", "1:2.5~rc1"))


@pytest.mark.parametrize("text", ["", "*", "1.0", "< 1 < 2", "<", "~> 1", "< 1 0"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_range(text)
    assert refused.value.code == "POL_WAIVER"


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(ECOSYSTEMS))
def test_no_text_makes_it_raise(version: str, bound: str, ecosystem: str) -> None:
    assert in_range(version, f"< {bound}", ecosystem) in {True, False}


@given(
    st.text("0123456789abcAB.+:~^_-", max_size=9),
    st.text("0123456789abcAB.+:~^_-", min_size=1, max_size=9),
    st.sampled_from(ECOSYSTEMS),
)
def test_no_version_is_both_under_and_over_a_bound(version: str, bound: str, ecosystem: str) -> None:
    assert not (in_range(version, f"< {bound}", ecosystem) and in_range(version, f">= {bound}", ecosystem))
