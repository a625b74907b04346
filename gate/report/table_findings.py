"""The tables of what was found in an image: vulnerabilities by package, secrets, disagreements, waivers.

A vulnerability that several platforms of an index share is one row. What the policy does not count for its severity alone is
counted, not listed, unless `--severity` asks for it: the person looks for what refuses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from gate.model.finding import SecretOrigin
from gate.model.severity import Severity
from gate.report.escape import identifier, visible
from gate.report.table_style import plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from gate.model.finding import Finding
    from gate.model.verdict import Disagreement, JudgedFinding, JudgedSecret, Verdict

_SEVERITY_STYLES: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.NEGLIGIBLE: "bright_black",
    Severity.UNKNOWN: "magenta",
}
_USED: Final = "used"
# Hard links beside the first name; the JSON report holds all.
_MAX_NAMES: Final = 3
_FINDING_COLUMNS: Final = ("package", "version", "severity", "vulnerability", "fixed in", "seen by", "because")


def vulnerabilities(verdict: Verdict, severities: frozenset[Severity] | None) -> Table | None:
    """Return what refuses the image, by package, the worst package first."""
    return _findings_table(verdict, [row for row in verdict.findings if row.counts and _asked(row, severities)])


def excused(verdict: Verdict, severities: frozenset[Severity] | None) -> Table | None:
    """Return what does not count: waived, warned of, cleared by VEX, in grace; and the rest, where severities are asked for."""
    rows = [found for found in verdict.findings if not found.counts and _asked(found, severities)]
    return _findings_table(verdict, [row for row in rows if severities is not None or _has_excuse(row)])


def left_out(verdict: Verdict, severities: frozenset[Severity] | None) -> Iterator[str]:
    """Return a sentence for findings that the tables leave out."""
    hidden = [found for found in _distinct(verdict.findings) if not _asked(found, severities)]
    if hidden:
        yield f"{_numbers(hidden)} not shown, because --severity does not name them"
    quiet = [found for found in _distinct(verdict.findings) if not found.counts and not _has_excuse(found)]
    if severities is None and quiet:
        yield f"{_numbers(quiet)} that the policy does not count; --format json lists them"


def secrets(verdict: Verdict, severities: frozenset[Severity] | None) -> Table | None:
    """Return every secret that refuses, is warned of or waived, without its value; all of them where severities are asked for."""
    chosen = [
        row
        for row in verdict.secrets
        if (row.counts or row.waived_by or row.warned if severities is None else row.secret.severity in severities)
    ]
    if not chosen:
        return None
    table = plain_table("refuses", "rule", "grade", "where", "layer", "seen by", "because")
    for row in sorted(dict.fromkeys(chosen), key=_secret_order):
        explanation = f"waived by {row.waived_by}" if row.waived_by else row.explanation
        table.add_row(
            Text("yes", style="red") if row.counts else Text("no"),
            Text(identifier(row.secret.rule)),
            Text(row.secret.grade.value),
            Text(_where(row)),
            Text(row.secret.layer.short if row.secret.layer is not None else ""),
            Text(row.secret.tool.value),
            Text(visible(explanation)),
        )
    return table


def quiet_secrets(verdict: Verdict, severities: frozenset[Severity] | None) -> Iterator[str]:
    """Yield a sentence for each group of secrets that refuse nothing, by grade and origin."""
    quiet = [row.secret for row in verdict.secrets if not (row.counts or row.waived_by or row.warned)]
    groups = Counter((secret.grade, secret.origin) for secret in quiet) if severities is None else Counter()
    for (grade, origin), count in sorted(groups.items(), key=lambda item: (-item[0][0].rank, item[0][1])):
        whose = "files that packages shipped" if origin is SecretOrigin.PACKAGED else "the image's own"
        yield f"{count} {grade.value} secret{'s' if count > 1 else ''} in {whose} that refuse nothing; --format json lists them"


def disagreements(verdict: Verdict) -> Table | None:
    """Return what one scanner saw and the other did not, of the findings that refuse; the rest `folded` counts."""
    rows = dict.fromkeys((row.finding, row.package, row.detail) for row in _telling(verdict))
    if not rows:
        return None
    table = plain_table("vulnerability", "package", "detail")
    for finding, package, detail in rows:
        table.add_row(Text(identifier(finding)), Text(identifier(package)), Text(visible(detail)))
    return table


def folded(verdict: Verdict) -> Iterator[str]:
    """Return a sentence for disagreements that decide nothing, so that they do not bury the reason."""
    told = {(row.finding, row.package) for row in _telling(verdict)}
    rest = {(row.finding, row.package) for row in verdict.disagreements} - told
    if rest:
        number = "1 more finding that refuses" if len(rest) == 1 else f"{len(rest)} more findings that refuse"
        yield f"the scanners disagree on {number} nothing by itself; --format json lists all"


def _telling(verdict: Verdict) -> list[Disagreement]:
    counting = {(row.finding.id, str(row.finding.package.key)) for row in verdict.findings if row.counts}
    return [row for row in verdict.disagreements if (row.finding, row.package) in counting]


def fingerprints(verdict: Verdict, severities: frozenset[Severity] | None) -> Iterator[str]:
    """Return a line for each secret that refuses or is warned of: the whole fingerprint, which `secrets.allow` takes."""
    refusing = [row for row in verdict.secrets if row.counts or row.warned]
    rows = [row for row in refusing if severities is None or row.secret.severity in severities]
    for row in sorted(dict.fromkeys(rows), key=_secret_order):
        yield f"{identifier(row.secret.fingerprint)}  {identifier(row.secret.rule)} in {_where(row)}"


def waivers(verdict: Verdict) -> Table | None:
    """Return the waivers that were used, and those that are of no use here (unused, expired)."""
    shown = [used for used in verdict.waivers if used.state != "elsewhere"]
    if not shown:
        return None
    table = plain_table("waiver", "state", "covers", "check", "ends", "owner", "reason")
    for used in sorted(shown, key=lambda used: (used.state != _USED, used.waiver.id)):
        waiver = used.waiver
        table.add_row(
            Text(identifier(waiver.id)),
            Text(used.state, style="" if used.state == _USED else "yellow"),
            Text(str(used.covers)),
            Text(identifier(waiver.check)),
            Text(waiver.expires.isoformat()),
            Text(visible(waiver.owner)),
            Text(visible(waiver.reason)),
        )
    return table


def _findings_table(verdict: Verdict, rows: Sequence[JudgedFinding]) -> Table | None:
    if not rows:
        return None
    several = len(verdict.subjects) > 1
    table = plain_table(*_FINDING_COLUMNS, *(("platforms",) if several else ()))
    platforms = {subject.digest: str(subject.platform or subject.digest.short) for subject in verdict.subjects}
    where: dict[object, list[str]] = defaultdict(list)
    for row in rows:
        where[_identity(row)].append(platforms.get(row.subject, row.subject.short))
    previous: tuple[str, ...] = ()
    ambiguous = _in_several_places(rows)
    for row in _worst_first(rows):
        package = _package(row.finding)
        head = _head(row.finding, ambiguous) if package != previous else ("", "")
        previous = package
        cells = (*map(Text, map(identifier, head)), *_finding_cells(row))
        table.add_row(*cells, *((Text(identifier(", ".join(where[_identity(row)]))),) if several else ()))
    return table


def _finding_cells(row: JudgedFinding) -> tuple[Text, ...]:
    finding = row.finding
    return (
        Text(finding.severity.value, style=_SEVERITY_STYLES[finding.severity]),
        Text(identifier(finding.id)),
        Text(identifier(", ".join(finding.fixed_versions) or finding.fix_state.value)),
        Text(", ".join(sorted(tool.value for tool in finding.tools))),
        Text(visible(f"waived by {row.waived_by}" if row.waived_by else row.explanation)),
    )


def _identity(row: JudgedFinding) -> tuple[object, ...]:
    return _package(row.finding), row.finding.fingerprint, row.counts


def _distinct(rows: Iterable[JudgedFinding]) -> list[JudgedFinding]:
    """Return each finding once where several children of an index have it and the same was decided of it."""
    return list({_identity(row): row for row in rows}.values())


def _worst_first(rows: Sequence[JudgedFinding]) -> list[JudgedFinding]:
    """Return the rows by package: the package with the highest severity first, within it the highest first."""
    worst: dict[tuple[str, str, str], int] = {}
    for row in rows:
        package = _package(row.finding)
        worst[package] = max(worst.get(package, 0), row.finding.severity.rank)

    def order(row: JudgedFinding) -> tuple[int, tuple[str, str, str], int, str]:
        package = _package(row.finding)
        return -worst[package], package, -row.finding.severity.rank, row.finding.id

    return sorted(_distinct(rows), key=order)


def _package(finding: Finding) -> tuple[str, str, str]:
    return finding.package.name, finding.package.version, finding.package.key.path


def _in_several_places(rows: Sequence[JudgedFinding]) -> frozenset[tuple[str, str]]:
    """Return name and version of packages that stand at more than one path: only there the path tells them apart."""
    packages = {_package(row.finding) for row in rows}
    counted = Counter(package[:2] for package in packages)
    return frozenset(package for package, count in counted.items() if count > 1)


def _head(finding: Finding, ambiguous: frozenset[tuple[str, str]]) -> tuple[str, str]:
    name, version, path = _package(finding)
    return (f"{name} ({path})" if (name, version) in ambiguous and path else name), version


def _asked(row: JudgedFinding, severities: frozenset[Severity] | None) -> bool:
    return severities is None or row.finding.severity in severities


def _has_excuse(row: JudgedFinding) -> bool:
    return bool(row.waived_by or row.grace_until or row.warned or (row.vex and not row.counts))


def _numbers(rows: Iterable[JudgedFinding]) -> str:
    counted = Counter(row.finding.severity for row in rows)
    parts = [f"{counted[severity]} {severity.value}" for severity in reversed(Severity) if counted[severity]]
    total = sum(counted.values())
    return f"{total} {'vulnerability' if total == 1 else 'vulnerabilities'} ({', '.join(parts)})"


def _where(row: JudgedSecret) -> str:
    secret = row.secret
    chain = "".join(f" > {identifier(name)}" for name in secret.chain)
    line = f":{secret.line}" if secret.line is not None else _at_offset(secret.offset)
    shown, more = secret.names[1:][:_MAX_NAMES], len(secret.names[1:][_MAX_NAMES:])
    names = f" (also {', '.join(map(identifier, shown))}{f' and {more} more' if more else ''})" if shown else ""
    hidden = " (hidden by a later layer)" if secret.hidden else ""
    return f"{secret.place.value} {identifier(secret.location)}{chain}{line}{names}{hidden}"


def _at_offset(offset: int | None) -> str:
    return f" at byte {offset}" if offset else ""


def _secret_order(row: JudgedSecret) -> tuple[bool, str, str]:
    return not row.counts, row.secret.location, row.secret.rule
