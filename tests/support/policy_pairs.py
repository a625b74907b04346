"""Pairs of documents that differ in one key of the policy, each with the effect that it must turn."""

from __future__ import annotations

from typing import Final

from gate.model.digest import Digest
from tests.support.attestation_pairs import ATTESTATION_PAIRS
from tests.support.coverage_pairs import COVERAGE_PAIRS
from tests.support.evidence import DIFF_IDS, index_evidence
from tests.support.identity_pairs import identity_pairs
from tests.support.policies import KEY_PEM, OTHER_PEM, waiver
from tests.support.policy_effects import (
    FOLDER,
    MISSING,
    accepted,
    described,
    limits,
    numbers,
    outcome,
    searched,
    statement,
    words,
)
from tests.support.policy_pair import (
    ALLOWED,
    IMAGE_ANY,
    MATCH,
    PORT,
    RULE,
    SIGNED,
    VULN,
    WAIVED,
    Pair,
    attest,
    excusing,
    head,
    image,
    limit,
    matching,
    one,
    parsed_signers,
    secret,
    section,
    signing_key,
    vulnerabilities,
)
from tests.support.reference_pairs import REFERENCE_PAIRS
from tests.support.rule_pairs import RULE_PAIRS
from tests.support.threat_pairs import THREAT_PAIRS

BASE: Final = {"name": "debian", "diffIds": [str(DIFF_IDS[0])]}
LOW_FIXED: Final = {"fix_state": "fixed", "fix_available": "2026-02-28T00:00:00+00:00"}
OTHER_BASE: Final = [str(Digest.of(b"foreign"))]

