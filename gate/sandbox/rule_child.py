"""Evaluate CEL rules: the task of `gate.sandbox.rules`, which runs it under limits and may kill it at any moment.

It imports nothing of the gate, so that it starts fast and holds nothing worth stealing. Reads one JSON object from standard
input (`mode`: `evaluate` or `compile`, `rules`: a list of id and expression, `facts`), and writes one JSON line a rule as soon
as it is known: what stands there when the child dies still counts.

Messages name what the expression says (a variable, a key), never a value of the image: an environment variable may be a secret.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cel

_UNDEFINED = "Undefined variable or function: "
# What an expression did wrong, by the exception that the library raises (checks reference, section 6.6).
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (ZeroDivisionError, "division by zero"),
    (OverflowError, "a number out of range"),
    (IndexError, "an index out of range"),
    (KeyError, "a key that is not there"),
    (TypeError, "an operation between values of unlike types"),
    (ValueError, "a value that cannot be converted, or an expression that cannot be parsed"),
    (MemoryError, "out of memory"),
    (RecursionError, "nested too deeply"),
)
# What the library raises for an expression; anything else ends the child, and no rule that it did not answer passes.
_ERRORS = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def describe(error: BaseException, expression: str) -> str:
    """Say what went wrong without a value of the evidence."""
    text = str(error)
    if isinstance(error, RuntimeError) and text.startswith(_UNDEFINED):
        name = text.removeprefix(_UNDEFINED).split("'")[1:2]
        return f"an unknown variable or function {name[0]!r}" if name and name[0] in expression else "an unknown name"
    if isinstance(error, KeyError) and error.args and str(error.args[0]) in expression:
        return f"a key that is not there: {str(error.args[0])!r}"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it cannot be evaluated")


def evaluate(expression: str, facts: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return `value` (true, false or null) and `error` of one rule."""
    try:
        program = cel.compile(expression)
    except _ERRORS as error:
        place = str(error).partition("<input>:1:")[2].partition(":")
        column = f" at character {place[0]}" if place[0].isdigit() else ""
        return {"value": None, "error": f"the expression cannot be parsed{column}"}
    if mode == "compile":
        return {"value": None, "error": ""}
    try:
        value = program.execute(facts)
    except _ERRORS as error:
        return {"value": None, "error": describe(error, expression)}
    if not isinstance(value, bool):
        return {"value": None, "error": f"it gives {type(value).__name__}, not true or false"}
    return {"value": value, "error": ""}


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    for rule in request["rules"]:
        answer = evaluate(rule["cel"], request["facts"], request["mode"])
        sys.stdout.write(json.dumps({"id": rule["id"], **answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
