"""Every key of the policy and of the requirement, once: the parser takes these, the shipped schemas describe the same.

A name with `[]` is an entry of a list, one with `{}` a value of a mapping with free keys. `file`, `key` and `signer` stand
at several places. `LATER` are keys of the design that this release does not understand: they are refused as unknown, with
a line that says so, because a key that is accepted and does nothing is worse than none (attack P02).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DOCUMENT_KEYS: Final = ("apiVersion", "kind", "metadata", "spec")
FILE_KEYS: Final = ("file", "sha256")
KEY_KEYS: Final = (*FILE_KEYS, "pem", "notBefore", "notAfter", "rsaScheme")
SIGNER_KEYS: Final = ("key",)

POLICY_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": DOCUMENT_KEYS,
        "metadata": ("name", "description", "expires"),
        "spec": (
            "references", "platforms", "signature", "vulnerabilities", "secrets", "image", "rules", "waivers",
            "waiverMaxDuration", "limits", "attest",
        ),
        "spec.references": ("registries",),
        "spec.signature[]": ("images", "anyOf", "allOf", "annotations"),
        "spec.vulnerabilities": (
            "scanners", "databaseMaxAge", "failOn", "unknownSeverity", "ignoreUnfixed", "grace", "kev", "kevData", "epss",
            "vex", "endOfLife", "emptyBase",
        ),
        "spec.vulnerabilities.scanners": ("require", "quorum"),
        "spec.vulnerabilities.epss": ("failAbove", "data"),
        "spec.vulnerabilities.vex[]": (*FILE_KEYS, "signers", "products"),
        "spec.secrets": ("failOn", "allow", "unopened"),
        "spec.secrets.allow[]": ("fingerprint", "reason", "owner", "expires"),
        "spec.image": ("user", "maxAge", "revision", "ports", "setuid", "labels", "base"),
        "spec.image.ports": ("deny",),
        "spec.image.setuid": ("allow",),
        "spec.image.labels": ("deny",),
        "spec.image.base[]": ("name", "diffIds"),
        "spec.rules[]": ("id", "cel", "message"),
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
        "signer": SIGNER_KEYS,
    }
)  # fmt: skip

REQUIREMENT_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": DOCUMENT_KEYS,
        "metadata": ("name", "description"),
        "spec": ("images", "default"),
        "spec.images[]": ("match", "verdict", "signature"),
        "spec.images[].verdict": (
            "signedBy", "failedBy", "policies", "environment", "maxAge", "requireTimestamp", "extensionPrefixes",
            "evidencePredicateTypes",
        ),
        "spec.images[].verdict.signedBy[]": ("key", "verifierId"),
        "spec.images[].verdict.policies[]": FILE_KEYS,
        "spec.images[].signature": ("anyOf", "allOf", "annotations"),
        "key": KEY_KEYS,
        "signer": SIGNER_KEYS,
    }
)  # fmt: skip

LATER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "spec": ("trust", "provenance", "attestations"),
        "spec.signature[]": ("log", "timestamps"),
        "spec.secrets": ("rules",),
        "signer": ("keyless",),
    }
)
