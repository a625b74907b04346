"""A policy in words: of each check whether it refuses, only warns or is not asked, and what it holds an image to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.checks import CHECKS
from gate.codec.times import format_duration
from gate.model.asked import asked_checks
from gate.model.policy import FailOrIgnore, FailOrWarn, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from gate.model.finding import SecretGrade
    from gate.model.policy import Rule, Waiver

Row = tuple[str, str, str]
_ALWAYS = frozenset({"reference", "coverage"})


def explain_policy(policy: Policy, now: datetime) -> tuple[Row, ...]:
    """Return check, what a failure does (`refuses`, `warns`, `not asked`) and what is demanded; then the waivers."""
    checks = [(check.id, _effect(check.id, policy, now), _demand(check.id, check.title, policy)) for check in CHECKS]
    waivers = [(f"waiver {waiver.id}", "excuses", _waived(waiver)) for waiver in policy.waivers]
    return (*checks, *waivers)


def _waived(waiver: Waiver) -> str:
    what = ", ".join(value for _, value in waiver.match.pairs)
    return f"{waiver.check}: {what} of {waiver.images} until {waiver.expires} ({waiver.owner}: {waiver.reason})"


def _effect(check: str, policy: Policy, now: datetime) -> str:
    if check in policy.warn:
        return "warns"
    if check in asked_checks(policy, now) | _ALWAYS:
        return "refuses"
    return "warns" if check == "rules" and policy.rules else "not asked"


def _demand(check: str, title: str, policy: Policy) -> str:
    asked = asked_checks(policy) | _ALWAYS | ({"rules"} if policy.rules else set())
    if check not in asked:
        return title
    return "; ".join(part for part in _WORDS[check](policy) if part) if check in _WORDS else title


def _reference(policy: Policy) -> Iterator[str]:
    yield "named by digest"
    if policy.registries:
        yield f"in {', '.join(map(str, policy.registries))}"


def _signature(policy: Policy) -> Iterator[str]:
    for rule in policy.signature or ():
        joined = " and ".join(map(str, rule.all_of)) or " or ".join(map(str, rule.any_of))
        yield f"{rule.images}: signed by {joined}"


def _provenance(policy: Policy) -> Iterator[str]:
    wanted = policy.provenance
    if wanted is not None:
        yield f"built by {' or '.join(builder.id for builder in wanted.builders)}, level {wanted.minimum_level} or more"
        yield f"from {' or '.join(map(str, wanted.sources))}" if wanted.sources else ""
        yield f"at {' or '.join(map(str, wanted.refs))}" if wanted.refs else ""


def _attestation(policy: Policy) -> Iterator[str]:
    for rule in policy.attestations:
        age = f", at most {format_duration(rule.max_age)} old" if rule.max_age is not None else ""
        yield f"a signed {rule.type}{age}"


def _vulnerability(policy: Policy) -> Iterator[str]:
    wanted = policy.vulnerabilities
    if wanted is None:
        return
    yield f"none of {wanted.fail_on.value} or over, by {', '.join(sorted(wanted.require))} (quorum {wanted.quorum.value})"
    yield "those without a fix do not count" if wanted.ignore_unfixed else ""
    for severity, time in wanted.grace:
        yield f"{severity.value}: {format_duration(time)} of grace from the day of the fix"
    yield "none that is known to be exploited" if wanted.kev is FailOrIgnore.FAIL else ""
    yield f"none with EPSS over {wanted.epss.fail_above:g}" if wanted.epss is not None else ""
    count = len(wanted.vex) + len(wanted.vex_authors)
    yield f"VEX of {count} documents or signers counts" if count else ""


def _coverage(policy: Policy) -> Iterator[str]:
    wanted = policy.vulnerabilities
    yield "everything was read and looked up"
    yield f"databases at most {format_duration(wanted.database_max_age)} old" if wanted is not None else ""
    yield "forms that nobody looks up are only named" if policy.coverage.unread is FailOrWarn.WARN else ""
    for place in policy.coverage.accept:
        yield f"/{place.path} does not count until {place.expires} ({place.owner}: {place.reason})"


def _secret(policy: Policy) -> Iterator[str]:
    wanted = policy.secrets
    if wanted is not None:
        yield f"own files: none that is {_grade(wanted.fail_on.own)}"
        yield f"files that packages shipped: none that is {_grade(wanted.fail_on.packaged)}"
        yield "what a later layer hides does not count" if wanted.fail_on.live_only else ""
        yield f"{len(wanted.allow)} are accepted" if wanted.allow else ""


def _grade(least: SecretGrade | None) -> str:
    return "so sure that it counts (no grade does)" if least is None else f"{least.value} or surer"


def _age(policy: Policy) -> Iterator[str]:
    if policy.image is not None and policy.image.max_age is not None:
        yield f"built at most {format_duration(policy.image.max_age)} ago"


def _config(policy: Policy) -> Iterator[str]:
    if policy.image is not None:
        yield f"no port {', '.join(policy.image.ports_deny)}" if policy.image.ports_deny else ""
        yield f"no label {', '.join(policy.image.labels_deny)}" if policy.image.labels_deny else ""


def _files(policy: Policy) -> Iterator[str]:
    if policy.image is not None:
        allowed = ", ".join(policy.image.setuid_allow or ())
        yield f"no setuid or setgid file{f' but {allowed}' if allowed else ''}"


def _base(policy: Policy) -> Iterator[str]:
    if policy.image is not None:
        yield f"built on {' or '.join(base.name for base in policy.image.base)}"


def _rules(policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        yield f"{rule.id}: {rule.message}{_when(rule)}"


def _when(rule: Rule) -> str:
    if rule.level is FailOrWarn.WARN:
        return " (warns)"
    return f" (refuses from {rule.begins})" if rule.begins is not None else ""


_WORDS: Mapping[str, Callable[[Policy], Iterator[str]]] = {
    "reference": _reference,
    "signature": _signature,
    "provenance": _provenance,
    "attestation": _attestation,
    "vulnerability": _vulnerability,
    "coverage": _coverage,
    "secret": _secret,
    "image-age": _age,
    "image-config": _config,
    "image-files": _files,
    "base-image": _base,
    "rules": _rules,
}
