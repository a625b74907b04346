"""Every key of the policy and of the requirement, once: the parser takes these, the shipped schemas describe the same.

A name with `[]` is an entry of a list, one with `{}` a value of a mapping with free keys. `file`, `key` and `signer` stand
at several places. A key that is accepted and does nothing is worse than none (attack P02).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gate.model.identity import Claim

DOCUMENT_KEYS: Final = ("apiVersion", "kind", "metadata", "spec")
FILE_KEYS: Final = ("file", "sha256")
KEY_KEYS: Final = (*FILE_KEYS, "pem", "notBefore", "notAfter", "rsaScheme", "trust")
KEYLESS_KEYS: Final = ("issuer", "issuerRegExp", "subject", "subjectRegExp", "claims", "trust")
CLAIM_KEYS: Final = ("regExp",)
SIGNER_KEYS: Final = ("key", "keyless")
TRUST_KEYS: Final = ("trustedRoot", "log", "timestamps", "sct", "inclusion", "witnesses")
WITNESS_KEYS: Final = ("keys", "count")

POLICY_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": DOCUMENT_KEYS,
        "metadata": ("name", "description", "expires"),
        "spec": (
            "references", "platforms", "trust", "signature", "provenance", "attestations", "vulnerabilities", "secrets",
            "coverage", "image", "rules", "warn", "waivers", "waiverMaxDuration", "limits", "attest",
        ),
        "spec.references": ("registries", "exceptions"),
        "spec.references.exceptions[]": ("pattern", "path", "reason", "owner", "expires"),
        "spec.trust{}": TRUST_KEYS,
        "spec.trust{}.witnesses": WITNESS_KEYS,
        "spec.signature[]": ("images", "anyOf", "allOf", "annotations", "log", "timestamps"),
        "spec.provenance": (
            "signers", "builder", "source", "ref", "buildType", "parameters", "minimumLevel",
        ),
        "spec.provenance.builder[]": ("id", "level"),
        "spec.attestations[]": ("type", "signers", "maxAge"),
        "spec.vulnerabilities": (
            "scanners", "databaseMaxAge", "failOn", "unknownSeverity", "ignoreUnfixed", "grace", "kev", "kevData", "kevMaxAge",
            "epss", "vex", "endOfLife", "emptyBase",
        ),
        "spec.vulnerabilities.scanners": ("require", "quorum"),
        "spec.vulnerabilities.epss": ("failAbove", "data", "maxAge"),
        "spec.vulnerabilities.vex[]": (*FILE_KEYS, "signers", "products"),
        "spec.secrets": ("failOn", "scanners", "allow", "unopened", "rules"),
        "spec.secrets.failOn": ("own", "packaged", "live"),
        "spec.secrets.allow[]": ("fingerprint", "file", "reason", "owner", "expires"),
        "spec.coverage": ("unread", "accept"),
        "spec.coverage.accept[]": ("path", "reason", "owner", "expires"),
        "spec.image": ("user", "maxAge", "revision", "ports", "setuid", "labels", "base"),
        "spec.image.ports": ("deny",),
        "spec.image.setuid": ("allow",),
        "spec.image.labels": ("deny",),
        "spec.image.base[]": ("name", "diffIds"),
        "spec.rules[]": ("id", "cel", "message", "level", "from"),
        "spec.waivers[]": ("id", "check", "images", "match", "reason", "owner", "approvedBy", "expires"),
        "spec.waivers[].match": ("vulnerability", "package", "versions", "fingerprint", "code", "location", "rule"),
        "spec.limits": (
            "layers", "uncompressedBytes", "entries", "ratio", "ratioWindowBytes", "secondsPerGib",
        ),
        "spec.attest": (
            "verifierId", "maxAge", "environments", "evidencePredicateType", "extensionPrefix", "requireTimestamp",
        ),
        "file": FILE_KEYS,
        "key": KEY_KEYS,
        "keyless": KEYLESS_KEYS,
        "keyless.claims": tuple(claim.value for claim in Claim),
        "claim": CLAIM_KEYS,
        "signer": SIGNER_KEYS,
    }
)  # fmt: skip

REQUIREMENT_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": DOCUMENT_KEYS,
        "metadata": ("name", "description"),
        "spec": ("platforms", "images", "trust", "cluster", "default"),
        "spec.trust{}": TRUST_KEYS,
        "spec.trust{}.witnesses": WITNESS_KEYS,
        "spec.cluster": ("exempt", "customResources"),
        "spec.cluster.exempt[]": ("namespace", "images", "reason", "owner", "expires"),
        "spec.cluster.customResources[]": ("apiVersion", "kind", "paths"),
        "spec.images[]": ("match", "mode", "verdict", "signature", "attestationsIn"),
        "spec.images[].verdict": (
            "signedBy", "failedBy", "policies", "environment", "maxAge", "requireTimestamp", "extensionPrefixes",
            "evidencePredicateTypes",
        ),
        "spec.images[].verdict.signedBy[]": (*SIGNER_KEYS, "verifierId"),
        "spec.images[].verdict.policies[]": FILE_KEYS,
        "spec.images[].signature": ("anyOf", "allOf", "annotations", "log", "timestamps"),
        "key": KEY_KEYS,
        "keyless": KEYLESS_KEYS,
        "keyless.claims": tuple(claim.value for claim in Claim),
        "claim": CLAIM_KEYS,
        "signer": SIGNER_KEYS,
    }
)  # fmt: skip
