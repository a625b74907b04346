"""Prove that a scanner still finds: plant a known vulnerability in a generated image and look for it in the report.

A database that lost its advisories, a look-up that misses a release, a binary that was tampered with: all answer "no
findings". So the same binary, database and flags are run on an image of the same release that holds one package which
the database itself says is vulnerable, and one of each language of the scanned image for which one can be written
(Python always, so that an image without a distribution has a canary too). What is expected is read from the database;
nothing is typed here. A canary that was found counts for an hour for the same inputs; a failure is never kept.

Specification: checks reference, sections 3.4, 4.3 and 4.5; attack V07.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from gate.codec.bolt import Bucket
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import format_time, parse_time
from gate.disk.content import read_private, write_atomically
from gate.errors import DatabaseError, GateError
from gate.model.digest import Digest
from gate.model.evidence import Canary, Distribution, Unavailable
from gate.model.finding import ToolFinding
from gate.model.unavailable import unavailable_from
from gate.scanners.advised import ECOSYSTEMS
from gate.scanners.advisory_coverage import grype_aliases, grype_spellings, grype_systems, trivy_bucket
from gate.scanners.canary_layout import (
    DISTRIBUTION_PACKAGES,
    LANGUAGE_FILES,
    Planted,
    red_hat_content_sets,
    write_canary,
)
from gate.scanners.database_facts import open_bolt, query
from gate.scanners.scanning import ScanSettings, ScanTarget

_LIFETIME: Final = timedelta(hours=1)
_FAULT: Final = Fault(DatabaseError, "DB_MALFORMED", "an advisory")
_MAX_ADVISORY_BYTES: Final = 4 << 20
_VERSION: Final = "2"  # of the cached form and of what is planted
_ALWAYS: Final = frozenset({"pypi"})
# A range that begins at nothing or at zero and ends at 0.1 or later: 0.0.1 is in it whatever the ecosystem's order.
_OPEN_RANGE: Final = re.compile(r"(?:>=?\s*0(?:\.0)*(?:-0)?,?\s*)?<=?\s*(?:[1-9]\d*|0\.[1-9]\d*)[^\s,|<>]*")
# Go's standard library is no module, and each scanner has its own way to name it.
_NO_MODULES: Final = frozenset({"stdlib", "toolchain"})
_FIXED: Final = re.compile(r"(?:\d+:)?[1-9]\S*", re.ASCII)
# Packages for which a list that is compiled into Grype leaves ids out (v0.115 grype/match/explicit_ignores.go).
_GRYPE_IGNORES: Final = re.compile(r"log4j|zlib", re.ASCII)
_MAX_ROWS: Final = 2000


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """The packages to plant; each must be reported with its vulnerability."""

    planted: frozenset[Planted]

    @property
    def expected(self) -> frozenset[str]:
        """Return the ids that must be found."""
        return frozenset(package.vulnerability for package in self.planted)

    def found_in(self, findings: Iterable[ToolFinding]) -> frozenset[str]:
        """Return the expected ids that findings name, under any alias, on the planted package."""
        seen = {
            (finding.package.key.type, _bare(finding.package.key.name), name)
            for finding in findings
            for name in (finding.id, *finding.aliases, *finding.advisories)
        }
        return frozenset(
            package.vulnerability
            for package in self.planted
            if (package.type, _bare(package.name), package.vulnerability) in seen
        )


def _bare(name: str) -> str:
    """Return a name without the group or scope that the two tools put in different places."""
    return re.split(r"[:/]", name.lower())[-1]


def canary_of(
    plan: Callable[[], CanaryPlan],
    scan: Callable[[CanaryPlan, ScanTarget], frozenset[str]],
    *,
    settings: ScanSettings,
    key: tuple[object, ...],
    target: ScanTarget,
    now: datetime,
) -> Canary | Unavailable:
    """Return the canary for one release, from the cache of the last hour or by planting and scanning one.

    `key` is what makes another run the same: binary, database, flags. The scan's failure is `Unavailable` with its code.
    """
    place = _cache_place(settings.cache, key, target)
    if place is not None and (known := _cached(place, now)) is not None:
        return known
    try:
        planned = plan()
        if not planned.planted:
            return Unavailable(
                code="SCAN_CANARY", reason="the database holds no advisory that a canary can stand on", seen="nothing"
            )
        with tempfile.TemporaryDirectory(prefix="gate-canary-", dir=settings.scratch) as directory:
            image = write_canary(Path(directory), planned.planted, target.distribution)
            written = ScanTarget(
                layout=image.layout, manifest=image.manifest, config=image.config, diff_ids=(image.diff_id,)
            )
            canary = Canary(expected=planned.expected, found=scan(planned, written))
    except GateError as error:
        return unavailable_from(error)
    if place is not None and canary.is_found:
        _remember(place, canary, now)
    return canary


def _cache_place(cache: Path | None, key: tuple[object, ...], target: ScanTarget) -> Path | None:
    if cache is None:
        return None
    text = repr((_VERSION, *map(str, key), target.distribution, sorted(target.ecosystems)))
    return cache / f"canary-{Digest.of(text.encode()).hex}.json"


def _cached(place: Path, now: datetime) -> Canary | None:
    try:
        view = parse_object(read_private(place), _FAULT, limit_bytes=_MAX_ADVISORY_BYTES)
        age = now - parse_time(view.text("at"), _FAULT, "at")
        ids = frozenset(view.texts("found"))
    except (OSError, GateError):
        return None
    return Canary(expected=ids, found=ids) if timedelta(0) <= age < _LIFETIME and ids else None


def _remember(place: Path, canary: Canary, now: datetime) -> None:
    # Without a cache the canary runs again: nothing else is lost.
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {"at": format_time(now.astimezone(UTC)), "found": sorted(canary.expected)}
        write_atomically(place, json.dumps(content).encode())


def plan_trivy_canary(database: Path, target: ScanTarget) -> CanaryPlan:
    """Choose from Trivy's database what to plant for an image's release and languages; raises DatabaseError."""
    with open_bolt(database) as root:
        return CanaryPlan(frozenset(_trivy_choices(root, target)))


def _trivy_choices(root: Bucket, target: ScanTarget) -> Iterator[Planted]:
    names = list(root.bucket_names())
    if target.distribution is not None and (kind := DISTRIBUTION_PACKAGES.get(target.distribution.id)):
        wanted = trivy_bucket(target.distribution)
        buckets = [name for name in names if name.decode("utf-8", "replace").lower() == wanted]
        indices = _red_hat_indices(root, target.distribution)
        yield from islice(
            (
                Planted(kind, package, vulnerability)
                for package, vulnerability, advisory in _trivy_advisories(root, buckets)
                if _is_fixed_in_trivy(advisory, indices)
            ),
            1,
        )
    for kind in _asked_languages(target):
        buckets = [name for name in names if name.startswith(ECOSYSTEMS[kind][0])]
        yield from islice(
            (
                Planted(kind, package, vulnerability)
                for package, vulnerability, advisory in _trivy_advisories(root, buckets)
                if package not in _NO_MODULES
                and any(_OPEN_RANGE.fullmatch(text) for text in advisory.optional_texts("VulnerableVersions"))
            ),
            1,
        )


def _trivy_advisories(root: Bucket, names: Iterable[bytes]) -> Iterator[tuple[str, str, ObjectView]]:
    for name in names:
        bucket = root.bucket(name)
        for package, advisories in bucket.buckets() if bucket else ():
            for vulnerability, value in advisories.items():
                try:
                    advisory = parse_object(value, _FAULT, limit_bytes=_MAX_ADVISORY_BYTES)
                except DatabaseError:
                    continue  # it is no canary; what the scanner makes of it is the scanner's
                yield package.decode("utf-8", "replace"), vulnerability.decode("utf-8", "replace"), advisory


def _red_hat_indices(root: Bucket, distribution: Distribution) -> frozenset[int] | None:
    """Return the numbers by which advisories name a release's repositories; None where they name none."""
    sets = red_hat_content_sets(distribution)
    if not sets:
        return None
    repositories = (root.bucket(b"Red Hat CPE") or root).bucket(b"repository")
    values = [repositories.get(name.encode()) for name in sets] if repositories else []
    return frozenset(number for value in values for number in _numbers(value))


