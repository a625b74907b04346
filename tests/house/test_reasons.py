"""Reason codes: declared once, of the class of the error that carries them, and documented."""

from __future__ import annotations

import ast
import re

import pytest

import gate.errors
from gate.errors import EvidenceError, GateError, InternalError, RefusedError, UsageError
from gate.model.reasons import REASONS, ReasonClass
from tests.support.sources import GATE, calls, parse, python_files, relative

KINDS: dict[type, ReasonClass] = {
    RefusedError: ReasonClass.FAIL,
    UsageError: ReasonClass.USAGE,
    EvidenceError: ReasonClass.ERROR,
    InternalError: ReasonClass.INTERNAL,
}
ERRORS = {
    name: value
    for name, value in vars(gate.errors).items()
    if isinstance(value, type) and issubclass(value, GateError) and name != GateError.__name__
}


def kind_of(error: type[GateError]) -> ReasonClass:
    return next(KINDS[base] for base in error.__mro__ if base in KINDS)


def raised_codes() -> list[tuple[str, str, str]]:
    """Return place, error class and code of each error that is made with a literal code."""
    return [
        (f"{relative(path)}:{call.lineno}", name, str(keyword.value.value))
        for path in python_files("gate")
        for name, call in calls(parse(path))
        for keyword in call.keywords
        if name in ERRORS and keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    ]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_each_error_names_a_declared_code_of_its_own_class(error: type[GateError]) -> None:
    assert REASONS[error.default_code].kind is kind_of(error)


def test_each_raised_code_is_declared_with_the_class_of_its_error() -> None:
    raised = raised_codes()
    assert raised
    wrong = [
        (place, name, code)
        for place, name, code in raised
        if code not in REASONS or REASONS[code].kind is not kind_of(ERRORS[name])
    ]
    assert wrong == []


def test_each_text_that_looks_like_a_code_is_declared() -> None:
    areas = {code.partition("_")[0] for code in REASONS if "_" in code}
    shape = re.compile(rf"({'|'.join(sorted(areas))})(_[A-Z0-9]+)+")
    undeclared = [
        f"{relative(path)}:{node.lineno}: {node.value}"
        for path in python_files("gate")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and shape.fullmatch(node.value)
        if node.value not in REASONS
    ]
    assert undeclared == []


def test_each_declared_code_is_used() -> None:
    reasons = GATE / "model" / "reasons.py"
    text = "".join(path.read_text(encoding="utf-8") for path in python_files("gate") if path != reasons)
    assert [code for code in REASONS if f'"{code}"' not in text] == []


def test_each_code_is_upper_snake_case_and_has_texts_that_end() -> None:
    for code, reason in REASONS.items():
        assert re.fullmatch(r"[A-Z]+(_[A-Z0-9]+)*", code), code
        assert reason.title.endswith("."), code
        assert reason.next_step.endswith((".", "`")), code


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", gate.errors.__doc__ or "")
    assert sorted(drawn) == sorted(ERRORS)
