"""Each scanner's view of the advisories: by which id it knows them, and what stands under one id and package.

Trivy's database is keyed by the CVE where there is one, Grype's by the GHSA; two advisories that fall on the same id and
package are one record. The database writers and the expected findings both start here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tools.advisories.model import Advisory, Affected, FixState, Scanner, Severity, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One id over one package, as one scanner's database holds it; `aliases` are without `id`, sorted."""

    id: str
    aliases: tuple[str, ...]
    affected: Affected
    advisory: Advisory

    @property
    def fixed_versions(self) -> tuple[str, ...]:
        """Return the repaired versions in the order of the ranges, each once."""
        return tuple(dict.fromkeys(part.fixed for part in self.affected.ranges if part.fixed))

    @property
    def source(self) -> Source:
        """Return who publishes it: the distribution for its packages, else the advisory's own source."""
        ecosystem = self.affected.ecosystem
        return Source(ecosystem.value) if ecosystem.is_distribution else self.advisory.source

    def severity(self, source: Source) -> Severity | None:
        """Return what the source says, or None; of several vectors the highest."""
        found = [severity for severity in self.advisory.severities if severity.source is source]
        return max(found, key=lambda severity: severity.score, default=None)


def records(scanner: Scanner, advisories: Iterable[Advisory]) -> tuple[Record, ...]:
    """Return all records of the scanner, merged, in the order of the advisories."""
    merged: dict[tuple[object, ...], Record] = {}
    for record in _unmerged(scanner, advisories):
        affected = record.affected
        key = (record.id, affected.ecosystem, affected.release, affected.package)
        merged[key] = _merge(merged[key], record) if key in merged else record
    return tuple(merged.values())


def _unmerged(scanner: Scanner, advisories: Iterable[Advisory]) -> Iterator[Record]:
    for advisory in advisories:
        if scanner not in advisory.scanners:
            continue
        for affected in advisory.affected:
            for name in _ids(scanner, advisory, affected):
                aliases = tuple(sorted(set(advisory.names) - {name}))
                yield Record(id=name, aliases=aliases, affected=affected, advisory=advisory)


def _ids(scanner: Scanner, advisory: Advisory, affected: Affected) -> tuple[str, ...]:
    if affected.ecosystem.is_distribution:
        return (advisory.id,)
    cves = advisory.cves or (advisory.id,)
    if scanner is Scanner.TRIVY:
        return cves
    return tuple(sorted(name for name in advisory.names if name.startswith("GHSA-")))[:1] or cves[:1]


def _merge(first: Record, second: Record) -> Record:
    ranges = tuple(dict.fromkeys((*first.affected.ranges, *second.affected.ranges)))
    fixed = any(part.fixed for part in ranges)
    affected = replace(first.affected, ranges=ranges, state=FixState.FIXED if fixed else first.affected.state)
    advisory = replace(
        first.advisory, severities=tuple(dict.fromkeys((*first.advisory.severities, *second.advisory.severities)))
    )
    aliases = tuple(sorted({*first.aliases, *second.aliases}))
    return replace(first, aliases=aliases, affected=affected, advisory=advisory)
