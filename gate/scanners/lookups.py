"""What a scanner's report leaves open about its look-ups, answered from its database and the gate's own reading.

A listed package is not a package that was looked up, and a look-up that answered is not a finding that is reported: this says
where the two differ. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

from gate.codec.purl import DISTRIBUTION_TYPES
from gate.findings.ecosystem_versions import is_version
from gate.model.evidence import OsPackage
from gate.model.finding import Package, PackageKey, ToolFinding
from gate.scanners.advised import ECOSYSTEMS, Claim
from gate.scanners.scanning import ScanTarget


@dataclass(frozen=True, slots=True)
class Lookups:
    """What was not looked up (`unjudged`), and what the distribution says of the files that its packages claim (`answered`)."""

    unjudged: frozenset[PackageKey]
    answered: frozenset[tuple[OsPackage, str]]


def lookups(
    target: ScanTarget,
    packages: tuple[Package, ...],
    findings: tuple[ToolFinding, ...],
    *,
    advised: Callable[[Iterable[PackageKey]], frozenset[PackageKey]],
    answered: Callable[[Iterable[Claim]], frozenset[Claim]],
) -> Lookups:
    """Ask a database, by `advised` and `answered`, about what a report lists and finds; raises DatabaseError."""
    asked = dict(_asked(target, packages, findings))
    known = answered({pair for pairs in asked.values() for pair in pairs})
    return Lookups(
        unjudged=advised(_not_comparable(target, packages)),
        answered=frozenset(question for question, pairs in asked.items() if pairs & known),
    )


def ecosystems_of(target: ScanTarget, packages: tuple[Package, ...]) -> frozenset[str]:
    """Return the ecosystems of an image for which a real database has advisories."""
    return (target.ecosystems | {package.key.type for package in packages}) & ECOSYSTEMS.keys()


def _not_comparable(target: ScanTarget, packages: tuple[Package, ...]) -> frozenset[PackageKey]:
    """Return packages of languages that are listed with what is no version, or whose file names none that anybody lists."""
    languages = [package.key for package in packages if package.key.type not in DISTRIBUTION_TYPES]
    listed = {(key.type, key.name, key.path) for key in languages if key.version}
    bad = {key for key in languages if not is_version(key.type, key.version)}
    return frozenset(bad | {key for key in target.unversioned if (key.type, key.name, key.path) not in listed})


def _asked(
    target: ScanTarget, packages: tuple[Package, ...], findings: tuple[ToolFinding, ...]
) -> Iterable[tuple[tuple[OsPackage, str], frozenset[Claim]]]:
    """Return, for each vulnerability of a claimed file and each package that claims it, the pairs to look for."""
    owners: dict[str, list[OsPackage]] = {}
    for path, owner in sorted(target.claims):
        owners.setdefault(path, []).append(owner)
    sources = {(package.key.name, package.key.version): source_of(package) for package in packages} if owners else {}
    for finding in findings:
        for owner in owners.get(finding.package.key.path, ()):
            names = {owner[0], sources.get((owner[0], owner[1]), "") or owner[0]}
            for vulnerability in {finding.id, *finding.aliases}:
                yield (owner, vulnerability), frozenset((name, vulnerability) for name in names)


def source_of(package: Package) -> str:
    """Return the name of a package's source, which Grype's list of packages has in the purl alone."""
    upstream = parse_qs(package.purl.partition("?")[2]).get("upstream", [""])[0]
    return package.source_name or upstream.partition("@")[0]


def mislabelled(packages: tuple[Package, ...]) -> frozenset[OsPackage]:
    """Return the packages of rpm whose header names a module that their release does not come from.

    Both scanners then ask about that module alone. The build system writes `.module` into the release of every modular package
    (Fedora's `dist` tag), so that a label without it is the image's own.
    """
    return frozenset(
        (package.key.name, package.key.version, package.key.arch)
        for package in packages
        if package.key.type == "rpm" and package.module and ".module" not in package.key.version
    )
