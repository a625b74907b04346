"""The evidence that a policy's own rules may speak of, as the documented variables of CEL.

`image`, `packages`, `findings`, `signatures` and `provenance` are always there and every documented field always has a
value, so that a rule never sees a key missing because an image is unusual: an absent text is "", an absent list is empty. Times
are RFC 3339 text. The list stands in `docs/policy.md`, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.times import format_time
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue
    from gate.model.finding import Finding, PackageKey
    from gate.model.image_config import ImageConfig
    from gate.model.provenance import Provenance, Source
    from gate.model.reference import Repository
    from gate.model.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFact:
    """A signature that verified under the policy: the id of its key and the annotations that it covers."""

    key_id: str
    annotations: StringMap = StringMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceFact:
    """Provenance that met the policy: what it says, and the level that its builder is trusted with."""

    provenance: Provenance
    source: Source
    level: int


def rule_facts(
    *,
    subject: Subject,
    repository: Repository | None,
    config: ImageConfig,
    packages: Iterable[PackageKey] = (),
    findings: Sequence[Finding] = (),
    signatures: Sequence[SignatureFact] = (),
    provenance: Sequence[ProvenanceFact] = (),
) -> dict[str, JsonValue]:
    """Return the variables for the rules about one runnable image.

    `findings` are those of all scanners after the merge, before waivers, grace and VEX. Packages are given once each and
    everything is in a fixed order, so that the same evidence gives the same variables.
    """
    return {
        "image": _image(subject, repository, config),
        "packages": [_package(key) for key in sorted(set(packages))],
        "findings": [_finding(finding) for finding in sorted(findings, key=lambda finding: finding.fingerprint)],
        "signatures": [
            {"keyId": signature.key_id, "annotations": dict(signature.annotations)}
            for signature in sorted(signatures, key=lambda signature: (signature.key_id, signature.annotations.pairs))
        ],
        "provenance": [_provenance(fact) for fact in provenance],
    }


def _provenance(fact: ProvenanceFact) -> JsonValue:
    return {
        "builder": fact.provenance.builder,
        "buildType": fact.provenance.build_type,
        "source": fact.source.uri,
        "ref": fact.source.ref,
        "commit": fact.source.commit,
        "parameters": dict(fact.provenance.parameters),
        "level": fact.level,
    }


def _image(subject: Subject, repository: Repository | None, config: ImageConfig) -> JsonValue:
    return {
        "digest": str(subject.digest),
        "mediaType": subject.media_type,
        "size": subject.size,
        "repository": str(repository) if repository else "",
        "platform": {
            "os": config.platform.os,
            "architecture": config.platform.architecture,
            "variant": config.platform.variant,
        },
        "config": _config(config),
    }


def _config(config: ImageConfig) -> JsonValue:
    return {
        "user": config.user,
        "created": format_time(config.created) if config.created else "",
        "author": config.author,
        # A port without protocol is tcp: one form, so that no rule misses `22` when it denies `22/tcp`.
        "exposedPorts": [port.lower() if "/" in port else f"{port}/tcp" for port in config.exposed_ports],
        "env": dict(_variable(variable) for variable in config.env),
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.cmd),
        "volumes": list(config.volumes),
        "workingDir": config.working_dir,
        "labels": dict(config.labels),
        "stopSignal": config.stop_signal,
        "healthcheck": list(config.healthcheck),
        "onBuild": list(config.on_build),
        "shell": list(config.shell),
        "layers": len(config.diff_ids),
        "history": [entry.created_by for entry in config.history],
    }


def _variable(text: str) -> tuple[str, JsonValue]:
    name, _, value = text.partition("=")
    return name, value


def _package(key: PackageKey) -> JsonValue:
    return {
        "type": key.type,
        "namespace": key.namespace,
        "name": key.name,
        "version": key.version,
        "arch": key.arch,
        "path": key.path,
        "purl": str(key),
    }


def _finding(finding: Finding) -> JsonValue:
    return {
        "id": finding.id,
        "aliases": [*sorted(finding.aliases)],
        "severity": finding.severity.value,
        "severityRank": finding.severity.rank,
        "package": _package(finding.package.key),
        "fixState": finding.fix_state.value,
        "fixedVersions": list(finding.fixed_versions),
        "fixKnownSince": format_time(finding.fix_known_since) if finding.fix_known_since else "",
        "tools": [tool.value for tool in sorted(finding.tools)],
        "kev": bool(finding.kev),
        # Absent is unknown, not zero: a rule that compares must first ask whether there is a score.
        "epss": [finding.epss.score] if finding.epss else [],
        "fingerprint": finding.fingerprint,
    }
