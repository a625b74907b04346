"""Read Grype's JSON report and the CycloneDX document of the same run into values.

The JSON names no package without a match, the CycloneDX document names them all: one run writes both, and both are
needed. Every field that is used is checked. Whether they are about the right image, and complete, is judged elsewhere.

Specification: checks reference, sections 1.2 and 5.2 to 5.5; Grype v0.115.0 `grype/presenter/models`; CycloneDX 1.7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from gate.codec.purl import DISTRIBUTION_TYPES, key_of, package_key
from gate.codec.scanner_words import fix_state_of, severity_of, split_ids
from gate.codec.strict_json import Fault, JsonValue, ObjectView, parse_object
from gate.codec.times import parse_time
from gate.codec.trivy import os_package_set
from gate.errors import ScannerError
from gate.model.digest import Digest
from gate.model.evidence import ScannedDistribution
from gate.model.finding import Epss, Package, Tool, ToolFinding
from gate.model.severity import Severity

# 130 packages beside 7,900 files are 4 MB of CycloneDX.
MAX_REPORT_BYTES: Final = 256 << 20
_FAULT: Final = Fault(ScannerError, "SCAN_FAILED", "Grype's report")
_BOM_FAULT: Final = Fault(ScannerError, "SCAN_FAILED", "Grype's package list")
_MIDNIGHT: Final = "T00:00:00Z"

# Syft's package type -> purl type, for packages without a purl.
_PURL_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "python": "pypi", "go-module": "golang", "java-archive": "maven", "jenkins-plugin": "maven",
        "rust-crate": "cargo", "dotnet": "nuget", "php-composer": "composer", "alpm": "alpm",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GrypeReport:
    """What the two documents say. `packages` are all; `os_packages` (name, version, architecture) the distribution's.

    `suppressed` are ids that Grype left out. `database_built` is what it says of the database that it opened.
    `redacted` is the JSON without the image's configuration, to be kept.
    """

    version: str
    target_manifest: Digest
    target_diff_ids: tuple[Digest, ...]
    distribution: ScannedDistribution | None
    packages: tuple[Package, ...]
    os_packages: frozenset[tuple[str, str, str]]
    findings: tuple[ToolFinding, ...]
    suppressed: tuple[str, ...]
    database_built: datetime
    redacted: bytes


def parse_grype_report(data: bytes, bill: bytes) -> GrypeReport:
    """Parse the JSON report and the CycloneDX document (both untrusted) of one run.

    Raises:
        ScannerError: `SCAN_FAILED`, one is not whole, is not about an image, or says that the database is not valid.
    """
    report = parse_object(data, _FAULT, limit_bytes=MAX_REPORT_BYTES)
    source, descriptor = report.object("source"), report.object("descriptor")
    if source.text("type") != "image" or descriptor.text("name") != "grype":
        raise report.refuse("source", "is not about an image", seen=source.text("type"))
    target = source.object("target")
    packages = _packages(bill, target.text("manifestDigest"))
    return GrypeReport(
        version=descriptor.text("version"),
        target_manifest=target.digest("manifestDigest"),
        target_diff_ids=tuple(layer.digest("digest") for layer in target.objects("layers")),
        distribution=_distribution(report),
        packages=packages,
        os_packages=os_package_set(packages),
        findings=tuple(_finding(match) for match in report.objects("matches")),
        suppressed=tuple(
            match.object("vulnerability").text("id") for match in report.optional_objects("ignoredMatches")
        ),
        database_built=_database_built(descriptor),
        redacted=_redacted(report),
    )


def parse_grype_matches(data: bytes) -> tuple[ToolFinding, ...]:
    """Parse the matches alone of a report that Grype wrote about its own list of packages.

    Raises:
        ScannerError: `SCAN_FAILED`, it is not whole, or not Grype's.
    """
    report = parse_object(data, _FAULT, limit_bytes=MAX_REPORT_BYTES)
    if report.object("descriptor").text("name") != "grype":
        raise report.refuse("descriptor", "is not Grype's")
    return tuple(_finding(match) for match in report.objects("matches"))


def _database_built(descriptor: ObjectView) -> datetime:
    status = descriptor.object("db").object("status")
    if not status.optional_boolean("valid"):
        raise status.refuse("valid", "says that the database is not valid", seen=status.optional_text("error"))
    return parse_time(status.text("built"), _FAULT, "descriptor.db.status.built")


def _distribution(report: ObjectView) -> ScannedDistribution | None:
    found = report.optional_object("distro")
    if found is None or not found.optional_text("name"):
        return None
    ended = any(
        alert.optional_text("type") == "distro-eol"
        for package in report.optional_objects("alertsByPackage")
        for alert in package.optional_objects("alerts")
    )
    # Grype says so only where its database has a date: silence is no opinion.
    return ScannedDistribution(
        name=found.text("name"), version=found.optional_text("version"), end_of_life=True if ended else None
    )


def _finding(match: ObjectView) -> ToolFinding:
    record, artifact = match.object("vulnerability"), match.object("artifact")
    related = match.optional_objects("relatedVulnerabilities")
    own, fix = record.text("id"), record.object("fix")
    aliases, bundles = split_ids(own, (other.text("id") for other in related))
    word, origin = _severity(record, related)
    details = match.optional_objects("matchDetails")
    return ToolFinding(
        tool=Tool.GRYPE,
        id=own,
        package=_package(artifact),
        severity=severity_of(word),
        severity_text=word,
        severity_source=origin,
        aliases=aliases,
        advisories=bundles | {text for item in record.optional_objects("advisories") if (text := item.text("id"))},
        fix_state=fix_state_of(fix.optional_text("state")),
        fixed_versions=tuple(version for version in fix.optional_texts("versions") if version),
        fix_available=min(_fix_dates(fix), default=None),
        kev=frozenset(item.text("cve") for item in _with_related(record, related, "knownExploited")),
        epss=tuple(_epss(item) for item in _with_related(record, related, "epss")),
        url=record.optional_text("dataSource"),
        guessed=bool(details) and all(detail.text("type") == "cpe-match" for detail in details),
    )


def _severity(record: ObjectView, related: tuple[ObjectView, ...]) -> tuple[str, str]:
    """Return the word that counts and where it stands.

    Grype takes the matched record's word and does not fall back: where that is unknown, the word of the same defect's
    other record counts, the highest of several.
    """
    words = [(view.optional_text("severity"), view.optional_text("namespace")) for view in (record, *related)]
    if severity_of(words[0][0]) is Severity.UNKNOWN:
        best = max(words[1:], key=lambda pair: severity_of(pair[0]).rank, default=words[0])
        return best if severity_of(best[0]) is not Severity.UNKNOWN else words[0]
    return words[0]


def _with_related(record: ObjectView, related: tuple[ObjectView, ...], key: str) -> Iterator[ObjectView]:
    seen: set[str] = set()
    for view in (record, *related):
        for item in view.optional_objects(key):
            if item.text("cve") not in seen:
                seen.add(item.text("cve"))
                yield item


def _epss(item: ObjectView) -> Epss:
    return Epss(cve=item.text("cve"), score=_share(item, "epss"), percentile=_share(item, "percentile"))


def _share(view: ObjectView, key: str) -> float:
    number = view.optional_number(key)
    # Written so that NaN, which compares false with everything, is refused too.
    if number is None or not 0.0 <= number <= 1.0:
        raise view.refuse(key, "has an impossible share", expected="a number from 0 to 1", seen=str(number))
    return number


def _fix_dates(fix: ObjectView) -> Iterator[datetime]:
    for item in fix.optional_objects("available"):
        text = item.optional_text("date")
        if text:
            yield parse_time(text if "T" in text else text + _MIDNIGHT, _FAULT, "fix.available.date").astimezone(UTC)


def _package(artifact: ObjectView) -> Package:
    kind, name, version = artifact.text("type"), artifact.text("name"), artifact.text("version")
    purl = artifact.optional_text("purl")
    path = _primary_path(artifact.optional_objects("locations"))
    upstream = next((item.text("name") for item in artifact.optional_objects("upstreams")), "")
    key = package_key(purl, path=path) if purl else key_of(_PURL_TYPES.get(kind, kind), "", name, version, path=path)
    source = upstream or (name if key.type in DISTRIBUTION_TYPES else "")
    return Package(key=key, name=name, version=version, purl=purl, source_name=source)


def _primary_path(locations: tuple[ObjectView, ...]) -> str:
    """Return the file that Syft calls the primary evidence of the package, else the first."""
    for location in locations:
        notes = location.optional_object("annotations")
        if notes and notes.optional_text("evidence") == "primary":
            return location.optional_text("path")
    return locations[0].optional_text("path") if locations else ""


def _packages(bill: bytes, manifest: str) -> tuple[Package, ...]:
    document = parse_object(bill, _BOM_FAULT, limit_bytes=MAX_REPORT_BYTES)
    if document.text("bomFormat") != "CycloneDX":
        raise document.refuse("bomFormat", "is not CycloneDX", seen=document.text("bomFormat"))
    described = document.object("metadata").object("component").optional_text("version")
    if described != manifest:
        raise document.refuse(
            "metadata.component.version", "is about another image", code="SCAN_TARGET_MISMATCH", seen=described
        )
    components = document.optional_objects("components")
    return tuple(_component(found) for found in components if found.text("type") not in {"file", "operating-system"})


def _component(found: ObjectView) -> Package:
    properties = {item.text("name"): item.optional_text("value") for item in found.optional_objects("properties")}
    name, version = found.text("name"), found.optional_text("version")
    purl, path = found.optional_text("purl"), properties.get("syft:location:0:path", "")
    kind = properties.get("syft:package:type", "generic")
    key = package_key(purl, path=path) if purl else key_of(_PURL_TYPES.get(kind, kind), "", name, version, path=path)
    module = properties.get("syft:metadata:modularityLabel", "")
    return Package(key=key, name=name, version=version, purl=purl, module=module)


def _redacted(report: ObjectView) -> bytes:
    source = report.object("source")
    # Both hold the configuration whole, in base64: environment, labels, history.
    target = {**source.object("target").fields, "manifest": "", "config": ""}
    document: dict[str, JsonValue] = {**report.fields, "source": {**source.fields, "target": target}}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
