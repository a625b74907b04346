"""Read Trivy's JSON report (schema 2) into values, and give the report again without the secrets that it quotes.

Every field that is used is checked; a report of another schema, of something that is no image, or with a distribution
and no results is refused: Trivy answers "I could not look" and "nothing found" with the same form. Whether the report
is about the right image, and whether it is complete, is judged elsewhere. Nothing in the result holds what Trivy prints
of a secret's surroundings: it masks the match and prints the lines beside it, with their secrets, in full.

Specification: checks reference, sections 1.2, 5.2 to 5.5 and 8.7; Trivy v0.72.0 `pkg/types/report.go`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gate.codec.purl import DISTRIBUTION_TYPES, key_of, package_key
from gate.codec.scanner_words import fix_state_of, severity_of, split_ids
from gate.codec.strict_json import Fault, JsonValue, ObjectView, parse_object
from gate.codec.times import parse_time
from gate.errors import GateError, ScannerError
from gate.model.digest import Digest
from gate.model.evidence import ScannedDistribution
from gate.model.finding import Package, SecretFinding, SecretPlace, Tool, ToolFinding

SCHEMA_VERSION: Final = 2
# A report of 2,000 packages and 1,000 findings is 5 MB.
MAX_REPORT_BYTES: Final = 256 << 20
_FAULT: Final = Fault(ScannerError, "SCAN_FAILED", "Trivy's report")

# Results whose target names a kind of package and not a file; their packages name their file themselves.
_GROUPS: Final = frozenset({"Java", "Node.js", "Python", "Ruby", "PHP", "Conda", "Rust", "C/C++", "Julia"})
# Result type -> purl type, for the few packages without a purl.
_PURL_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "debian": "deb", "ubuntu": "deb", "alpine": "apk", "wolfi": "apk", "chainguard": "apk",
        "python-pkg": "pypi", "node-pkg": "npm", "gobinary": "golang", "jar": "maven", "gemspec": "gem",
        "rustbinary": "cargo", "composer-vendor": "composer", "dotnet-core": "nuget",
    }
)  # fmt: skip
_VARIABLE: Final = re.compile(r'\s*"([A-Z_][A-Z0-9_]{0,63})=')


@dataclass(frozen=True, slots=True, kw_only=True)
class TrivyReport:
    """What a report says.

    `packages` are all; `os_packages` (name, version, architecture) the distribution's. `third_party` are packages of the
    distribution's database that Trivy takes for another publisher's, by one line of their metadata, and for which it then
    looks up nothing. `suppressed` are ids that Trivy left out. `redacted` is the report as JSON without the secrets it quotes
    and without the image's configuration, to be kept.
    """

    version: str
    target_config: Digest
    target_diff_ids: tuple[Digest, ...]
    distribution: ScannedDistribution | None
    packages: tuple[Package, ...]
    os_packages: frozenset[tuple[str, str, str]]
    third_party: tuple[Package, ...]
    findings: tuple[ToolFinding, ...]
    secrets: tuple[SecretFinding, ...]
    suppressed: tuple[str, ...]
    redacted: bytes


def parse_trivy_report(data: bytes) -> TrivyReport:
    """Parse the bytes that Trivy wrote (untrusted).

    Raises:
        ScannerError: `SCAN_FAILED`, the report is not whole, not of this schema, or not of an image.
    """
    report = parse_object(data, _FAULT, limit_bytes=MAX_REPORT_BYTES)
    if report.integer("SchemaVersion") != SCHEMA_VERSION:
        raise report.refuse("SchemaVersion", "has another schema", expected=str(SCHEMA_VERSION))
    if report.text("ArtifactType") != "container_image":
        raise report.refuse("ArtifactType", "is not about an image", seen=report.text("ArtifactType"))
    metadata = report.object("Metadata")
    distribution = _distribution(metadata)
    if distribution is not None and not report.has("Results"):
        raise report.refuse("Results", "names a distribution and holds no results", expected="a list", seen="nothing")
    results = report.optional_objects("Results")
    packages = [(_listed(result, found), result, found) for result, found in _listings(results)]
    return TrivyReport(
        version=report.object("Trivy").text("Version"),
        target_config=metadata.digest("ImageID"),
        target_diff_ids=_digests(metadata, "DiffIDs"),
        distribution=distribution,
        packages=tuple(package for package, _, _ in packages),
        os_packages=os_package_set(package for package, result, _ in packages if _is_os(result)),
        third_party=tuple(package for package, _, found in packages if _is_third_party(found)),
        findings=tuple(finding for result in results for finding in _findings(result)),
        secrets=tuple(secret for result in results for secret in _secrets(result)),
        suppressed=tuple(text for result in results for text in _suppressed(result)),
        redacted=_redacted(report),
    )


def os_package_set(packages: Iterable[Package]) -> frozenset[tuple[str, str, str]]:
    """Return (name, version with epoch, architecture) of packages of a distribution, as their keys have them."""
    return frozenset(
        (package.key.name, package.key.version, package.key.arch)
        for package in packages
        if package.key.type in DISTRIBUTION_TYPES
    )


def _digests(view: ObjectView, key: str) -> tuple[Digest, ...]:
    try:
        return tuple(Digest(text) for text in view.texts(key))
    except GateError as error:
        raise view.refuse(key, "has a malformed digest", expected="sha256: and 64 hex digits") from error


def _distribution(metadata: ObjectView) -> ScannedDistribution | None:
    found = metadata.optional_object("OS")
    # Trivy writes the family `none` where it found no distribution.
    if found is None or found.optional_text("Family") in {"", "none"}:
        return None
    return ScannedDistribution(
        name=found.text("Family"), version=found.optional_text("Name"), end_of_life=found.optional_boolean("EOSL")
    )


def _is_os(result: ObjectView) -> bool:
    return result.optional_text("Class") == "os-pkgs"


def _path(result: ObjectView, own: str) -> str:
    """Return the file of a package: its own, else the result's target where that is a file (Go binaries, lock files)."""
    target = result.optional_text("Target")
    return own or ("" if _is_os(result) or target in _GROUPS else target)


