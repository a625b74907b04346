"""A report as flat results, worst first: what formats show that list findings one by one.

A result is one problem of one check, one vulnerability or one secret. Vulnerabilities and secrets that several children of
an index share are one result. Fingerprints hold neither tag, version nor run, so that a platform knows a finding again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from gate.checks.secret import code_of
from gate.codec.times import format_time
from gate.model.decision import Decision, Outcome
from gate.model.severity import Severity
from gate.report.codes import next_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gate.model.verdict import CheckResult, JudgedFinding, JudgedSecret, Problem, Verdict
    from gate.report.content import ImageReport, NamedAt, Report

# The checks whose problems are shown by what was found and not a second time by their messages.
_BY_FINDING: Final = frozenset({"vulnerability", "secret"})


_LINK: Final = re.compile(r"https://[!-~]+", re.ASCII)


class Level(IntEnum):
    """What a result does: an error refuses or leaves unjudged, a warning is to be looked at, a note is excused or not counted."""

    ERROR = 0
    WARNING = 1
    NOTE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of a list of findings; every text may be foreign.

    `rule` is stable (a CVE, the rule of a secret, a reason code) and `place` is where in the image it is. `severity` is None
    where the reason has none of its own. `excuse` says why it refuses nothing, "" where it does.
    """

    image: ImageReport
    check: str
    code: str
    rule: str
    level: Level
    title: str
    message: str
    fingerprint: str
    expected: str = ""
    seen: str = ""
    next_step: str = ""
    place: str = ""
    package: str = ""
    version: str = ""
    fixed: str = ""
    severity: Severity | None = None
    url: str = ""
    excuse: str = ""

    @property
    def link(self) -> str:
        """Return the address of what is known of it where a reader may follow it: `https` without a blank, else ""."""
        return self.url if _LINK.fullmatch(self.url) else ""

    @property
    def where(self) -> str:
        """Return the package with its version, else the place in the image."""
        return " ".join(filter(None, (self.package, self.version))) or self.place

    @property
    def named_at(self) -> NamedAt | None:
        """Return the file and line that name the image."""
        return self.image.named_at


def results_of(report: Report) -> tuple[Result, ...]:
    """Return every result of a report of the severities that are asked for, the worst first."""
    found = (result for image in report.images for result in _image(image, report.severities))
    return tuple(sorted(found, key=_order))


def _order(result: Result) -> tuple[object, ...]:
    rank = result.severity.rank if result.severity is not None else Severity.CRITICAL.rank
    return result.level, -rank, result.image.reference, result.check, result.rule, result.package, result.fingerprint


def _image(image: ImageReport, severities: frozenset[Severity] | None) -> Iterator[Result]:
    if image.error is not None:
        error = image.error
        yield Result(
            image=image,
            check="",
            code=error.code,
            rule=error.code,
            level=Level.ERROR,
            title=error.message,
            message=error.message,
            fingerprint=_fingerprint(image, error.code),
            expected=error.expected,
            seen=error.seen,
            next_step=next_step(error.code, error.next_step),
        )
    if image.checked is None:
        return
    verdict = image.checked.verdict
    told = {
        (result.code, result.message, result.fingerprint if result.place else ""): result
        for check in reversed(verdict.checks)
        if check.outcome in {Outcome.FAIL, Outcome.ERROR}
        for result in _problems(image, check, verdict.decision)
    }
    # What several checks say alike (nothing was fetched, no database) is said once.
    yield from told.values()
    yield from _distinct(
        _vulnerability(image, row) for row in verdict.findings if _asked(row.finding.severity, severities)
    )
    yield from _distinct(_secret(image, row) for row in verdict.secrets if _asked(row.secret.severity, severities))


def _asked(severity: Severity, severities: frozenset[Severity] | None) -> bool:
    return severities is None or severity in severities


def _distinct(results: Iterable[Result]) -> Iterator[Result]:
    """Yield each result once, though several children of an index have it."""
    yield from {(result.fingerprint, result.level, result.version): result for result in results}.values()