def _numbers(value: bytes | None) -> list[int]:
    try:
        numbers = json.loads(value or b"[]")
    except ValueError:
        return []
    return [number for number in numbers if isinstance(number, int)] if isinstance(numbers, list) else []


def _is_fixed_in_trivy(advisory: ObjectView, indices: frozenset[int] | None) -> bool:
    entries = advisory.optional_objects("Entries") or (advisory,)
    return any(
        _FIXED.fullmatch(entry.optional_text("FixedVersion"))
        and (not entry.has("Arches") or "x86_64" in entry.texts("Arches"))
        and (indices is None or not indices.isdisjoint(_affected(entry)))
        for entry in entries
    )


def _affected(entry: ObjectView) -> tuple[int, ...]:
    numbers = entry.fields.get("Affected")
    return tuple(number for number in numbers if isinstance(number, int)) if isinstance(numbers, list) else ()


_GRYPE_ADVISORIES: Final = (
    "SELECT packages.name, vulnerability_handles.name, blobs.value FROM affected_package_handles AS affected"
    " JOIN packages ON packages.id = affected.package_id"
    " JOIN vulnerability_handles ON vulnerability_handles.id = affected.vulnerability_id"
    " JOIN blobs ON blobs.id = affected.blob_id"
    " WHERE packages.ecosystem = ? AND COALESCE(affected.operating_system_id, 0) = ?"
    " AND vulnerability_handles.status = 'active'"
    " ORDER BY packages.name, vulnerability_handles.name LIMIT ?"
)


