"""The one list of advisories: rows of `fixtures/advisories/pypi.jsonl`, `curated.yaml`, and the canary of our own.

Both files are the project's; a line that is not understood stops the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tools.advisories.cvss import base_score, severity_word
from tools.advisories.model import (
    CODENAMES,
    Advisory,
    Affected,
    Ecosystem,
    ExploitPrediction,
    FixState,
    KnownExploited,
    Scanner,
    Severity,
    Source,
    VersionRange,
    Word,
)

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "advisories"
CANARY_ID: Final = "GATE-CANARY-1"
CANARY_FIXED: Final = "1.0.0"
CANARY_PACKAGES: Final = {
    Ecosystem.PYPI: "gate-canary",
    Ecosystem.NPM: "gate-canary",
    Ecosystem.MAVEN: "gate.demonstration:gate-canary",
    Ecosystem.GO: "gate.invalid/gate-canary",
}
CANARY_OS_PACKAGE: Final = "gate-canary"
_RANGE: Final = re.compile(
    r"(?:>=(?P<introduced>[^\s,<>=]+))?(?:, )?(?:<=(?P<last>[^\s,<>=]+)|<(?P<fixed>[^\s,<>=]+))?"
)
_CURATED_KEYS: Final = {"id", "aliases", "title", "published", "nvd", "ghsa", "kev", "epss", "scanners", "affected"}
_AFFECTED_KEYS: Final = {"in", "package", "ranges", "fixed", "state", "severity", "fixDate"}


@cache
def load_advisories() -> tuple[Advisory, ...]:
    """Return all advisories: curated ones, then those of PyPI, then the canary; always the same, in the same order."""
    curated = tuple(_curated_rows())
    severities = {row.id: row.severities for row in curated}
    real = (row for row in curated if row.affected)
    return (*real, *(_with_severities(row, severities) for row in _pypi_rows()), canary())


def canary() -> Advisory:
    """Return the advisory of our own: it names a package that nobody publishes, in every release and every ecosystem."""
    fixed = (VersionRange(fixed=CANARY_FIXED),)
    languages = [
        Affected(ecosystem=ecosystem, package=name, ranges=fixed, state=FixState.FIXED)
        for ecosystem, name in CANARY_PACKAGES.items()
    ]
    releases = [
        Affected(
            ecosystem=ecosystem,
            release=release,
            package=CANARY_OS_PACKAGE,
            # An Alpine version always has a revision.
            ranges=(VersionRange(fixed=f"{CANARY_FIXED}-r0"),) if ecosystem is Ecosystem.ALPINE else fixed,
            state=FixState.FIXED,
            urgency=Word.LOW,
        )
        for ecosystem, release in CODENAMES
    ]
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return Advisory(
        id=CANARY_ID,
        title="Canary of the gate's demonstration data; the package does not exist",
        published=made,
        modified=made,
        source=Source.OURS,
        severities=(Severity(source=Source.OURS, word=Word.LOW),),
        affected=(*releases, *languages),
    )


def _curated_rows() -> Iterator[Advisory]:
    document = yaml.safe_load((FIXTURES / "curated.yaml").read_text(encoding="utf-8"))
    yield from (_curated(row) for row in document["advisories"])


def _curated(row: Mapping[str, Any]) -> Advisory:
    _only(row, _CURATED_KEYS)
    published = _midnight(row.get("published"))
    return Advisory(
        id=row["id"],
        aliases=tuple(sorted(row.get("aliases", ()))),
        title=row.get("title", ""),
        published=published,
        modified=published,
        source=Source.GHSA,
        severities=tuple(_severities(row)),
        affected=tuple(_affected(item) for item in row.get("affected", ())),
        scanners=frozenset(Scanner(name) for name in row.get("scanners", Scanner)),
        known_exploited=_known_exploited(row.get("kev")),
        exploit_prediction=_exploit_prediction(row.get("epss")),
    )


def _affected(item: Mapping[str, Any]) -> Affected:
    _only(item, _AFFECTED_KEYS)
    ecosystem, _, release = item["in"].partition("/")
    ranges = tuple(_range(text) for text in item.get("ranges", ())) or (VersionRange(fixed=item.get("fixed", "")),)
    fixed = any(part.fixed for part in ranges)
    return Affected(
        ecosystem=Ecosystem(ecosystem),
        release=release,
        package=item["package"],
        ranges=ranges,
        state=FixState(item.get("state", FixState.FIXED if fixed else FixState.NOT_FIXED)),
        urgency=Word(item["severity"]) if "severity" in item else None,
        fix_date=item.get("fixDate"),
    )


def _range(text: str) -> VersionRange:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a version range: {text!r}")
    return VersionRange(
        introduced=match["introduced"] or "", fixed=match["fixed"] or "", last_affected=match["last"] or ""
    )


def _severities(row: Mapping[str, Any]) -> Iterator[Severity]:
    if "nvd" in row:
        yield _scored(Source.NVD, row["nvd"])
    if "ghsa" in row:
        yield Severity(source=Source.GHSA, word=Word(row["ghsa"]))


def _scored(source: Source, vector: str) -> Severity:
    score = base_score(vector)
    return Severity(source=source, word=severity_word(score), vector=vector, score=score)


def _known_exploited(item: Mapping[str, Any] | None) -> KnownExploited | None:
    return KnownExploited(item["added"], item["ransomware"]) if item else None


def _exploit_prediction(item: Mapping[str, Any] | None) -> ExploitPrediction | None:
    return ExploitPrediction(item["score"], item["percentile"]) if item else None


def _pypi_rows() -> Iterator[Advisory]:
    with (FIXTURES / "pypi.jsonl").open(encoding="utf-8") as lines:
        yield from (_pypi(json.loads(line)) for line in lines)


def _pypi(row: Mapping[str, Any]) -> Advisory:
    ranges = tuple(part for described in row["ranges"] for part in _osv_ranges(described["events"]))
    fixed = any(part.fixed for part in ranges)
    affected = Affected(
        ecosystem=Ecosystem.PYPI,
        package=row["package"],
        ranges=ranges,
        state=FixState.FIXED if fixed else FixState.NOT_FIXED,
    )
    return Advisory(
        id=row["id"],
        aliases=tuple(sorted(set(row["aliases"]))),
        published=_moment(row.get("published")),
        modified=_moment(row["modified"]),
        source=Source.OSV,
        severities=tuple(_scored(Source.OSV, item["score"]) for item in row.get("severity", ())),
        affected=(affected,),
    )


def _osv_ranges(events: Iterable[Mapping[str, str]]) -> Iterator[VersionRange]:
    """Pair each `introduced` with the `fixed` or `last_affected` that follows it (OSV schema, "events")."""
    introduced: str | None = None
    for event in events:
        if "introduced" in event:
            if introduced is not None:
                yield VersionRange(introduced=introduced)
            introduced = "" if event["introduced"] == "0" else event["introduced"]
        elif introduced is not None:
            yield VersionRange(
                introduced=introduced, fixed=event.get("fixed", ""), last_affected=event.get("last_affected", "")
            )
            introduced = None
    if introduced is not None:
        yield VersionRange(introduced=introduced)


def _with_severities(row: Advisory, curated: Mapping[str, tuple[Severity, ...]]) -> Advisory:
    added = tuple(severity for cve in row.cves for severity in curated.get(cve, ()))
    return replace(row, severities=(*row.severities, *added))


def _only(row: Mapping[str, Any], allowed: set[str]) -> None:
    if unknown := set(row) - allowed:
        raise ValueError(f"unknown keys in curated.yaml: {sorted(unknown)}")


def _midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