PAIRS: Final = (
    head("apiVersion", "gate/v1", "gate/v2"),
    head("kind", "Policy", "Requirement"),
    head("metadata", {"name": "test"}, {}),
    head("metadata.name", "test", "other", statement),
    head("metadata.description", "one", "other", described),
    head("metadata.expires", "2026-03-01", "2026-02-28"),
    head("spec", VULN, {}),
    section("references", {"registries": ["registry.example/other/**"]}),
    *REFERENCE_PAIRS,
    Pair(
        key="spec.references.registries",
        place="spec.references.registries",
        spec={},
        left=["registry.example/shop/**"],
        right=["registry.example/other/**"],
    ),
    Pair(
        key="spec.platforms",
        place="spec.platforms",
        spec=VULN,
        left=["linux/amd64", "linux/arm64"],
        right=["linux/amd64", "linux/s390x"],
        base=index_evidence(),
    ),
    section("signature", [{"images": "**", "anyOf": [{"key": {"file": "keys/b.pub"}}]}]),
    section("vulnerabilities", {}, one("trivy")),
    section("secrets", {}, secret()),
    section("image", {}, {"subjects": {0: {"config": {"user": "0"}}}}),
    section("rules", RULE["rules"]),
    Pair(
        key="spec.waivers",
        place="spec.waivers",
        spec=VULN,
        left=MISSING,
        right=WAIVED["waivers"],
        evidence=one("trivy"),
    ),
    Pair(
        key="spec.waiverMaxDuration",
        place="spec.waiverMaxDuration",
        spec=WAIVED,
        left="31d",
        right="29d",
        evidence=one("trivy"),
    ),
    Pair(key="spec.limits", place="spec.limits", spec=VULN, left=MISSING, right={"layers": 1}, effect=limits),
    Pair(
        key="spec.attest",
        place="spec.attest",
        spec=IMAGE_ANY,
        left=MISSING,
        right={"environments": ["production"]},
        effect=statement,
    ),
    Pair(
        key="spec.signature[].images",
        place="spec.signature.0.images",
        spec=SIGNED,
        left="registry.example/shop/**",
        right="registry.example/other/**",
    ),
    Pair(
        key="spec.signature[].anyOf",
        place="spec.signature.0.anyOf",
        spec=SIGNED,
        left=[{"key": {"file": "keys/b.pub"}}, {"key": {"file": "keys/a.pub"}}],
        right=[{"key": {"file": "keys/b.pub"}}],
    ),
    Pair(
        key="spec.signature[].allOf",
        place="spec.signature.0.allOf",
        spec={"signature": [{"images": "**"}]},
        left=[{"key": {"file": "keys/a.pub"}}],
        right=[{"key": {"file": "keys/a.pub"}}, {"key": {"file": "keys/b.pub"}}],
    ),
    Pair(
        key="spec.signature[].annotations",
        place="spec.signature.0.annotations",
        spec=SIGNED,
        left=MISSING,
        right={"stage": "production"},
    ),
    Pair(
        key="signer.key",
        place="spec.signature.0.anyOf.0.key",
        spec=SIGNED,
        left={"file": "keys/a.pub"},
        right={"file": "keys/b.pub"},
    ),
    signing_key("file", "keys/a.pub", "keys/b.pub"),
    signing_key("sha256", Digest.of(KEY_PEM).hex, Digest.of(OTHER_PEM).hex, file="keys/a.pub"),
    signing_key("pem", KEY_PEM.decode(), OTHER_PEM.decode()),
    signing_key("notBefore", "2026-03-01", "2026-03-02", file="keys/a.pub"),
    signing_key("notAfter", "2026-03-01", "2026-02-28", file="keys/a.pub"),
    signing_key("rsaScheme", "pkcs1v15", "pss", parsed_signers, file="keys/rsa.pub"),
    Pair(
        key="file.file",
        place="spec.vulnerabilities.kevData.file",
        spec={"vulnerabilities": {"kevData": {}}},
        left="kev.json",
        right="other-exploited.json",
        evidence=one("trivy", "CVE-2026-0666", "low"),
    ),
    Pair(
        key="file.sha256",
        place="spec.vulnerabilities.kevData.sha256",
        spec={"vulnerabilities": {"kevData": {"file": "kev.json"}}},
        left=Digest.of(FOLDER.content["kev.json"]).hex,
        right="0" * 64,
    ),
    vulnerabilities("scanners", {"require": ["grype"]}, {"require": ["trivy"]}, one("trivy")),
    vulnerabilities("scanners.require", ["grype"], ["grype", "trivy"], one("trivy")),
    vulnerabilities("scanners.quorum", "any", "all", one("trivy")),
    vulnerabilities("databaseMaxAge", "7h", "5h", {}),
    vulnerabilities("failOn", "high", "critical", one("trivy")),
    vulnerabilities("unknownSeverity", "high", "low", one("trivy", severity="unknown")),
    vulnerabilities("ignoreUnfixed", left=False, right=True, evidence=one("trivy")),
    vulnerabilities("grace", MISSING, {"high": "7d"}, one("grype", **LOW_FIXED)),
    vulnerabilities("kev", "fail", "ignore", one("trivy", severity="low", kev=["CVE-2026-1"])),
    *THREAT_PAIRS,
    vulnerabilities("vex", MISSING, [{"file": "vex.json"}], one("trivy")),
    *(
        Pair(
            key=f"spec.vulnerabilities.vex[].{key}",
            place=f"spec.vulnerabilities.vex.0.{key}",
            spec={"vulnerabilities": {"vex": [entry]}},
            left=left,
            right=right,
            evidence={**one("trivy"), **attached},
        )
        for key, entry, left, right, attached in (
            ("file", {}, "vex.json", "other-vex.json", {}),
            ("sha256", {"file": "vex.json"}, Digest.of(FOLDER.content["vex.json"]).hex, "0" * 64, {}),
            ("products", {"file": "vex.json"}, ["pkg:deb/debian/*"], ["pkg:pypi/*"], {}),
            (
                "signers",
                {"products": ["pkg:deb/debian/*"]},
                [{"key": {"file": "keys/b.pub"}}],
                [{"key": {"file": "keys/a.pub"}}],
                {"attachments": {"signed": [{"form": "vex", "by": "stranger", "file": "not-affected.openvex.json"}]}},
            ),
        )
    ),
    vulnerabilities(
        "endOfLife", "fail", "ignore", {"subjects": {0: {"grype": {"distribution": {"end_of_life": True}}}}}
    ),
    vulnerabilities(
        "emptyBase",
        MISSING,
        ["registry.example/shop/**"],
        {
            "subjects": {
                0: {
                    "layers": {"distribution": None, "package_databases": [], "os_packages": []},
                    "trivy": {"distribution": None, "os_packages": []},
                    "grype": {"distribution": None, "os_packages": []},
                }
            }
        },
    ),
    Pair(
        key="spec.secrets.failOn",
        place="spec.secrets.failOn",
        spec={"secrets": {}},
        left="any",
        right="live",
        evidence=secret(hidden=True),
    ),
    *(
        Pair(
            key=f"spec.secrets.failOn.{key}",
            place=f"spec.secrets.failOn.{key}",
            spec={"secrets": {"failOn": {}}},
            left=left,
            right=right,
            evidence=found,
        )
        for key, left, right, found in (
            ("own", "likely", "certain", secret(confidence="high")),
            ("packaged", "certain", "none", secret(confidence="certain", package="dpkg nginx")),
            ("live", "any", "only", secret(hidden=True)),
        )
    ),
    Pair(
        key="spec.secrets.scanners",
        place="spec.secrets.scanners",
        spec={"secrets": {}},
        left=MISSING,
        right=["gate", "trivy"],
    ),
    Pair(
        key="spec.secrets.allow",
        place="spec.secrets.allow",
        spec={"secrets": {}},
        left=MISSING,
        right=ALLOWED["secrets"]["allow"],
        evidence=secret(),
    ),
    Pair(
        key="spec.secrets.allow[].file",
        place="spec.secrets.allow.0.file",
        spec={"secrets": {"allow": [{"reason": "r", "owner": "o", "expires": "2026-12-31"}]}},
        left=str(Digest.of(b"file")),
        right=str(Digest.of(b"other")),
        evidence=secret(file_digest=str(Digest.of(b"file"))),
    ),
    Pair(
        key="spec.secrets.rules",
        place="spec.secrets.rules",
        spec={"secrets": {}},
        left=MISSING,
        right=[{"file": "rules/own.yaml"}],
        effect=searched,
    ),
    Pair(
        key="spec.secrets.unopened",
        place="spec.secrets.unopened",
        spec={"secrets": {}},
        left="fail",
        right="ignore",
        evidence={"subjects": {0: {"secrets": {"unopened": [["a.zip", "encrypted"]]}}}},
    ),
    *(
        Pair(
            key=f"spec.secrets.allow[].{key}",
            place=f"spec.secrets.allow.0.{key}",
            spec=ALLOWED,
            left=left,
            right=right,
            effect=effect,
            evidence=secret(),
        )
        for key, left, right, effect in (
            ("fingerprint", "a" * 16, "b" * 16, outcome),
            ("expires", "2026-03-01", "2026-02-28", outcome),
            ("reason", "one", "other", accepted),
            ("owner", "one", "other", accepted),
        )
    ),
    *COVERAGE_PAIRS,
    image("user", "any", "non-root", {"subjects": {0: {"config": {"user": "0"}}}}),
    image("maxAge", "60d", "4d", {}),
    image("revision", "any", "required", {"subjects": {0: {"config": {"labels": {"replace": {}}}}}}),
    image("ports", MISSING, {"deny": ["22/tcp"]}, PORT),
    image("ports.deny", ["23/tcp"], ["22/tcp"], PORT),
    image("setuid", MISSING, {"allow": []}, {}),
    image("setuid.allow", ["/usr/bin/su"], ["/bin/su"], {}),
    image("labels", MISSING, {"deny": ["org.*"]}, {}),
    image("labels.deny", ["com.*"], ["org.*"], {}),
    image("base", MISSING, [{"name": "other", "diffIds": OTHER_BASE}], {}),
    *(
        Pair(
            key=f"spec.image.base[].{key}",
            place=f"spec.image.base.0.{key}",
            spec={"image": {"user": "any", "base": [{"name": "debian", "diffIds": OTHER_BASE}]}},
            left=left,
            right=right,
            effect=effect,
        )
        for key, left, right, effect in (
            ("name", "debian", "other", words),
            ("diffIds", BASE["diffIds"], OTHER_BASE, outcome),
        )
    ),
    *RULE_PAIRS,
    excusing("id", "W-1", "W-2", words),
    excusing("reason", "one", "other", words),
    excusing("owner", "one", "other", words),
    excusing("approvedBy", "one", "other", words),
    excusing("expires", "2026-03-01", "2026-02-28"),
    excusing("images", "registry.example/shop/**", "registry.example/other/**"),
    excusing("match", MATCH, {**MATCH, "vulnerability": "CVE-2026-2"}),
    Pair(
        key="spec.waivers[].check",
        place="spec.waivers.0.check",
        spec={
            "image": {"ports": {"deny": ["22/tcp"]}},
            "waivers": [waiver(check="image-config", match={"code": "IMG_PORT"}, expires="2026-03-31")],
        },
        left="image-config",
        right="image-user",
        evidence=PORT,
    ),
    matching("vulnerability", "vulnerability", MATCH, "CVE-2026-2", VULN, one("trivy")),
    matching("package", "vulnerability", MATCH, "pkg:deb/debian/libc", VULN, one("trivy")),
    matching("versions", "vulnerability", MATCH, "< 2", VULN, one("trivy")),
    matching("fingerprint", "secret", {"fingerprint": "a" * 16}, "b" * 16, {"secrets": {}}, secret()),
    matching("rule", "rules", {"rule": "rule"}, "other", RULE, {}),
    matching(
        "code", "image-config", {"code": "IMG_PORT"}, "IMG_LABEL", {"image": {"ports": {"deny": ["22/tcp"]}}}, PORT
    ),
    matching(
        "location",
        "image-config",
        {"code": "IMG_PORT", "location": "22/tcp"},
        "23/tcp",
        {"image": {"ports": {"deny": ["22/tcp"]}}},
        PORT,
    ),
    limit("layers", 2, 1),
    limit("uncompressedBytes", 12 << 20, 9 << 20),
    limit("entries", 2, 1),
    limit("ratio", 10_000, 10, ratioWindowBytes=1 << 20),
    limit("ratioWindowBytes", 64 << 20, 1 << 20, ratio=10),
    limit("secondsPerGib", 60, 1, numbers),
    attest("verifierId", "https://a.example/ci", "https://b.example/ci"),
    attest("maxAge", "7d", "8d"),
    attest("environments", ["staging"], ["production"]),
    attest("evidencePredicateType", "https://a.example/evidence/v1", "https://b.example/evidence/v1"),
    attest("extensionPrefix", "https://a.example/vsa/", "https://b.example/vsa/"),
    *(Pair(**fields) for fields in identity_pairs(MISSING)),
    *ATTESTATION_PAIRS,
)