def _listings(results: Iterable[ObjectView]) -> Iterator[tuple[ObjectView, ObjectView]]:
    return ((result, found) for result in results for found in result.optional_objects("Packages"))


def _listed(result: ObjectView, found: ObjectView) -> Package:
    package = _package(
        result,
        name=found.text("Name"),
        version=_version(found),
        purl=_purl(found, "Identifier"),
        path=_path(result, found.optional_text("FilePath")),
        source=found.optional_text("SrcName"),
    )
    return replace(package, module=found.optional_text("Modularitylabel"))


def _is_third_party(found: ObjectView) -> bool:
    # `pkg/detector/ospkg/detect.go` leaves these out before it looks anything up, and says so at debug level only.
    repository = found.optional_object("Repository")
    return repository is not None and repository.optional_text("Class") == "third-party"


def _purl(view: ObjectView, key: str) -> str:
    identifier = view.optional_object(key)
    return identifier.optional_text("PURL") if identifier else ""


def _version(found: ObjectView) -> str:
    epoch, release = found.optional_integer("Epoch") or 0, found.optional_text("Release")
    version = found.optional_text("Version") + (f"-{release}" if release else "")
    return f"{epoch}:{version}" if epoch else version


def _package(result: ObjectView, *, name: str, version: str, purl: str, path: str, source: str) -> Package:
    kind = result.optional_text("Type")
    key = package_key(purl, path=path) if purl else key_of(_PURL_TYPES.get(kind, kind), "", name, version, path=path)
    return Package(key=key, name=name, version=version, purl=purl, source_name=source)


def _findings(result: ObjectView) -> Iterator[ToolFinding]:
    sources = {
        found.optional_text("ID"): found.optional_text("SrcName") for found in result.optional_objects("Packages")
    }
    for found in result.optional_objects("Vulnerabilities"):
        yield _finding(result, found, sources)


