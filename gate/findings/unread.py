"""Which forms of packages are in an image and were looked up by none of the scanners that were asked.

A form that nobody looks up is no defect of the scanner and no finding: it is a part of the image about which the verdict says
nothing. It is named in every report, and `coverage.unread` decides whether that refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.model.evidence import ScanReport
from gate.model.package_forms import FORMS, UNNAMED_JAR
from gate.model.policy import FailOrWarn
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import LayerFacts
    from gate.model.finding import Tool
    from gate.model.layer_facts import FormSeen
    from gate.model.policy import CoveragePolicy

_SHOWN = 3
_ARCHIVE = re.compile(r"\.(?:jar|war|ear|par)(?=[:/])")


@dataclass(frozen=True, slots=True)
class Unread:
    """One form that nobody asked looks up, at the places that no entry of the policy accepts."""

    form: str
    places: tuple[FormSeen, ...]

    def __str__(self) -> str:
        shown = ", ".join(f"/{ascii(place.path)[1:-1]}" for place in self.places[:_SHOWN] if place.path)
        more = f" and {len(self.places) - _SHOWN} more places" if len(self.places) > _SHOWN else ""
        return f"{FORMS[self.form].title}: {shown}{more}"


def unread_forms(
    layers: LayerFacts, asked: Mapping[Tool, object], policy: CoveragePolicy, now: datetime
) -> tuple[Unread, ...]:
    """Return the forms without a look-up, sorted; those that a package of the distribution owns are not among them.

    `asked` are the scanners with what they brought: of some forms only a report says whether the scanner knows the file.
    """
    by_form: dict[str, list[FormSeen]] = {}
    named = _named_archives(asked)
    for seen in layers.package_forms:
        form = FORMS.get(seen.form)
        looked_up = form is not None and bool(form.looked_up_by & asked.keys())
        if seen.form == UNNAMED_JAR:
            looked_up = named is None or seen.path in named
        if form is not None and not looked_up and not seen.owner and not policy.accepted(seen.path, now):
            by_form.setdefault(seen.form, []).append(seen)
    return tuple(Unread(form, tuple(places)) for form, places in sorted(by_form.items()))


def _named_archives(asked: Mapping[Tool, object]) -> frozenset[str] | None:
    """Return the archives in which a scanner found a package, by the archive's own path; None where a report is missing."""
    reports = [report for report in asked.values() if isinstance(report, ScanReport)]
    if len(reports) < len(asked):
        return None  # which is an error of its own, and no fault of the image
    paths = (package.key.path for report in reports for package in report.packages if package.key.type == "maven")
    # A package in an archive within: Trivy writes `app.war/lib/x.jar`, Grype `app.war:lib/x.jar`.
    return frozenset(
        part for path in paths for part in (path, *(path[: found.end()] for found in _ARCHIVE.finditer(path)))
    )


def unread_problems(unread: tuple[Unread, ...], policy: CoveragePolicy, subject: Digest) -> Iterator[Problem]:
    """Refuse what nobody looked up, where the policy does not only warn of it."""
    for form in unread if policy.unread is FailOrWarn.FAIL else ():
        yield Problem(
            code="SCAN_FORM_UNREAD",
            message="no asked scanner looks this form of package up",
            expected="packages that a required scanner looks up, or an entry of `coverage.accept`",
            seen=str(form),
            subject=subject,
            next_step=_next_step(form),
        )


def _next_step(unread: Unread) -> str:
    others = sorted(tool.value for tool in FORMS[unread.form].looked_up_by)
    place = next((place.path for place in unread.places if place.path), "")
    known = f"accept the place: `spec.coverage.accept` with `path: /{ascii(place)[1:-1]}`"
    if others:
        return f"Require {others[0]} in `vulnerabilities.scanners.require`: it looks this form up. Or {known}."
    return f"Install the packages in a form that is looked up, {known}, or set `coverage.unread: warn`."
