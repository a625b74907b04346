"""Which forms of packages are in an image and were looked up by none of the scanners that were asked.

A form that nobody looks up is no defect of the scanner and no finding: it is a part of the image about which the verdict says
nothing. It is named in every report, and `coverage.unread` decides whether that refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.model.package_forms import FORMS
from gate.model.policy import FailOrWarn
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import LayerFacts
    from gate.model.finding import Tool
    from gate.model.layer_facts import FormSeen
    from gate.model.policy import CoveragePolicy

_SHOWN = 3


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
    layers: LayerFacts, asked: frozenset[Tool], policy: CoveragePolicy, now: datetime
) -> tuple[Unread, ...]:
    """Return the forms without a look-up, sorted; those that a package of the distribution owns are not among them."""
    by_form: dict[str, list[FormSeen]] = {}
    for seen in layers.package_forms:
        form = FORMS.get(seen.form)
        looked_up = form is not None and bool(form.looked_up_by & asked)
        if form is not None and not looked_up and not seen.owner and not policy.accepted(seen.path, now):
            by_form.setdefault(seen.form, []).append(seen)
    return tuple(Unread(form, tuple(places)) for form, places in sorted(by_form.items()))


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
