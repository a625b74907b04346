"""Rules run in a child that can be killed; whatever is not true or false is an error, never a pass (P04, P09)."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.codec.rule_facts import rule_facts
from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from gate.model.evidence import RuleResult, Unavailable
from gate.model.image import OCI_MANIFEST, Platform
from gate.model.image_config import ImageConfig
from gate.model.policy import Rule
from gate.model.subject import Subject
from gate.sandbox import rules as rules_module
from gate.sandbox.rules import check_rules, evaluate_rules

SECRET = "hunter2-not-for-messages"
PLATFORM = Platform("linux", "amd64")
FACTS = rule_facts(
    subject=Subject(media_type=OCI_MANIFEST, digest=Digest.of(b"m"), size=1, platform=PLATFORM),
    repository=None,
    config=ImageConfig(
        platform=PLATFORM, diff_ids=(), user="10001", exposed_ports=("22/tcp",), env=(f"TOKEN={SECRET}",)
    ),
)


def rule(cel: str, name: str = "r") -> Rule:
    return Rule(id=name, cel=cel, message="m")


def results(*expressions: str, facts: dict[str, JsonValue] = FACTS) -> tuple[RuleResult, ...]:
    found = evaluate_rules([rule(cel, f"r{place}") for place, cel in enumerate(expressions)], facts)
    assert not isinstance(found, Unavailable)
    assert [result.id for result in found] == [f"r{place}" for place in range(len(expressions))]
    return found


def test_rules_are_true_or_false() -> None:
    found = results(
        '!("22/tcp" in image.config.exposedPorts)',
        '"22/tcp" in image.config.exposedPorts',
        "image.config.user != '' && packages.all(p, p.name != 'bash')",
        "findings.exists(f, f.severityRank >= 4)",
        'has(image.config.labels.team) || !("team" in image.config.labels)',
    )
    assert [result.value for result in found] == [False, True, True, False, True]
    assert {result.error for result in found} == {""}


# Expression → what its error must say. The attack behind each: an undefined thing that counts as "no violation".
ERRORS = {
    "nothing == 1": "unknown variable or function 'nothing'",
    "now() == 1": "unknown variable or function 'now'",
    "image.config.nothing == ''": "a key that is not there: 'nothing'",
    "image.config.labels['team'] == 'web'": "a key that is not there: 'team'",
    "1 / 0 == 1": "division by zero",
    "9223372036854775807 + 1 > 0": "out of range",
    "packages[0].name == 'a'": "out of range",
    "image.config.user > 1": "unlike types",
    "1": "int, not true or false",
    "null": "NoneType, not true or false",
    "'true'": "str, not true or false",
    "[true]": "list, not true or false",
    "packages": "list, not true or false",
    "true &&": "cannot be parsed",
    "": "cannot be parsed",
    "((((": "cannot be parsed",
}


def test_p04_whatever_is_not_true_or_false_is_an_error() -> None:
    found = results(*ERRORS)
    assert [result.value for result in found] == [None] * len(ERRORS)
    for result, (expression, words) in zip(found, ERRORS.items(), strict=True):
        assert words in result.error, expression


def test_p04_a_missing_variable_is_an_error_and_never_a_pass() -> None:
    for name in FACTS:
        cut = {key: value for key, value in FACTS.items() if key != name}
        (result,) = results(f"size({name}) >= 0" if name != "image" else "image.size > 0", facts=cut)
        assert (result.value, result.error) == (None, f"an unknown variable or function {name!r}")


def test_no_message_holds_a_value_of_the_image() -> None:
    token = "image.config.env['TOKEN']"
    found = results(
        f"int({token}) == 1", f"{token} > 1", token, f"image.config.labels[{token}] == ''", f"double({token}) > 1.0"
    )
    assert [result.value for result in found] == [None] * 5
    assert [result.error for result in found if not result.error or SECRET in result.error] == []


@pytest.mark.parametrize(
    "cel",
    [
        pytest.param("l.map(a, l.map(b, l.map(c, a + b + c))).size() > 0", id="P09-nested-map"),
        pytest.param("l.all(a, l.all(b, l.all(c, l.all(d, true))))", id="P09-nested-all"),
        pytest.param(
            "l.map(a, l.map(b, l.map(c, 'x' + string(a) + string(b) + string(c)))).size() > 0", id="P09-memory"
        ),
    ],
)
def test_p09_a_hostile_rule_is_killed_and_nothing_after_it_passes(cel: str) -> None:
    facts: dict[str, JsonValue] = {"l": list(range(400))}
    found = evaluate_rules([rule(cel, "hostile"), rule("true", "after")], facts, time_limit=timedelta(seconds=1))
    assert not isinstance(found, Unavailable)
    hostile, after = found
    assert (hostile.value, after.value) == (None, None)
    # Killed by the clock, or by the memory limit where that is reached first.
    assert hostile.error
    assert after.error


def test_p09_what_was_answered_before_the_child_died_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    output = b'{"id":"before","value":true,"error":""}\n{"id":"hostile","val'
    monkeypatch.setattr(rules_module, "_answers_of_child", lambda *_: (output, "it was killed"))
    assert evaluate_rules([rule("true", "before"), rule("x", "hostile")], FACTS) == (
        RuleResult(id="before", value=True),
        RuleResult(id="hostile", value=None, error="it was killed"),
    )


def test_twin_the_same_shape_within_bounds_is_answered() -> None:
    (result,) = results("l.map(a, l.map(b, l.map(c, a + b + c))).size() > 0", facts={"l": list(range(3))})
    assert (result.value, result.error) == (True, "")


def test_no_rules_start_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert evaluate_rules([], FACTS) == ()
    assert check_rules([]) == ()


def test_a_child_that_cannot_start_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    found = evaluate_rules([rule("true")], FACTS)
    assert isinstance(found, Unavailable)
    assert found.code == "POL_EVAL"


def test_a_child_that_dies_passes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = evaluate_rules([rule("true")], FACTS)
    assert found == (RuleResult(id="r", value=None, error="the rules' process ended with code 1"),)


@pytest.mark.parametrize(
    "output",
    [
        b'{"id":"r","value":true,"error":""}',  # cut off: no end of line
        b'{"id":"r","value":"true","error":""}\n',
        b'{"id":"r","value":1,"error":""}\n',
        b'{"id":"r","value":true,"value":false}\n',
        b'{"id":"other","value":true,"error":""}\n',
        b"garbage\n" + b'{"id":"r","value":true,"error":""}\n',
        b'{"id":"r","value":true,"error":"' + b"x" * 5000 + b'"}\n',
        b"",
    ],
)
def test_an_answer_that_is_not_whole_passes_nothing(output: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "_answers_of_child", lambda *_: (output, "it ended"))
    assert evaluate_rules([rule("true")], FACTS) == (RuleResult(id="r", value=None, error="it ended"),)


def test_twin_a_whole_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b'{"id":"r","value":true,"error":""}\n'
    monkeypatch.setattr(rules_module, "_answers_of_child", lambda *_: (answer, "it ended"))
    assert evaluate_rules([rule("true")], FACTS) == (RuleResult(id="r", value=True),)


def test_check_rules_names_those_that_cannot_be_parsed() -> None:
    found = check_rules([rule("true", "good"), rule("1 +", "bad"), rule("unknown_thing", "later")])
    assert found == (RuleResult(id="bad", value=None, error="the expression cannot be parsed at character 4"),)


def test_the_child_gets_no_environment_and_no_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, object]] = []
    popen = subprocess.Popen

    def recording(arguments: list[str], **options: object) -> subprocess.Popen[bytes]:
        started.append({"arguments": arguments, **options})
        return popen(arguments, **options)  # type: ignore[call-overload, no-any-return] # passed on as it came

    monkeypatch.setattr(subprocess, "Popen", recording)
    monkeypatch.setenv("GATE_KEY_PASSWORD", SECRET)
    assert results("true")[0].value is True
    assert started[0]["env"] == {"LANG": "C.UTF-8"}
    assert "-I" in str(started[0]["arguments"])


@settings(max_examples=5)
@given(st.lists(st.text(alphabet="ab.()[]{}!-?:&|=<in'\"1,+*/%\\\n@", max_size=60), min_size=20, max_size=40))
def test_any_text_is_answered_or_an_error(expressions: list[str]) -> None:
    for result in results(*expressions):
        assert (result.value is None) == bool(result.error)