def _problems(image: ImageReport, check: CheckResult, decision: Decision) -> Iterator[Result]:
    # What could not be judged of an image that is refused anyway decides nothing.
    idle = check.outcome is Outcome.ERROR and decision is Decision.REFUSED
    for problem in check.problems:
        if problem.fingerprint and check.id in _BY_FINDING:
            continue
        yield Result(
            image=image,
            check=check.id,
            code=problem.code,
            rule=problem.rule or problem.code,
            level=_level(problem, idle=idle),
            title=problem.message,
            message=problem.message + (f" (a warning of {check.id}, which refuses nothing)" if problem.warned else ""),
            fingerprint=_fingerprint(image, check.id, problem.code, problem.fingerprint or _what(problem)),
            expected=problem.expected,
            seen=problem.seen,
            next_step=next_step(problem.code, problem.next_step),
            place=problem.location,
            excuse=f"waived by {problem.waived_by}" if problem.waived_by else "",
        )


def _level(problem: Problem, *, idle: bool) -> Level:
    if problem.waived_by:
        return Level.NOTE
    return Level.WARNING if problem.warned or idle else Level.ERROR


def _level_of(row: JudgedFinding | JudgedSecret) -> Level:
    if row.warned:
        return Level.WARNING
    return Level.ERROR if row.counts else Level.NOTE


def _what(problem: Problem) -> str:
    """Return what tells a problem from others of its code: its rule and place, else its words."""
    return f"{problem.rule} {problem.location}" if problem.rule or problem.location else problem.message


def _vulnerability(image: ImageReport, row: JudgedFinding) -> Result:
    finding = row.finding
    fixed = ", ".join(finding.fixed_versions)
    first = next(iter(finding.seen_by), None)
    return Result(
        image=image,
        check="vulnerability",
        code=row.code,
        rule=finding.id,
        level=_level_of(row),
        title=(first.title if first is not None else "") or finding.id,
        message=f"{finding.id} in {finding.package.name} {finding.package.version}: {row.explanation}",
        fingerprint=_fingerprint(image, "vulnerability", finding.fingerprint),
        expected="no such vulnerability",
        seen=f"{finding.severity.value}, seen by {', '.join(sorted(tool.value for tool in finding.tools))}",
        next_step=f"Update to {fixed}." if fixed else next_step(row.code, ""),
        place=finding.package.key.path,
        package=finding.package.name,
        version=finding.package.version,
        fixed=fixed,
        severity=finding.severity,
        url=first.url if first is not None else "",
        excuse="" if row.counts or row.warned else _excuse(row),
    )


def _excuse(row: JudgedFinding) -> str:
    if row.waived_by:
        return f"waived by {row.waived_by}"
    if row.vex:
        return f"VEX: {row.vex}"
    if row.grace_until is not None:
        return f"in grace until {format_time(row.grace_until)}"
    return row.explanation


def _secret(image: ImageReport, row: JudgedSecret) -> Result:
    secret = row.secret
    line = f":{secret.line}" if secret.line is not None else ""
    place = f"{secret.place.value} {secret.location}{line}"
    return Result(
        image=image,
        check="secret",
        code=code_of(secret),
        rule=secret.rule,
        level=_level_of(row),
        title=secret.title,
        message=f"{secret.title} in {place}: {row.explanation}",
        fingerprint=_fingerprint(image, "secret", secret.fingerprint, secret.location),
        expected="no plaintext secret",
        seen=f"{secret.grade.value}, {secret.origin.value}",
        next_step=next_step(code_of(secret), ""),
        place=place,
        severity=secret.severity,
        excuse="" if row.counts or row.warned else _secret_excuse(row),
    )


def _secret_excuse(row: JudgedSecret) -> str:
    return f"waived by {row.waived_by}" if row.waived_by else row.explanation


def warned_checks(image: ImageReport) -> tuple[str, ...]:
    """Return the ids of the checks that the policy of an image only warns of."""
    return image.checked.verdict.policy.warn if image.checked is not None else ()


def repository_of(image: ImageReport) -> str:
    """Return the repository that an image was judged as; of what has none, the reference without its digest."""
    verdict: Verdict | None = image.checked.verdict if image.checked is not None else None
    if verdict is not None and verdict.request.repository is not None:
        return str(verdict.request.repository)
    return image.reference.partition("@")[0]


def _fingerprint(image: ImageReport, *parts: str) -> str:
    """Return 32 hex of SHA-256 over the repository and what names the finding, each with its length."""
    texts = (text.encode("utf-8", "surrogatepass") for text in (repository_of(image), *parts))
    return hashlib.sha256(b"".join(b"%d:%b" % (len(text), text) for text in texts)).hexdigest()[:32]