def plan_grype_canary(database: Path, target: ScanTarget) -> CanaryPlan:
    """Choose from Grype's database what to plant for an image's release and languages; raises DatabaseError."""
    return CanaryPlan(frozenset(_grype_choices(database, target)))


def _grype_choices(database: Path, target: ScanTarget) -> Iterator[Planted]:
    if target.distribution is not None and (kind := DISTRIBUTION_PACKAGES.get(target.distribution.id)):
        spellings = grype_spellings(target.distribution, grype_aliases(database))
        systems = [number for number, known in grype_systems(database) if known & spellings]
        for system in systems[:1]:
            yield from islice(_grype_advisories(database, kind, kind, system, _upper_end), 1)
    for kind in _asked_languages(target):
        found = _grype_advisories(database, kind, ECOSYSTEMS[kind][1], 0, _OPEN_RANGE.fullmatch)
        yield from islice((one for one in found if one.name not in _NO_MODULES), 1)


def _asked_languages(target: ScanTarget) -> list[str]:
    """Return the ecosystems to plant a package of: those of the image, and one always."""
    return sorted((target.ecosystems | _ALWAYS) & LANGUAGE_FILES.keys() & ECOSYSTEMS.keys())


def _upper_end(constraint: str) -> object:
    return constraint.startswith("<") and _FIXED.fullmatch(constraint.lstrip("<= "))


def _grype_advisories(
    database: Path, kind: str, ecosystem: str, system: int, is_open: Callable[[str], object]
) -> Iterator[Planted]:
    for package, vulnerability, value in query(database, _GRYPE_ADVISORIES, (ecosystem, system, _MAX_ROWS)):
        try:
            advisory = parse_object(str(value).encode(), _FAULT, limit_bytes=_MAX_ADVISORY_BYTES)
            ranges = [found.optional_object("version") for found in advisory.optional_objects("ranges")]
        except DatabaseError:
            continue
        # A qualifier (module stream, architecture) would ask for more than a name and a version.
        constraints = [found.optional_text("constraint") for found in ranges if found]
        simple = not advisory.has("qualifiers") and not _GRYPE_IGNORES.search(str(package))
        if simple and any(is_open(text) for text in constraints):
            yield Planted(kind, str(package), str(vulnerability))
