"""A rule that names what does not exist, or compares what is never equal, is refused when the policy is read; no other is."""

from __future__ import annotations

import json
import random
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.policy.rule_expression import check_expression
from gate.codec.policy.rule_functions import DURATION_METHODS, FUNCTIONS, TEXT_METHODS, TIME_METHODS
from gate.codec.policy.rule_tokens import ExpressionError, literal_text
from gate.codec.policy.rule_types import VARIABLES, RuleType
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document, refusal
from tests.support.policy_effects import facts

RIGHT = [
    "true",
    "has(image.config.exposedPorts)",
    '!("22/tcp" in image.config.exposedPorts)',
    "packages.all(p, !(p.name in ['bash', 'dash']))",
    '"team" in image.config.labels',
    "has(image.config.labels.team) && image.config.labels.team != ''",
    "provenance.exists(p, p.level >= 3 && p.parameters['workflow.path'].endsWith('release.yml'))",
    "!('PATH' in image.config.env) || image.config.env['PATH'] == '/usr/bin'",
    "size(image.config.entrypoint) > 0 || size(image.config.cmd) > 0",
    "findings.all(f, f.severity in ['high', 'critical'])",
    "findings.filter(f, f.kev).size() == 0",
    "size(findings.filter(f, f.fixState == 'fixed' && f.tools.exists(t, t == 'trivy'))) == 0",
    "!findings.exists(f, size(f.epss) > 0 && f.epss[0] > 0.5)",
    "findings.map(f, f.severity != 'low', f.id).size() < 3",
    "findings.all(f, f.severityRank < 4.5)",
    "image.config.user != 'root' && !image.config.user.startsWith('0')",
    "image.config.env.all(k, !k.contains('PASS'))",
    "image.size < 0x7fffffff && image.size > -1",
    "timestamp(image.config.created) > timestamp('2020-01-01T00:00:00Z') - duration('1h')",
    "timestamp(image.config.created).getFullYear() >= 2020",
    "signatures.exists(s, s.keyId.startsWith('sha256:')) || true",
    "image.config.history.exists(h, h.matches('(?i)curl')) || image.config.layers > 0 // a comment",
    "image.platform.os == 'linux' ? image.config.layers > 0 : false",
    "image['config'].user == r'\\d' || image.config.user == '''a''' || image.config.user != \"\\u0061\"",
    "type(image.size) == int && string(image.size) + 'x' != 'x'",
    "[1, 2,].exists(x, x in [1]) && {'a': 1,}.a == 1",
    "image.config.cmd + image.config.entrypoint == [] || true",
    "packages.exists_one(p, p.purl == 'pkg:deb/debian/libc6') || packages.size() % 2 >= 0",
    "image.digest != 'sha256:" + "0" * 64 + "'",
    "true ? (false ? true : true) : false ? true : true",
    "!" * 1000 + "true",
    "'a'" + " + 'a'" * 300 + " != 'b'",
]  # fmt: skip

WRONG = [
    ("!has(image.config.exposedPortz)", "exposedPortz", "exposedPorts"),
    ("!has(image.confg.user)", "confg", "config"),
    ("!('exposedPortz' in image.config)", "exposedPortz", "exposedPorts"),
    ("image['confg'].user == ''", "confg", "config"),
    ("!has(dyn(image).foo)", "foo", ""),
    ("img.config.user == ''", "img", "image"),
    ("packages.all(p, p.type != 'deb' || p.nam == 'x')", "nam", "name"),
    ("packages.all(p, q.name == 'x')", "'q'", ""),
    ("packages.all(p, true) && p.name == 'x'", "'p'", ""),
    ("findings.filter(f, f.kev).all(g, g.sevrity == 'low')", "sevrity", "severity"),
    ("findings.map(f, f.package).all(p, p.nme == '')", "nme", "name"),
    ("[findings[0]].all(f, f.idd == '')", "idd", "id"),
    ("(true ? image.config : image.config).usr == ''", "usr", "user"),
    ("provenance.all(p, p.repo == '')", "repo", ""),
    ("signatures.all(s, s.identity == '')", "identity", ""),
    ("findings.all(f, f.severity != 'hihg')", "never is", "high"),
    ("findings.all(f, !(f.severity in ['High', 'critical']))", "never is", "high"),
    ("!('22' in image.config.exposedPorts)", "never is", "22/tcp"),
    ("!('22/TCP' in image.config.exposedPorts)", "never is", "22/tcp"),
    ("findings.all(f, !f.tools.exists(t, t == 'snyk'))", "never is", "trivy"),
    ("image.digest != 'sha256:abc'", "never is", "64"),
    ("packages.all(p, p.type != 'DEB')", "never is", ""),
    ("!(22 in image.config.exposedPorts)", "never equal", ""),
    ("image.config.layers != '5'", "never equal", ""),
    ("image.config.user != 0", "never equal", ""),
    ("image.config.user != null", "never equal", ""),
    ("image.config.cmd != 'sh'", "never equal", ""),
    ("image.config.cmd != [1]", "never equal", ""),
    ("findings.all(f, f.epss > 0.5)", "compares", ""),
    ("image.config.user > 1", "compares", ""),
    ("image.config.user", "not true or false", ""),
    ("size(image.config.entrypoint)", "not true or false", ""),
    ("!image.config.user", "for bool", ""),
    ("image.config.user && true", "for bool", ""),
    ("packages.all(p, p.name)", "for bool", ""),
    ("image.config.user.lowerAscii() == ''", "lowerAscii", ""),
    ("image.config.user.contans('a')", "contans", "contains"),
    ("image.config.cmd.contains('a')", "list(string)", ""),
    ("matches(image.config.user, 'a')", "matches", ""),
    ("max(1, 2) == 2", "max", ""),
    ("size(image.config.layers) > 1", "size", ""),
    ("size(image.config.cmd, 1) > 1", "arguments", ""),
    ("image.config.user.all(c, c == 'a')", "string", ""),
    ("has(image.config)  && has(image)", "no field", ""),
    ("has(image.config.labels['team'])", "no field", ""),
    ("image.size + 1.5 > 2.0", "computes", ""),
    ("image.config.user - 'a' == ''", "computes", ""),
    ("-image.config.user == ''", "number", ""),
    ("image.config.cmd['a'] == ''", "for int", ""),
    ("image.config.labels[1] == ''", "for string", ""),
    ("image.config.labels.all(k, v, true)", "'v'", ""),
    ("1 +", "ends too early", ""),
    ("", "ends too early", ""),
    ("true true", "cannot be read", ""),
    ("image.config.`user` == ''", "cannot be read", ""),
    (".image.size > 1", "cannot be read", ""),
    ("in", "cannot be read", ""),
    ("'abc", "cannot be read", ""),
    ("image.?config.user == ''", "cannot be read", ""),
    ("true ? true : " * 80 + "true", "nested", ""),
    ("true ? false ? true : true : false", "cannot be read", ""),
]  # fmt: skip


