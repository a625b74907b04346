"""One repository has one form, however a builder writes it, and what could be read in two ways has none."""

from __future__ import annotations

import pytest

from gate.codec.source_uri import normal_source, split_ref
from gate.model.source_glob import SourceGlob

NORMAL = "git+https://github.com/shop/web"


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("https://github.com/shop/web", NORMAL),
        ("git+https://github.com/shop/web", NORMAL),
        ("git+https://GitHub.com/shop/web.git", NORMAL),
        ("http://github.com/shop/web/", NORMAL),
        ("git@github.com:shop/web.git", "git+ssh://github.com/shop/web"),
        ("git+ssh://git@github.com/shop/web.git", "git+ssh://github.com/shop/web"),
        ("git://git.example:9418/shop/web", "git+git://git.example:9418/shop/web"),
        ("https://github.com@evil.example/shop/web", ""),
        ("https://user:secret@github.com/shop/web", ""),
        ("https://github.com/shop/../evil/web", ""),
        ("https://github.com/shop//web", ""),
        ("https://github.com/shop/%2e%2e/web", ""),
        ("https://github.com", ""),
        ("https://github.com/shop/web?x=1", ""),
        ("file:///shop/web", ""),
        ("", ""),
    ],
)
def test_an_address_has_one_form_or_none(address: str, normal: str) -> None:
    assert normal_source(address) == normal


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("git+https://github.com/shop/web@refs/heads/main", ("git+https://github.com/shop/web", "refs/heads/main")),
        ("https://github.com/shop/web.git#refs/heads/main:dir", ("https://github.com/shop/web.git", "refs/heads/main")),
        ("https://github.com/shop/web.git#", ("https://github.com/shop/web.git", "")),
        ("https://github.com/shop/web", ("https://github.com/shop/web", "")),
        ("https://u@github.com/shop/web@v1", ("https://u@github.com/shop/web", "v1")),
        ("git@github.com:shop/web.git", ("git@github.com:shop/web.git", "")),
    ],
)
def test_a_ref_stands_behind_the_address(text: str, parts: tuple[str, str]) -> None:
    assert split_ref(text) == parts


# A19: one matcher, and its table.
@pytest.mark.parametrize(
    ("pattern", "uri", "fits"),
    [
        ("git+https://github.com/shop/**", "git+https://github.com/shop/web", True),
        ("git+https://github.com/shop/**", "git+https://github.com/shop/a/b", True),
        ("git+https://github.com/shop/**", "git+https://github.com/shop", False),
        ("git+https://github.com/shop/**", "git+https://github.com/shopping/web", False),
        ("git+https://github.com/shop/**", "git+ssh://github.com/shop/web", False),
        ("git+https://github.com/shop/*", "git+https://github.com/shop/a/b", False),
        ("git+https://github.com/*/web", "git+https://github.com/evil/web", True),
        ("git+https://github.com/shop/web", "git+https://github.com/shop/web", True),
        ("git+https://github.com/shop/web", "git+https://githubxcom/shop/web", False),
    ],
)
def test_patterns_match_part_by_part(pattern: str, uri: str, *, fits: bool) -> None:
    assert SourceGlob(pattern).matches(uri) is fits


@pytest.mark.parametrize(
    "pattern", ["https://github.com/shop/**", "git+*://github.com/**", "github.com/shop", "git+https://"]
)
def test_a_pattern_names_its_scheme(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        SourceGlob(pattern)
