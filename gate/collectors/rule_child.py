"""Evaluate CEL rules: the child process that `gate.collectors.rules` starts and may kill at any moment.

Run by its path with `python -I`; it imports nothing of the gate, so that it starts fast and holds nothing worth stealing.
Reads one JSON object from standard input (`mode`: `evaluate` or `compile`, `rules`: a list of id and expression, `facts`,
`limits`), and writes one JSON line a rule as soon as it is known: what stands there when the child dies still counts.

Refuses to be trusted: processor time, memory and output are limited before an expression is looked at. Messages name what the
expression says (a variable, a key), never a value of the image: an environment variable may be a secret.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

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


def limit(cpu_seconds: int, memory_bytes: int, output_bytes: int) -> None:
    """Take from this process what a rule does not need."""
    wanted = (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, output_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    )
    for kind, most in wanted:
        _, hard = resource.getrlimit(kind)
        new = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (new, new))
        except (OSError, ValueError):
            # macOS does not limit address space: processor time and the parent's clock still end the child there.
            continue


def describe(error: BaseException, expression: str) -> str:
    """Say what went wrong without a value of the evidence."""
    text = str(error)
    if isinstance(error, RuntimeError) and text.startswith(_UNDEFINED):
        name = text.removeprefix(_UNDEFINED).split("'")[1:2]
        return f"an unknown variable or function {name[0]!r}" if name and name[0] in expression else "an unknown name"
    if isinstance(error, KeyError) and error.args and str(error.args[0]) in expression:
        return f"a key that is not there: {str(error.args[0])!r}"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it cannot be evaluated")


def evaluate(cel: Any, expression: str, facts: dict[str, Any], mode: str) -> dict[str, Any]:  # noqa: ANN401 - a module
    """Give `value` (true, false or null) and `error` of one rule."""
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
    limits = request["limits"]
    limit(limits["cpuSeconds"], limits["memoryBytes"], limits["outputBytes"])
    import cel  # noqa: PLC0415 - native code is loaded when the limits already hold

    for rule in request["rules"]:
        answer = evaluate(cel, rule["cel"], request["facts"], request["mode"])
        sys.stdout.write(json.dumps({"id": rule["id"], **answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
