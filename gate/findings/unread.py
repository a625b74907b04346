"""Which forms of packages are in an image and were looked up by none of the scanners that were asked.

A form that nobody looks up is no defect of the scanner and no finding: it is a part of the image about which the verdict says
nothing. It is named in every report, and `coverage.unread` decides whether that refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.model.evidence import ScanReport
from gate.model.package_forms import FORMS, UNNAMED_JAR
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

_SHOWN: Final = 3
# Forms of which only a report says whether the scanner read the file, with the purl types of what it then lists. Of archives
# without coordinates Trivy knows the digest and Grype guesses; of Julia's `Manifest.toml` Trivy lists what the `Project.toml`
# beside it leads to; Nix's store Grype finds by its folders, which a layer may leave out.
_BY_REPORT: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        UNNAMED_JAR: frozenset({"maven"}),
        "java-plugin": frozenset({"maven"}),
        "julia": frozenset({"julia"}),
        "rust-audit": frozenset({"cargo"}),
        "cargo-lock": frozenset({"cargo"}),
        "conan": frozenset({"conan"}),
        "pear": frozenset({"pear", "pecl"}),
        "lua": frozenset({"luarocks"}),
        "r": frozenset({"cran"}),
        "nix": frozenset({"nix"}),
        "homebrew": frozenset({"brew"}),
        "portage": frozenset({"ebuild"}),
        "wordpress": frozenset({"wordpress-plugin"}),
    }
)
_ARCHIVE: Final = re.compile(r"\.(?:jar|war|ear|par)(?=[:/])")


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
    named = _named_files(asked)
    for seen in layers.package_forms:
        form = FORMS.get(seen.form)
        if form is None or seen.owner or policy.accepted(seen.path, now):
            continue
        looked_up = bool(form.looked_up_by & asked.keys()) or seen.form == UNNAMED_JAR
        if looked_up and seen.form in _BY_REPORT and seen.path:
            looked_up = named is None or any((kind, seen.path) in named for kind in _BY_REPORT[seen.form])
        if not looked_up:
            by_form.setdefault(seen.form, []).append(seen)
    return tuple(Unread(form, tuple(places)) for form, places in sorted(by_form.items()))


def _named_files(asked: Mapping[Tool, object]) -> frozenset[tuple[str, str]] | None:
    """Return purl type and place of each package that a scanner lists: file, archive around it and folders above.

    None where a report is missing, which is an error of its own and no fault of the image.
    """
    reports = [report for report in asked.values() if isinstance(report, ScanReport)]
    if len(reports) < len(asked):
        return None
    keys = {(package.key.type, package.key.path) for report in reports for package in report.packages}
    return frozenset((kind, place) for kind, path in keys for place in _places_of(path))


def _places_of(path: str) -> Iterator[str]:
    """Yield a path, the archives in it (Trivy writes `app.war/lib/x.jar`, Grype `app.war:lib/x.jar`) and its folders."""
    yield path
    yield from (path[: found.end()] for found in _ARCHIVE.finditer(path))
    while path := path.rpartition("/")[0]:
        yield path


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
