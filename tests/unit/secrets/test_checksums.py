"""Checksums: each is held against an example that its vendor or specification published, and a rule says which."""

from __future__ import annotations

import pytest

from gate.model.finding import Confidence
from gate.pipeline.collect.secret_rules import load_rule_set, shipped_rules
from gate.secrets.budget import Budget
from gate.secrets.candidate import Candidate, Judgement
from gate.secrets.examples import ExampleMaker
from gate.secrets.hit import Hit
from gate.secrets.judging import judge
from gate.secrets.rule import ValidatorUse
from gate.secrets.search import Search

RULES = load_rule_set((), None)
CHECKSUMS = {"base62-crc32", "hex-crc32", "bech32", "base58-check"}

# Written apart, so that no other scanner takes them for somebody's. None opens anything: they stand in tests and specifications.
PUBLISHED = [
    # grafana/grafana pkg/components/satokengen/tokengen_test.go
    ("grafana-service-token", "glsa_iNValIdinValiDinvalidinvalidinva" + "_5b582697"),
    # secretlint/secretlint#200, a token that was made for the report
    ("npm-access-token", "npm_qkJaB6MffYVzZXWqmcoF49yrUxP3wf" + "0LsakP"),
    # github.blog, "Behind GitHub's new authentication token formats", as stefansundin/token-checksum prints it
    ("github-personal-token", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"),
    # C2SP age test vectors (testkit)
    ("age-key", "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZ" + "GFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"),
    # nostr-protocol/nips 19
    ("nostr-key", "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9" + "k0t9af8935ke9laqsnlfe5"),
    # bitcoin/bips BIP 32, test vector 1
    (
        "bitcoin-extended-key",
        (
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtR"
            "BeJgk33yuGBxrMPHi"
        ),
    ),
]


def search(text: str, name: str = "app/notes.bin") -> list[Hit]:
    hits: list[Hit] = []
    engine = Search(RULES, Budget(), hits.append, lambda where, reason: pytest.fail(f"{where.path}: {reason}"))
    content = text.encode()
    file = engine.begin(name, len(content))
    file.feed(memoryview(content))
    file.finish()
    return hits


@pytest.mark.parametrize(("rule", "value"), PUBLISHED, ids=[rule for rule, _ in PUBLISHED])
def test_a_published_value_is_certain_and_one_with_another_end_is_none(rule: str, value: str) -> None:
    assert [(hit.rule, hit.confidence) for hit in search(f"deploy with {value} today")] == [(rule, Confidence.CERTAIN)]
    other = value[:-1] + ("a" if value[-1] != "a" else "c" if value[-1].islower() else "C")
    assert [hit for hit in search(f"deploy with {other} today") if hit.rule == rule] == []


def test_each_rule_with_a_checksum_names_what_it_was_held_against_and_has_an_example_here() -> None:
    with_checksum = {rule.id for rule in shipped_rules() if CHECKSUMS & {use.name for use in rule.validators}}
    named = {rule.id for rule in shipped_rules() if rule.checksum_source}
    assert with_checksum == named
    # Kinds of one vendor share a checksum, and so an example.
    vendors = {rule.partition("-")[0] for rule, _ in PUBLISHED}
    assert {rule.partition("-")[0] for rule in with_checksum} == vendors


@pytest.mark.parametrize("name", sorted(CHECKSUMS))
def test_a_checksum_that_nobody_published_proves_nothing_and_rejects_nothing(name: str) -> None:
    value = b"shp_" + ExampleMaker(name).fill("{{alnum:36}}").encode()
    candidate = Candidate(value=value, text=value, start=0, end=len(value))
    assert judge(candidate, [ValidatorUse(name)]) is Judgement.DOUBTFUL


def test_a_routable_token_of_gitlab_is_certain_by_its_checksum_and_found_without_one() -> None:
    right = ExampleMaker("routable").fill("{{base36-crc32:glpat-:50}}")
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    assert [hit.confidence for hit in search(f"T={right}")] == [Confidence.CERTAIN]
    assert [hit.confidence for hit in search(f"T={wrong}")] == [Confidence.HIGH]