def _finding(result: ObjectView, found: ObjectView, sources: Mapping[str, str]) -> ToolFinding:
    own = found.text("VulnerabilityID")
    aliases, bundles = split_ids(own, found.optional_texts("VendorIDs"))
    word, status = found.optional_text("Severity"), found.optional_text("Status")
    return ToolFinding(
        tool=Tool.TRIVY,
        id=own,
        package=_package(
            result,
            name=found.text("PkgName"),
            version=found.text("InstalledVersion"),
            purl=_purl(found, "PkgIdentifier"),
            path=_path(result, found.optional_text("PkgPath")),
            source=sources.get(found.optional_text("PkgID"), "") if found.has("PkgID") else "",
        ),
        severity=severity_of(word),
        severity_text=word,
        severity_source=found.optional_text("SeveritySource"),
        aliases=aliases,
        advisories=bundles,
        fix_state=fix_state_of(status),
        fixed_versions=_versions(found.optional_text("FixedVersion")),
        published=_published(found),
        title=found.optional_text("Title"),
        url=found.optional_text("PrimaryURL"),
    )


def _versions(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(", ")) if part)


def _published(found: ObjectView) -> datetime | None:
    text = found.optional_text("PublishedDate")
    # Go's zero time means that there is none.
    return parse_time(text, _FAULT, "PublishedDate") if text and not text.startswith("0001-") else None


def _secrets(result: ObjectView) -> Iterator[SecretFinding]:
    target = result.optional_text("Target")
    for found in result.optional_objects("Secrets"):
        layer = found.optional_object("Layer")
        digest = layer.digest("Digest") if layer and layer.optional_text("Digest") else None
        place, location = (SecretPlace.FILE, target.lstrip("/")) if layer and layer.fields else _place_in_config(found)
        rule, line = found.text("RuleID"), found.optional_integer("StartLine")
        yield SecretFinding(
            rule=rule,
            title=found.optional_text("Title"),
            place=place,
            location=location,
            fingerprint=_fingerprint(rule, location, str(digest or ""), str(line or "")),
            severity=severity_of(found.optional_text("Severity")),
            tool=Tool.TRIVY,
            layer=digest,
            line=line,
        )


def in_layer(secret: SecretFinding, layer: Digest) -> SecretFinding:
    """Return a secret as Trivy would have reported it in this layer: its own name of the layer is that of the plain tar."""
    fingerprint = _fingerprint(secret.rule, secret.location, str(layer), str(secret.line or ""))
    return replace(secret, layer=layer, fingerprint=fingerprint)


def _place_in_config(found: ObjectView) -> tuple[SecretPlace, str]:
    """Say where in the configuration it stands: Trivy searches the document as text, and masks the value in the line."""
    line = found.optional_text("Match")
    if variable := _VARIABLE.match(line):
        return SecretPlace.ENV, variable[1]
    if '"created_by"' in line or '"comment"' in line:
        return SecretPlace.HISTORY, "history"
    return SecretPlace.LABEL, "configuration"


def _fingerprint(*parts: str) -> str:
    # No key is needed: no part of the value goes in, Trivy does not tell it.
    return hashlib.sha256("\0".join(("trivy", *parts)).encode()).hexdigest()[:16]


def _suppressed(result: ObjectView) -> Iterator[str]:
    for modified in result.optional_objects("ExperimentalModifiedFindings"):
        finding = modified.optional_object("Finding")
        names = (finding.optional_text(key) for key in ("VulnerabilityID", "RuleID", "ID", "Name")) if finding else ()
        yield next((name for name in names if name), modified.optional_text("Type") or "unnamed")


def _redacted(report: ObjectView) -> bytes:
    metadata = {key: value for key, value in report.object("Metadata").fields.items() if key != "ImageConfig"}
    results: list[JsonValue] = [_redacted_result(result.fields) for result in report.optional_objects("Results")]
    document = {**report.fields, "Metadata": metadata, "Results": results}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _redacted_result(result: Mapping[str, JsonValue]) -> JsonValue:
    hiding = {key: _without_quotes(result[key]) for key in ("Secrets", "ExperimentalModifiedFindings") if key in result}
    return {**result, **hiding}


def _without_quotes(value: JsonValue) -> JsonValue:
    """Drop what quotes the file, at any depth."""
    if isinstance(value, dict):
        return {key: _without_quotes(item) for key, item in value.items() if key not in {"Match", "Code"}}
    return [_without_quotes(item) for item in value] if isinstance(value, list) else value
