"""Pairs of policy documents that differ in one key of `provenance` or `attestations`, over what hangs on the image."""

from __future__ import annotations

from typing import Any, Final

from tests.support.policy_effects import MISSING, Document, Effect, outcome, statement
from tests.support.policy_pair import IMAGE_ANY, Pair

BUILDER: Final = "https://builds.example/b"
BUILD_TYPE: Final = "https://builds.example/type/v1"
_GATE: Final = [{"key": {"file": "keys/a.pub"}}]
_STRANGER: Final = [{"key": {"file": "keys/b.pub"}}]
_PREDICATE: Final[Document] = {
    "buildDefinition": {
        "buildType": BUILD_TYPE,
        "externalParameters": {"workflow": {"path": "release.yml"}},
        "resolvedDependencies": [
            {"uri": "git+https://github.com/shop/web@refs/heads/main", "digest": {"gitCommit": "a" * 40}}
        ],
    },
    "runDetails": {"builder": {"id": BUILDER}},
}
_BOM: Final[Document] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"timestamp": "2026-02-20T00:00:00Z"},
    "components": [{"type": "library", "name": "zlib"}],
}
# What hangs on the image: provenance and an SBOM, both by the gate's key of the tests.
ATTESTED: Final[Document] = {
    "attachments": {
        "signed": [
            {"form": "statement", "type": "https://slsa.dev/provenance/v1", "predicate": _PREDICATE},
            {"form": "statement", "type": "https://cyclonedx.org/bom", "predicate": _BOM},
        ]
    }
}
_BUILT: Final[Document] = {"signers": _GATE, "builder": [{"id": BUILDER}]}
_SBOM: Final[Document] = {"type": "cyclonedx", "signers": _GATE}


def _pair(key: str, place: str, left: Any, right: Any, effect: Effect = outcome) -> Pair:  # noqa: ANN401
    spec = {**IMAGE_ANY, "provenance": _BUILT, "attestations": [_SBOM]}
    return Pair(key=key, place=place, spec=spec, left=left, right=right, effect=effect, evidence=ATTESTED)


def _provenance(key: str, left: Any, right: Any) -> Pair:  # noqa: ANN401
    return _pair(f"spec.provenance.{key}", f"spec.provenance.{key}", left, right)


ATTESTATION_PAIRS: Final = (
    _pair("spec.provenance", "spec.provenance", MISSING, _BUILT),
    _pair("spec.attestations", "spec.attestations", MISSING, [_SBOM]),
    _provenance("signers", _GATE, _STRANGER),
    _provenance("builder", [BUILDER], ["https://builds.example/other"]),
    _provenance("source", "git+https://github.com/shop/**", "git+https://github.com/other/**"),
    _provenance("ref", "refs/heads/main", "refs/tags/*"),
    _provenance("buildType", BUILD_TYPE, "https://builds.example/type/v2"),
    _provenance("parameters", {"workflow.path": "release.yml"}, {"workflow.path": "pr.yml"}),
    _provenance("minimumLevel", 1, 2),
    _pair("spec.provenance.builder[].id", "spec.provenance.builder.0.id", BUILDER, "https://builds.example/other"),
    _pair("spec.provenance.builder[].level", "spec.provenance.builder.0.level", 2, 3, statement),
    _pair("spec.attestations[].type", "spec.attestations.0.type", "cyclonedx", "spdx"),
    _pair("spec.attestations[].signers", "spec.attestations.0.signers", _GATE, _STRANGER),
    _pair("spec.attestations[].maxAge", "spec.attestations.0.maxAge", "30d", "1d"),
)
