"""Evaluate a policy's own rules (CEL) in a child process that can be killed, and give the results as evidence.

The library has no cost limit: three nested `map` over 200 items ran for 39 s (checks reference, section 6.6). So a child
gets expressions and facts, limits itself before it reads them, and is killed when the time is over
(`gate.sandbox.limited_task`); what it had answered counts, and every rule without an answer is an error, never a pass.
Nothing here judges: that is the check `rules`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, parse_object
from gate.errors import EvidenceError, GateError
from gate.model.evidence import RuleResult, Unavailable
from gate.sandbox.limited_task import TaskLimits, run_task

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.model.policy import Rule

# An honest rule takes microseconds; starting the child and loading the library takes 0.2 s, more on a busy machine.
DEFAULT_TIME_LIMIT: Final = timedelta(seconds=5)
_MEMORY_BYTES: Final = 1 << 30
_LINE_BYTES: Final = 2048
_TASK: Final = "rule_child.py"
_FAULT: Final = Fault(EvidenceError, "POL_EVAL", "the answer of the rules' child")


def evaluate_rules(
    rules: Sequence[Rule], facts: Mapping[str, JsonValue], *, time_limit: timedelta = DEFAULT_TIME_LIMIT
) -> tuple[RuleResult, ...] | Unavailable:
    """Return the result of each rule, in their order, over the variables of `gate.codec.rule_facts`.

    `time_limit` is for all rules together. `Unavailable` (`POL_EVAL`) only where no child could be started.
    """
    return _run(rules, facts, "evaluate", time_limit)


def check_rules(
    rules: Sequence[Rule], *, time_limit: timedelta = DEFAULT_TIME_LIMIT
) -> tuple[RuleResult, ...] | Unavailable:
    """Return the rules that cannot be parsed, each with the reason; an empty tuple where all can."""
    results = _run(rules, {}, "compile", time_limit)
    return results if isinstance(results, Unavailable) else tuple(result for result in results if result.error)


def _run(
    rules: Sequence[Rule], facts: Mapping[str, JsonValue], mode: str, time_limit: timedelta
) -> tuple[RuleResult, ...] | Unavailable:
    if not rules:
        return ()
    request = {"mode": mode, "rules": [{"id": rule.id, "cel": rule.cel} for rule in rules], "facts": dict(facts)}
    try:
        output, reason = _answers_of_child(json.dumps(request).encode(), len(rules), time_limit)
    except OSError as error:
        return Unavailable(code="POL_EVAL", reason="the rules cannot be evaluated", seen=str(error.strerror))
    answered = _answers(output)
    return tuple(answered.get(rule.id) or RuleResult(id=rule.id, value=None, error=reason) for rule in rules)


def _answers_of_child(request: bytes, count: int, time_limit: timedelta) -> tuple[bytes, str]:
    """Return what the child wrote, and why a rule that it did not answer has no result."""
    limits = TaskLimits(time=time_limit, memory_bytes=_MEMORY_BYTES, output_bytes=_LINE_BYTES * count)
    ended = run_task(_TASK, request, limits)
    if ended.exit_code is None:
        return ended.output, f"the rules took longer than {time_limit.total_seconds():g} s together"
    return ended.output, f"the rules' process ended with code {ended.exit_code}"


def _answers(output: bytes) -> dict[str, RuleResult]:
    """Read the whole lines; the last may be cut where the child was killed."""
    answers: dict[str, RuleResult] = {}
    for line in output.split(b"\n")[:-1]:
        try:
            view = parse_object(line, _FAULT, limit_bytes=_LINE_BYTES)
            value = view.optional_boolean("value") if view.has("value") else None
            result = RuleResult(id=view.text("id"), value=value, error=view.optional_text("error"))
        except GateError:
            break
        answers[result.id] = result
    return answers