@pytest.mark.parametrize("text", RIGHT)
def test_what_can_be_judged_is_taken_and_the_library_judges_it(text: str) -> None:
    check_expression(text)
    value = cel.evaluate(text, facts(good_evidence(), 0) | {"provenance": [], "signatures": []})
    assert value in {True, False}


@pytest.mark.parametrize(("text", "word", "expected"), WRONG)
def test_what_names_nothing_or_is_never_true_is_refused(text: str, word: str, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check_expression(text)
    assert word in caught.value.message
    assert expected in caught.value.expected
    assert 1 <= caught.value.place <= len(text) + 1


def test_the_policy_is_refused_with_the_place_and_the_nearest_name() -> None:
    rules = [{"id": "r", "cel": "!has(image.config.exposedPortz)", "message": "m"}]
    error = refusal(policy_document(rules=rules))
    assert (error.code, error.expected) == ("POL_MALFORMED", "exposedPorts")
    assert "spec.rules[0].cel" in error.message
    assert "character 18" in error.message
    rules[0]["cel"] = "!has(image.config.exposedPorts)"
    assert policy(policy_document(rules=rules)).rules[0].cel == rules[0]["cel"]


def fits(declared: RuleType, value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a value of the facts is of the declared type, through and through."""
    match declared.kind:
        case "object":
            return value.keys() == declared.fields.keys() and all(
                fits(declared.fields[key], value[key]) for key in value
            )
        case "map":
            return all(fits(declared.value, item) for item in value.values())
        case "list":
            return all(fits(declared.value, item) for item in value)
        case "string":
            is_text = isinstance(value, str)
            return is_text and (declared.form is None or not value or bool(declared.form.pattern.fullmatch(value)))
        case kind:
            return {"int": int, "double": float, "bool": bool}[kind] is type(value)


def test_the_declared_types_are_those_of_the_facts() -> None:
    made = facts(good_evidence(), 0)
    assert made.keys() == VARIABLES.keys()
    assert all(fits(declared, made[name]) for name, declared in VARIABLES.items())


def test_the_declared_functions_are_those_of_the_library() -> None:
    values = {"string": "'1'", "int": "1", "double": "1.5", "bool": "true", "bytes": "b'a'", "list": "[1]", "map": "{'a': 1}",
              "timestamp": "timestamp('2026-01-01T00:00:00Z')", "duration": "duration('1h')"}  # fmt: skip
    special = {("duration", "string"): "'1h'", ("timestamp", "string"): "'2026-01-01T00:00:00Z'"}
    for name, (kinds, _) in FUNCTIONS.items():
        taken = [
            kind
            for kind in sorted(kinds)
            if kind in values and works(f"{name}({special.get((name, kind), values[kind])})")
        ]
        assert taken or works(f"{name}(1)"), name
    assert all(works(f"'a'.{method}('a')") for method in TEXT_METHODS)
    assert all(works(f"{values['timestamp']}.{method}()") for method in TIME_METHODS)
    assert all(works(f"{values['duration']}.{method}()") for method in DURATION_METHODS - {"getMilliseconds"})


def works(text: str) -> bool:
    try:
        cel.evaluate(text, {})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return False
    return True


@given(st.text(alphabet="image.config()[]{}'\"!&|<>=?:,+-*/% \\nalpks0123", max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        check_expression(text)
    except ExpressionError as error:
        assert 1 <= error.place <= len(text) + 1  # noqa: PT017 - either is right


@given(st.integers(0, 2**32))
def test_a_shuffled_rule_is_taken_or_refused(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 - an order, not a secret
    parts = json.dumps(RIGHT[source.randrange(len(RIGHT))])[1:-1].split(" ")
    source.shuffle(parts)
    try:
        check_expression(" ".join(parts))
    except ExpressionError as error:
        assert error.message  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("'a'", "a"),
        ('"a\\n"', "a\n"),
        ("r'\\n'", "\\n"),
        ("'''a'b'''", "a'b"),
        ("'\\x41\\u0042\\103'", "ABC"),
        ("'\\''", "'"),
    ],
)
def test_a_literal_is_the_text_that_it_writes(written: str, text: str) -> None:
    assert literal_text(written) == text
    assert cel.evaluate(written, {}) == text
