"""The child's own code, run here; as a process it is in `test_rules`, its limits in `test_limited_task`."""

from __future__ import annotations

import io
import json
import sys

import pytest

from gate.sandbox import rule_child
from gate.sandbox.rule_child import describe, evaluate


def test_a_rule_is_evaluated_over_the_facts() -> None:
    assert evaluate("a > 1", {"a": 2}, "evaluate") == {"value": True, "error": ""}
    assert evaluate("a > 1", {"a": 1}, "evaluate") == {"value": False, "error": ""}
    assert evaluate("a > 1", {}, "compile") == {"value": None, "error": ""}
    assert evaluate("a >", {}, "compile")["error"] == "the expression cannot be parsed at character 4"
    assert evaluate("a", {"a": 1}, "evaluate") == {"value": None, "error": "it gives int, not true or false"}


@pytest.mark.parametrize(
    ("error", "expression", "words"),
    [
        (KeyError("b"), "a.b", "a key that is not there: 'b'"),
        (KeyError("a secret"), "a[x]", "a key that is not there"),
        (RuntimeError("Undefined variable or function: 'x'. Check"), "x == 1", "an unknown variable or function 'x'"),
        (RuntimeError("Undefined variable or function: 'secret'."), "x == 1", "an unknown name"),
        (ZeroDivisionError(), "", "division by zero"),
        (OverflowError("secret"), "", "a number out of range"),
        (IndexError("secret"), "", "an index out of range"),
        (TypeError("secret"), "", "an operation between values of unlike types"),
        (ValueError("secret"), "", "a value that cannot be converted, or an expression that cannot be parsed"),
        (MemoryError(), "", "out of memory"),
        (RecursionError(), "", "nested too deeply"),
        (RuntimeError("secret"), "", "it cannot be evaluated"),
    ],
)
def test_a_message_holds_only_what_the_expression_says(error: Exception, expression: str, words: str) -> None:
    assert describe(error, expression) == words


def test_a_request_is_answered_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [{"id": "a", "cel": "x"}, {"id": "b", "cel": "x +"}]
    request = {"mode": "evaluate", "rules": rules, "facts": {"x": True}}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(request)))
    answer = io.StringIO()
    monkeypatch.setattr(sys, "stdout", answer)
    rule_child.main()
    lines = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert [(line["id"], line["value"]) for line in lines] == [("a", True), ("b", None)]
