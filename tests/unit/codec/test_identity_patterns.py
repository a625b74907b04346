"""Patterns over identities: what may be written, and what would fit anybody or take for ever."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.identity_patterns import PatternKind, require_pattern
from gate.errors import PolicyError
from gate.model.identity import Matcher
from gate.verification.identity import matches

GOOD = [
    r"https://github\.com/shop/.+@refs/heads/main",
    r"^https://github\.com/shop/[^/]+/\.github/workflows/release\.yml@refs/(?:heads/main|tags/v\d+)$",
    r"https://github\.com/shop/web",
    r"spiffe://shop\.example/ns/[a-z]+/sa/build",
    r".+@shop\.example",
    r"(?:alice|bob)@shop\.example",
    r"https://github\.com/shop/web\?",
    r"https://github\.com/a{2,3}/x",
]
BAD = [
    "",
    ".*",
    ".+",
    r"https://.+/shop/web",
    r"https?://github\.com/shop/.+",
    r"https://github.com/shop/.+",
    r".*https://github\.com/shop/.+",
    r"https://github\.com/shop/.+|.*",
    r"(?:https://github\.com/shop/.+|.*)",
    r".+@.+",
    r".+@shop.example",
    r".+shop\.example",
    r"https://github\.com.+",
    r"https://github\.com/(a+)+",
    r"https://github\.com/(a|b)*",
    r"https://github\.com/(a|b){2}",
    r"https://github\.com/(?=a).+",
    r"https://github\.com/(?i)a.+",
    r"https://github\.com/(?P<n>a).+",
    r"https://github\.com/(a)\1.+",
    r"https://github\.com/.+?x",
    r"https://github\.com/.++x",
    r"https://github\.com/.+.+.+.+.+",
    r"https://github\.com/" + "a?" * 17,
    r"https://github\.com/\bx.+",
    r"https://github\.com/\x41.+",
    r"https://github\.com/[a.+",
    r"https://github\.com/(a.+",
    r"https://github\.com/a).+",
    r"https://github\.com/a**",
    r"https://github\.com/^.+",
    r"https://github\.com/$.+",
    r"https://github\.com/{.+",
    "https://github\\.com/.+\n",
    "https://g\u0456thub\\.com/.+",
    r"https://github\.com/" + "a" * 600 + ".+",
    r"https://github\.com/.{1,1000}",
    "\\",
]


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_with_a_literal_owner_is_taken(pattern: str) -> None:
    assert require_pattern(pattern, PatternKind.SUBJECT) == pattern


@pytest.mark.parametrize("pattern", BAD, ids=range(len(BAD)))
def test_i02_a_pattern_that_fits_anybody_or_fights_itself_is_refused(pattern: str) -> None:
    with pytest.raises(PolicyError) as refused:
        require_pattern(pattern, PatternKind.SUBJECT)
    assert refused.value.code == "POL_REGEX"


@pytest.mark.parametrize("pattern", [r".+@shop\.example", r"https://oidc\.eks.+", r"https://[a-z]+\.example/x"])
def test_i07_an_issuer_has_a_literal_host(pattern: str) -> None:
    with pytest.raises(PolicyError) as refused:
        require_pattern(pattern, PatternKind.ISSUER)
    assert refused.value.code == "POL_REGEX"
    assert require_pattern(r"https://oidc\.eks\.example/id/[A-Z0-9]+", PatternKind.ISSUER)


def test_a_claim_begins_with_a_literal() -> None:
    assert require_pattern(r"refs/tags/v.+", PatternKind.CLAIM)
    with pytest.raises(PolicyError):
        require_pattern(r"[a-z]+/main", PatternKind.CLAIM)


@given(st.text(alphabet="ab/.:\\+*?()[]|^$@-{}1,", max_size=30))
def test_whatever_is_taken_compiles_and_keeps_its_literal_owner(text: str) -> None:
    try:
        require_pattern(text, PatternKind.SUBJECT)
    except PolicyError:
        return
    re.compile(text, re.ASCII)
    assert not matches(Matcher(text=text, is_pattern=True), "https://evil.example/")
    assert not matches(Matcher(text=text, is_pattern=True), "a@evil.example")


SLOW = [
    r"https://shop\.example/" + r"\w+" * 4 + "x",
    r"https://shop\.example/" + "(?:a|b?)" * 8 + r"[a-z]*[a-z]*[a-z]*[a-z]*!",
    r"https://shop\.example/" + "a?" * 16 + r"a{1,99}a{1,99}!",
    r"https://shop\.example/" + "(?:.+|.*)" * 2 + "!" + "b" * 300,
]


@pytest.mark.parametrize("pattern", SLOW, ids=range(len(SLOW)))
def test_y06_a_pattern_that_fights_itself_is_matched_in_linear_time(pattern: str) -> None:
    """A backtracking matcher takes seconds to years for these; the bound is a hundred times what RE2 needs."""
    require_pattern(pattern, PatternKind.SUBJECT)
    text = "https://shop.example/" + "a" * 480
    begun = time.process_time()
    assert not matches(Matcher(text=pattern, is_pattern=True), text)
    assert time.process_time() - begun < 0.5


@given(st.sampled_from(GOOD), st.text(alphabet="ab/.:@-1htpsgiuco m", max_size=40))
def test_a_pattern_fits_what_it_fits_for_pythons_matcher(pattern: str, text: str) -> None:
    expected = bool(text) and re.fullmatch(pattern, text, re.ASCII) is not None
    assert matches(Matcher(text=pattern, is_pattern=True), text) == expected
