"""Rule files: what is refused and why, and that a user's rule must hold its own examples (attack X11)."""

from __future__ import annotations

import pytest

from gate.errors import PolicyError
from gate.model.digest import Digest
from gate.model.policy import SecretRuleFile
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.proof import check_examples
from gate.secrets.rule_file import parse_rule_file
from gate.secrets.rule_set import RuleSet

RULE = """\
apiVersion: gate/v1
kind: SecretRules
metadata: {name: own}
spec:
  rules:
    - id: shop-token
      title: Token of the shop
      pattern: '\\b(shp_[0-9A-Za-z]{36})\\b'
      validators: [base62-crc32]
      severity: high
      examples:
        match: ['T=shp_{{base62-crc32:30}}']
        noMatch: ['T=shp_{{repeat:x:36}}']
      source: https://shop.example/docs
"""


def test_a_rule_that_holds_its_examples() -> None:
    rules = parse_rule_file(RULE.encode(), name="own.yaml")
    check_examples(RuleSet(rules), rules)
    assert [rule.id for rule in rules] == ["shop-token"]


BROKEN = [
    ("POL_MALFORMED", "severity: high", "severity: high\n      reviewed: yesterday"),
    ("POL_MALFORMED", "severity: high", "severity: high\n      checksumSource: a book"),
    ("POL_UNKNOWN_KEY", "severity: high", "severity: high\n      ignore: true"),
    ("POL_MALFORMED", "severity: high", "severity: unknown"),
    ("POL_MALFORMED", "shop-token", "Shop Token"),
    ("POL_MALFORMED", "[base62-crc32]", "[luhn]"),
    ("POL_MALFORMED", "[base62-crc32]", "[{base62-crc32: 3}]"),
    ("POL_MALFORMED", "[base62-crc32]", "[entropy]"),
    ("POL_MALFORMED", "kind: SecretRules", "kind: Policy"),
    ("POL_MALFORMED", "      source: https://shop.example/docs\n", ""),
    ("POL_MALFORMED", "        noMatch: ['T=shp_{{repeat:x:36}}']\n", ""),
    ("POL_REGEX", "{36})\\b", "{36})(?=x)"),
    ("POL_REGEX", "(shp_[0-9A-Za-z]{36})\\b", "(a)\\1"),
    ("POL_REGEX", "\\b(shp_[0-9A-Za-z]{36})\\b", "(x*)"),
    ("POL_REGEX", "{36}", "{36000}"),
]


@pytest.mark.parametrize(("code", "old", "new"), BROKEN)
def test_a_malformed_file_is_refused(code: str, old: str, new: str) -> None:
    assert old in RULE
    with pytest.raises(PolicyError) as caught:
        parse_rule_file(RULE.replace(old, new).encode(), name="own.yaml")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("old", "new"),
    [("base62-crc32:30", "alnum:20"), ("repeat:x:36", "base62-crc32:30"), ("repeat:x:36", "nothing:1")],
)
def test_a_rule_that_does_not_hold_its_examples_is_refused(old: str, new: str) -> None:
    rules = parse_rule_file(RULE.replace(old, new).encode(), name="own.yaml")
    with pytest.raises(PolicyError) as caught:
        check_examples(RuleSet(rules), rules)
    assert caught.value.code == "POL_MALFORMED"


def test_an_id_of_a_shipped_rule_cannot_be_taken() -> None:
    content = RULE.replace("shop-token", "jwt").encode()
    with pytest.raises(PolicyError) as caught:
        load_rule_set([SecretRuleFile(path="own.yaml", content=content, digest=Digest.of(content))], None)
    assert caught.value.code == "POL_DUPLICATE_KEY"


def test_own_rules_are_proved_before_they_are_used() -> None:
    content = RULE.replace("base62-crc32:30", "alnum:20").encode()
    with pytest.raises(PolicyError) as caught:
        load_rule_set([SecretRuleFile(path="own.yaml", content=content, digest=Digest.of(content))], None)
    assert caught.value.code == "POL_MALFORMED"
