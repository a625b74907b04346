"""Patterns over repositories match components, and one that can never match is refused (attack D12)."""

from __future__ import annotations

import pytest

from tests.support.policies import (
    policy,
    policy_document,
    refusal,
)


@pytest.mark.parametrize(
    "pattern",
    [
        "nginx",
        "library/nginx",
        "docker.io/nginx",
        "docker.io/*",
        "index.docker.io/library/nginx",
        "registry.example:443/shop/**",
        "Registry.Example/shop/**",
        "registry.example/Shop/**",
        "registry.example./shop",
        "user@registry.example/shop",
        "registry.example/shop/",
        "registry.example//shop",
        "registry.example/shop**",
        "registry.example/**shop",
        "!registry.example/shop",
        "registry.example/shop?",
        "registry.example/shop:latest",
        "régistry.example/shop",
        "*",
        "*/shop",
        "",
    ],
)
def test_d12_a_pattern_that_no_repository_can_match_is_refusal(pattern: str) -> None:
    error = refusal(policy_document(references={"registries": [pattern]}))
    assert error.code == "POL_MALFORMED"
    assert "spec.references.registries[0]" in error.message


@pytest.mark.parametrize(
    ("pattern", "matches", "strangers"),
    [
        (
            "registry.example/shop/**",
            "registry.example/shop/a/b",
            ["registry.example.evil/shop/a", "registry.example/shop"],
        ),
        ("docker.io/acme/*", "docker.io/acme/web", ["docker.io/acme-evil/web", "docker.io/acme/a/b"]),
        ("docker.io/library/nginx", "docker.io/library/nginx", ["docker.io/library/nginx-evil"]),
        ("docker.io/**", "docker.io/library/nginx", ["docker.io.evil/library/nginx"]),
        ("registry.example:5000/**", "registry.example:5000/a", ["registry.example/a", "registry.example:50001/a"]),
        ("127.0.0.1:5000/shop/*", "127.0.0.1:5000/shop/web", ["127.0.0.1:5001/shop/web"]),
        ("[::1]:5000/**", "[::1]:5000/a", ["[::1]/a"]),
        ("*.example.com/**", "a.example.com/x", ["example.com/x", "evil/a.example.com/x"]),
        ("**", "anything.example/at/all", []),
    ],
)
def test_d12_twin_a_pattern_matches_components(pattern: str, matches: str, strangers: list[str]) -> None:
    (read,) = policy(policy_document(references={"registries": [pattern]})).registries
    assert read.matches(matches)
    assert [name for name in strangers if read.matches(name)] == []
