"""The sections `spec.rules` and `spec.waivers` of a policy.

A waiver excuses exactly one named thing of named repositories until a day, with reason, owner and approver: one that lacks
a field, has a wildcard where a name belongs, or is about a check that knows no exception, refuses the whole policy (attack
P08). A rule is bounded in length and nesting here and never compiled in this process: its parser is native code, and an
evaluation has no cost limit of its own, so both belong into a child that can be killed (attack P09).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct, read_id, read_narrow_glob, read_package
from gate.codec.policy.rule_expression import check_expression
from gate.codec.policy.rule_tokens import ExpressionError
from gate.codec.yaml_node import Node, nearest
from gate.model.policy import FailOrWarn, Rule, Waiver
from gate.model.reasons import REASONS, ReasonClass
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from gate.codec.yaml_node import Fields
    from gate.model.policy import Policy

MAX_RULES: Final = 100
MAX_WAIVERS: Final = 1000
MAX_CEL_BYTES: Final = 2048
MAX_CEL_NESTING: Final = 16

_CODE: Final = "POL_WAIVER"
_IMAGE_CHECKS: Final = ("image-user", "image-config", "image-files", "image-age")
# The image's own faults, by the check that tells them; a test holds them against the checks.
IMAGE_CODES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "image-user": frozenset({"IMG_USER_ROOT", "IMG_USER_UNKNOWN", "IMG_CONFIG"}),
        "image-config": frozenset({"IMG_PORT", "IMG_LABEL", "IMG_CONFIG"}),
        "image-files": frozenset({"IMG_SETUID"}),
        "image-age": frozenset({"IMG_TOO_OLD", "IMG_AGE_UNKNOWN"}),
    }
)
# Check → the keys that its match demands and those that it may have besides.
_MATCHES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = MappingProxyType(
    {
        "vulnerability": (("vulnerability", "package", "versions"), ()),
        "secret": (("fingerprint",), ()),
        "rules": (("rule",), ()),
        **dict.fromkeys(_IMAGE_CHECKS, (("code",), ("location",))),
    }
)
_VULNERABILITY: Final = re.compile(r"[A-Z][A-Z0-9]{1,15}-[A-Za-z0-9][A-Za-z0-9:.-]{2,60}", re.ASCII)
_VERSIONS: Final = re.compile(
    r"(?:<=|>=|<|>|=) ?[A-Za-z0-9.+:~^_-]+(?:, ?(?:<=|>=|<|>|=) ?[A-Za-z0-9.+:~^_-]+){0,7}", re.ASCII
)
_PLAIN_TERM: Final = re.compile(r"(?:^|,) ?(<=|>=|<|>|=) ?([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})(?=,|$)", re.ASCII)
_NO_END: Final = re.compile(r"(?<![0-9.])9{3,}(?![0-9])", re.ASCII)
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_STRING: Final = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")


def read_rules(node: Node) -> tuple[Rule, ...]:
    """Read `spec.rules`; ids are given once."""
    rules = [_rule(item) for item in node.items(most=MAX_RULES)]
    distinct(node, (rule.id for rule in rules), "id")
    return tuple(rules)


def read_waivers(node: Node) -> tuple[Waiver, ...]:
    """Read `spec.waivers`; ids are given once. How far away an end is, is judged where the clock is."""
    waivers = [_waiver(item) for item in node.items(most=MAX_WAIVERS)]
    distinct(node, (waiver.id for waiver in waivers), "id")
    return tuple(waivers)


def require_rules_exist(node: Node, policy: Policy) -> None:
    """Refuse a waiver for a rule that the policy does not have.

    Raises:
        PolicyError: `POL_WAIVER`.
    """
    rules = [rule.id for rule in policy.rules]
    for item, waiver in zip(node.items(), policy.waivers, strict=True):
        named = waiver.match.get("rule", "")
        if named and named not in rules:
            expected = nearest(named, rules) or " | ".join(rules) or "spec.rules with this rule"
            raise item.refuse("is for a rule that does not exist", code=_CODE, expected=expected, seen=named)


def _rule(node: Node) -> Rule:
    fields = node.fields(POLICY_KEYS["spec.rules[]"])
    level = fields.get("level", lambda value: value.choice(FailOrWarn), FailOrWarn.FAIL)
    if level is FailOrWarn.WARN and "from" in fields:
        expected = "level: fail, which it has from that day on, or no day"
        raise node.refuse("only warns, before and after the day on which it begins", expected=expected, seen="from")
    return Rule(
        id=fields.demand("id", read_id),
        cel=fields.demand("cel", _cel),
        message=fields.demand("message", _words),
        level=level,
        begins=fields.get("from", Node.date, None),
    )


def _cel(node: Node) -> str:
    text = node.text(max_bytes=MAX_CEL_BYTES)
    depth = deepest = 0
    for char in _STRING.sub("", text):
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
        if depth < 0:
            break
    if depth != 0:
        raise node.refuse("is no expression", expected="brackets and quotes in pairs", seen=text)
    if deepest > MAX_CEL_NESTING:
        raise node.refuse("is nested too deeply", expected=f"at most {MAX_CEL_NESTING} brackets", seen=str(deepest))
    try:
        check_expression(text)
    except ExpressionError as error:
        message = f"{error.message} (at character {error.place} of the expression)"
        raise node.refuse(message, expected=error.expected, seen=text) from error
    return text


def _words(node: Node) -> str:
    return node.text(max_bytes=1024)


def _waiver(node: Node) -> Waiver:
    fields = node.fields(POLICY_KEYS["spec.waivers[]"], missing=_CODE)
    check = fields.demand("check", _check)
    return Waiver(
        id=fields.demand("id", read_id),
        check=check,
        images=fields.demand("images", read_narrow_glob),
        match=fields.demand("match", lambda value: _match(value, check)),
        reason=fields.demand("reason", _words),
        owner=fields.demand("owner", _words),
        approved_by=fields.demand("approvedBy", _words),
        expires=fields.demand("expires", Node.date),
    )


def _check(node: Node) -> str:
    text = node.text()
    if text not in _MATCHES:
        raise node.refuse("knows no waivers", code=_CODE, expected=" | ".join(_MATCHES), seen=text)
    return text


def _match(node: Node, check: str) -> StringMap:
    demanded, besides = _MATCHES[check]
    # Keys of another check are unknown here: a field that nobody compares would look like a narrower waiver.
    fields = node.fields((*demanded, *besides), missing=_CODE)
    present = [*demanded, *(key for key in besides if key in fields)]
    match = StringMap.of({key: _term(fields, key) for key in present})
    codes = IMAGE_CODES.get(check, frozenset())
    if codes and match["code"] not in codes:
        expected = " | ".join(sorted(codes))
        raise fields.values["code"].refuse(f"is no code of {check}", code=_CODE, expected=expected, seen=match["code"])
    return match


def _term(fields: Fields, key: str) -> str:
    return fields.demand(key, _TERMS[key])


def _exactly(pattern: re.Pattern[str], expected: str) -> Callable[[Node], str]:
    return lambda node: node.matching(pattern, expected, code=_CODE)


def _versions(node: Node) -> str:
    """Read comparisons that end somewhere: a waiver for every later version excuses what nobody has looked at."""
    text = node.matching(_VERSIONS, "comparisons, as '< 1:1.3' or '>= 2.0, < 2.5'", code=_CODE)
    upper = [term.strip() for term in text.split(",") if not term.strip().startswith(">")]
    # 9999 and its kind are no versions of anything: they stand for all.
    if not upper or any(_NO_END.search(term) for term in upper):
        expected = "an upper end, as '< 1:1.3', '<= 2.4' or '= 2.4'"
        raise node.refuse("covers every version", code=_CODE, expected=expected, seen=text)
    if _is_contradiction(text):
        raise node.refuse(
            "can never match a version", code=_CODE, expected="a lower end below the upper one", seen=text
        )
    return text


def _is_contradiction(text: str) -> bool:
    """Return whether no version is between the ends; only of plain numbers, which every ecosystem compares alike."""
    terms = [match.groups() for match in _PLAIN_TERM.finditer(text)]
    if len(terms) < text.count(",") + 1:
        return False
    ends = [(sign, _numbers(version)) for sign, version in terms]
    lower = [(version, sign == ">") for sign, version in ends if sign in {">", ">=", "="}]
    upper = [(version, sign == "<") for sign, version in ends if sign in {"<", "<=", "="}]
    return any(low > high or (low == high and (bare or open_)) for low, bare in lower for high, open_ in upper)


def _numbers(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _exact_package(node: Node) -> str:
    if "*" in node.text():
        raise node.refuse("is too wide", code=_CODE, expected="the purl of one package", seen=node.text())
    return read_package(node)


def _reason_code(node: Node) -> str:
    """Read the code of a reason that is the image's fault; what could not be judged is never waived."""
    text = node.text()
    if not text.startswith("IMG_") or text not in REASONS or REASONS[text].kind is not ReasonClass.FAIL:
        raise node.refuse("cannot be waived", code=_CODE, expected="a code of the image's own, as IMG_PORT", seen=text)
    return text


_TERMS: Final[Mapping[str, Callable[[Node], str]]] = MappingProxyType(
    {
        "vulnerability": _exactly(_VULNERABILITY, "one id, as CVE-2024-0001"),
        "package": _exact_package,
        "versions": _versions,
        "fingerprint": _exactly(_FINGERPRINT, "the finding's fingerprint"),
        "code": _reason_code,
        "location": _words,
        "rule": read_id,
    }
)
