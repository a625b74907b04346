"""A file of rules, read strictly: YAML bytes into `Rule`s, or one refusal with line and column.

Refuses unknown keys, a rule without examples or source, ids that are given twice, and patterns that the engine cannot run in
linear time (RE2 refuses them; attack X11). Whether the examples hold is asked in `gate.secrets.proof`.
Specification: docs/secret-rules.md, schemas/secret-rules.schema.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Fields, Node
from gate.errors import PolicyError
from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.patterns import PatternRefusedError, compile_pattern
from gate.secrets.rule import Rule, ValidatorUse
from gate.secrets.validator_names import PARAMETERS, Parameter

API_VERSION: Final = "gate/v1"
KIND: Final = "SecretRules"
DOCUMENT_KEYS: Final = ("apiVersion", "kind", "metadata", "spec")
METADATA_KEYS: Final = ("name", "description")
SPEC_KEYS: Final = ("rules",)
RULE_KEYS: Final = (
    "id", "title", "description", "pattern", "keywords", "paths", "validators", "severity", "confidence", "prefix",
    "examples", "source", "reviewed", "checksumSource",
)  # fmt: skip
EXAMPLE_KEYS: Final = ("match", "noMatch")
MAX_RULES: Final = 1000
# Hyperscan and RE2 take more; a longer pattern is a list of words, which is not what a rule is.
MAX_PATTERN_BYTES: Final = 2048
MAX_PREFIX_BYTES: Final = 24
_MAX_EXAMPLES: Final = 50
_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){0,12}", re.ASCII)
_ADDRESS = re.compile(r"https://[^\s/]+/\S{1,400}")
_KEYWORD = re.compile(r"[^A-Z\s]{2,60}")
_SEVERITIES: Final = frozenset({Severity.UNKNOWN, Severity.NEGLIGIBLE})


def parse_rule_file(data: bytes, *, name: str) -> tuple[Rule, ...]:
    """Return the rules of one untrusted document, in its order; `name` is the file's name in messages.

    Raises:
        PolicyError: `POL_MALFORMED`, `POL_UNKNOWN_KEY`, `POL_DUPLICATE_KEY`, `POL_EMPTY`.
    """
    document = parse_yaml(data, name=name)
    if document is None:
        raise PolicyError(f"{name} holds no rules", code="POL_EMPTY", expected="spec.rules")
    fields = document.fields(DOCUMENT_KEYS)
    fields.demand("apiVersion", lambda node: _constant(node, API_VERSION))
    fields.demand("kind", lambda node: _constant(node, KIND))
    fields.demand("metadata", _read_metadata)
    return fields.demand("spec", _read_spec)


def require_distinct(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules of several files as one, each id once.

    Raises:
        PolicyError: `POL_DUPLICATE_KEY`.
    """
    known: dict[str, Rule] = {}
    for rule in rules:
        if known.setdefault(rule.id, rule) is not rule:
            raise PolicyError(
                f"two rules have the id {rule.id}", code="POL_DUPLICATE_KEY", expected="each id once", seen=rule.id
            )
    return tuple(known.values())


def _constant(node: Node, expected: str) -> None:
    if node.text() != expected:
        raise node.refuse("is not what this file must be", expected=expected, seen=node.text())


def _read_metadata(node: Node) -> None:
    fields = node.fields(METADATA_KEYS)
    fields.demand("name", Node.text)
    fields.get("description", Node.text, "")


def _read_spec(node: Node) -> tuple[Rule, ...]:
    items = node.fields(SPEC_KEYS).demand("rules", lambda rules: rules.items(most=MAX_RULES, empty_code="POL_EMPTY"))
    return require_distinct(_read_rule(item) for item in items)


def _read_rule(node: Node) -> Rule:
    fields = node.fields(RULE_KEYS)
    examples = fields.demand("examples", lambda value: value.fields(EXAMPLE_KEYS))
    return Rule(
        id=fields.demand("id", lambda value: value.matching(_ID, "kebab-case as github-token")),
        title=fields.demand("title", lambda value: value.text(max_bytes=100)),
        description=fields.get("description", Node.text, ""),
        pattern=fields.demand("pattern", _read_pattern),
        keywords=fields.get("keywords", _read_keywords, ()),
        paths=fields.get("paths", _read_pattern, ""),
        validators=fields.get("validators", _read_validators, ()),
        severity=fields.demand("severity", lambda value: value.choice(Severity, without=_SEVERITIES)),
        confidence=fields.get("confidence", lambda value: value.choice(Confidence), Confidence.HIGH),
        prefix=fields.get("prefix", lambda value: value.text(max_bytes=MAX_PREFIX_BYTES), ""),
        source=fields.demand("source", Node.text),
        reviewed=fields.get("reviewed", Node.date, None),
        checksum_source=fields.get("checksumSource", lambda value: value.matching(_ADDRESS, "an https:// address"), ""),
        match=_read_examples(examples, "match"),
        no_match=_read_examples(examples, "noMatch"),
    )


def _read_pattern(node: Node) -> str:
    text = node.text(max_bytes=MAX_PATTERN_BYTES)
    try:
        compile_pattern(text)
    except PatternRefusedError as error:
        expected = "RE2 syntax: no look-around, no back-reference, repeats up to 1000, and never an empty match"
        raise node.refuse(
            "is not a pattern that can be run", code="POL_REGEX", expected=expected, seen=str(error)
        ) from error
    return text


def _read_keywords(node: Node) -> tuple[str, ...]:
    words = node.items(most=40, empty_code="POL_MALFORMED")
    return tuple(word.matching(_KEYWORD, "a lower-case word of 2 to 60 characters") for word in words)


def _read_examples(fields: Fields, key: str) -> tuple[str, ...]:
    items = fields.demand(key, lambda value: value.items(most=_MAX_EXAMPLES, empty_code="POL_MALFORMED"))
    return tuple(item.text() for item in items)


def _read_validators(node: Node) -> tuple[ValidatorUse, ...]:
    return tuple(_read_validator(item) for item in node.items(most=12))


def _read_validator(node: Node) -> ValidatorUse:
    if node.kind == "scalar":
        return ValidatorUse(_validator_name(node, node.text(), with_parameter=False))
    fields = node.fields(PARAMETERS)
    name = fields.one_of(*fields.values)
    return ValidatorUse(_validator_name(node, name, with_parameter=True), _parameter(fields.values[name], name))


def _validator_name(node: Node, name: str, *, with_parameter: bool) -> str:
    wanted = PARAMETERS.get(name)
    if wanted is None:
        raise node.refuse("is no validator", expected=f"one of {', '.join(PARAMETERS)}", seen=name)
    if (wanted is not Parameter.NONE) is not with_parameter:
        expected = f"{name}: {wanted.value}" if wanted is not Parameter.NONE else f"{name} without a parameter"
        raise node.refuse("is a validator with the wrong form", expected=expected, seen=name)
    return name


def _parameter(node: Node, name: str) -> str:
    match PARAMETERS[name]:
        case Parameter.NUMBER:
            return str(node.number(0, 8))
        case Parameter.COUNT:
            return str(node.integer(1, 4096))
        case Parameter.PATTERN:
            return _read_pattern(node)
        case Parameter.TEXT | Parameter.NONE:
            return node.text(max_bytes=200)
