"""The shipped rules: each is proven by its own examples, and no two say the same."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from gate.errors import PolicyError
from gate.pipeline.collect.secret_rules import shipped_known
from gate.secrets.candidate import Candidate, Judgement
from gate.secrets.examples import ExampleMaker
from gate.secrets.judging import judge
from gate.secrets.known import parse_known, parse_samples
from gate.secrets.patterns import compile_pattern
from gate.secrets.rule import Rule
from gate.secrets.rule_file import parse_rule_file, require_distinct
from gate.secrets.rule_set import RuleSet
from tests.support.sources import ROOT

FOLDER = ROOT / "policies" / "secrets"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "known")
# Examples are random: several of each, so that a rule does not hold by chance.
ROUNDS = 3
# Rules for formats that belong to no vendor.
OPEN_FORMATS = {"generic", "keys", "families", "languages"}
KEYWORD_REACH = 256


def read(path: Path) -> tuple[Rule, ...]:
    return parse_rule_file(path.read_bytes(), name=path.name)


RULES = [rule for path in FILES for rule in read(path)]


def split(rule: Rule, example: str) -> tuple[str, str]:
    """Return the path and the content of an example."""
    if not rule.paths:
        return "", example
    path, _, content = example.partition(": ")
    return path, content


def finds(rule: Rule, path: str, content: str) -> bool:
    text = content.encode()
    if rule.paths and not compile_pattern(rule.paths).fits(path.encode()):
        return False
    for found in compile_pattern(rule.pattern).find(text):
        near = text[max(0, found.start - KEYWORD_REACH) : found.end].lower()
        if rule.keywords and not any(word.encode() in near for word in rule.keywords):
            continue
        value = text[found.value[0] : found.value[1]]
        candidate = Candidate(
            value=value, text=text, start=found.start, end=found.end, path=path, groups=found.groups,
            has_proven_checksum=bool(rule.checksum_source),
        )  # fmt: skip
        if judge(candidate, rule.validators) is not Judgement.REJECT:
            return True
    return False


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_what_it_must_and_nothing_else(rule: Rule) -> None:
    for number in range(ROUNDS):
        make = ExampleMaker(f"{rule.id}:{number}").fill
        missed = [example for example in rule.match if not finds(rule, *split(rule, make(example)))]
        wrong = [example for example in rule.no_match if finds(rule, *split(rule, make(example)))]
        assert (missed, wrong) == ([], [])


def test_the_ids_are_distinct_over_all_files() -> None:
    assert len(require_distinct(RULES)) == len(RULES)


def test_there_are_rules_for_at_least_250_formats_of_vendors_and_for_the_open_ones() -> None:
    counts = {path.stem: len(read(path)) for path in FILES}
    assert sum(count for name, count in counts.items() if name not in OPEN_FORMATS) >= 250
    assert set(counts) >= OPEN_FORMATS


def test_no_two_rules_have_one_pattern() -> None:
    assert [text for text, count in Counter(rule.pattern for rule in RULES).items() if count > 1] == []


def test_every_rule_says_where_its_format_is_documented() -> None:
    assert [rule.id for rule in RULES if not re.fullmatch(r"https://[^\s/]+\.[a-z]+/\S*", rule.source)] == []


REVIEWS = yaml.safe_load((Path(__file__).parent / "reviews.yaml").read_text("utf-8"))


def test_each_rule_of_a_vendor_was_reviewed_within_a_year_or_is_named_as_not_reviewed() -> None:
    today = datetime.now(UTC).date()
    vendors = [rule for path in FILES if path.stem not in OPEN_FORMATS for rule in read(path)]
    old = [
        rule.id for rule in RULES if rule.reviewed and not timedelta() <= today - rule.reviewed < timedelta(days=366)
    ]
    assert old == []
    # The list gets shorter only: a new rule is reviewed when it is written, and a reviewed one leaves it.
    assert sorted(REVIEWS["notReviewed"]) == sorted(rule.id for rule in vendors if rule.reviewed is None)
    assert len(REVIEWS["notReviewed"]) <= REVIEWS["atMost"]


def test_the_automaton_takes_all_of_them_together() -> None:
    rules = RuleSet(RULES)
    token = ExampleMaker("automaton").fill("glsa: {{hex-crc32:glsa_:32}}").encode()
    seen = {rules.rules[number].id for number, _ in rules.scan(token).rules()}
    assert "grafana-service-token" in seen
    assert "github-personal-token" not in seen


def test_no_example_is_stored_as_a_value_that_looks_live() -> None:
    """A template that is filled in finds its rule; the template itself must not."""
    stored = [
        rule.id
        for rule in RULES
        for example in rule.match
        if "{{" in example and finds(rule, *split(rule, re.sub(r"\{\{[^{}]*\}\}", "x", example)))
    ]
    assert stored == []


def test_the_harvest_of_samples_names_for_each_digest_a_day_and_a_package() -> None:
    content = (FOLDER / "samples.txt").read_bytes()
    assert len(parse_samples(content, name="samples.txt")) > 30
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[0-9a-f]{64} 20\d\d-\d\d-\d\d (?:deb|pypi|npm) \S+", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.split(" ", 2)[2])
    assert parse_samples(content, name="samples.txt") <= shipped_known().values


@pytest.mark.parametrize("line", ["a" * 64, "a" * 63 + " 2026-01-01 deb a", "A" * 64 + " 2026-01-01 deb a", "x"])
def test_a_line_of_another_form_is_no_sample(line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_samples(f"# harvest\n\n{line}\n".encode(), name="samples.txt")
    assert caught.value.code == "POL_MALFORMED"
    assert "samples.txt:3" in str(caught.value)


def test_the_list_of_public_secrets_is_read_and_says_why_for_each() -> None:
    content = (FOLDER / "known.yaml").read_bytes()
    known = parse_known(content, name="known.yaml")
    assert len(known.values) >= 20
    assert known.files
    # Digests alone: neither a value nor a path stands in the list.
    assert re.findall(rb"(?m)^ +- (?!(?:value|file): sha256:[0-9a-f]{64}$).*", content) == []
