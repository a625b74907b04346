"""No key of the policy is ignored: for each, two documents that differ in it alone come to different ends (attack P02).

What a key changes is what it is for: the verdict, what is signed, or whether the policy loads at all. A key without a pair
fails the last test.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.codec.policy_keys import POLICY_KEYS
from gate.codec.policy_yaml import check_policy_dates
from gate.codec.rule_facts import rule_facts
from gate.codec.strict_json import Fault
from gate.codec.threat_data import parse_epss, parse_kev
from gate.codec.values import encode_value
from gate.collectors.rules import evaluate_rules
from gate.decide import decide
from gate.errors import GateError, PolicyError
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet, ThreatData
from gate.model.image import ImageConfig
from gate.model.policy import Policy
from gate.model.verdict import Verdict
from gate.pipeline.options import AdHoc
from gate.pipeline.policies import load_policy
from gate.pipeline.statements import sign_verdict
from tests.support.cases import FIXTURES, laid_over
from tests.support.evidence import DIFF_IDS, good_evidence, index_evidence
from tests.support.identity_pairs import identity_pairs
from tests.support.layers import GZIP, descriptor, read_blobs
from tests.support.policies import FILES, KEY_PEM, OTHER_PEM, MemoryFiles, as_bytes, policy, policy_document, waiver
from tests.support.signing import GATE, NOW, REPOSITORY
from tools.images.archive import gzip

RSA_PEM: Final = (
    rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
DATA: Final = FIXTURES / "vulnerability"
FOLDER: Final = MemoryFiles(
    {
        **FILES.content,
        "keys/rsa.pub": RSA_PEM,
        "kev.json": (DATA / "kev.json").read_bytes(),
        "other-exploited.json": (DATA / "kev.json").read_bytes().replace(b"CVE-2026-0666", b"CVE-2026-0667"),
        "epss.csv": (DATA / "epss.csv").read_bytes(),
        "unlikely.csv": (DATA / "epss.csv").read_bytes().replace(b"0.6,", b"0.1,"),
        "vex.json": (DATA / "not-affected.openvex.json").read_bytes(),
        "other-vex.json": (DATA / "not-affected.openvex.json").read_bytes().replace(b"CVE-2026-1", b"CVE-2026-2"),
    }
)
MISSING: Final = object()
Document = dict[str, Any]


# What a document comes to


def load(document: Document) -> object:
    """Give `loads`, or the code with which it is refused."""
    try:
        check_policy_dates(policy(document, FOLDER), NOW)
    except GateError as error:
        return error.code
    return "loads"


def judge(document: Document, evidence: EvidenceSet) -> Verdict:
    loaded = policy(document, FOLDER)
    subjects = tuple(
        replace(subject, rules=evaluate_rules(loaded.rules, facts(evidence, position)) if loaded.rules else None)
        for position, subject in enumerate(evidence.subjects)
    )
    return decide(replace(evidence, subjects=subjects, threat_data=threats(loaded)), loaded, NOW)


def facts(evidence: EvidenceSet, position: int) -> dict[str, Any]:
    subject = evidence.subjects[position]
    assert isinstance(subject.config, ImageConfig)
    return rule_facts(subject=subject.subject, repository=REPOSITORY, config=subject.config)


def threats(loaded: Policy) -> ThreatData:
    data, fault = ThreatData(), Fault(PolicyError, "POL_FILE", "a data file")
    if loaded.kev_file is not None:
        kev = parse_kev(FOLDER.read(loaded.kev_file[0]), fault)
        data = replace(data, kev=kev.cves, kev_digest=loaded.kev_file[1])
    if loaded.epss_file is not None:
        epss = parse_epss(FOLDER.read(loaded.epss_file[0]), fault)
        data = replace(data, epss=epss.scores, epss_digest=loaded.epss_file[1])
    return data


def outcome(document: Document, evidence: EvidenceSet) -> object:
    """Give the decision with every check's outcome and codes; a document that does not load has its code."""
    made = load(document)
    if made != "loads":
        return made
    verdict = judge(document, evidence)
    return verdict.decision, [(check.id, check.outcome, check.codes) for check in verdict.checks]


def words(document: Document, evidence: EvidenceSet) -> object:
    """Give what is written of waivers and problems in the record."""
    verdict = judge(document, evidence)
    return encode_value(verdict.waivers), encode_value([check.problems for check in verdict.checks])


def accepted(document: Document, evidence: EvidenceSet) -> object:
    """Give what is written of accepted secrets."""
    return encode_value(judge(document, evidence).secrets)


def statement(document: Document, evidence: EvidenceSet) -> object:
    """Give what is signed, without the digest of the policy, which any byte changes."""
    loaded = policy(document, FOLDER)
    verdict = decide(evidence, replace(loaded, digest=Digest.of(b"policy")), NOW)
    made = sign_verdict(verdict, REPOSITORY, loaded.attest, signer=GATE, started=NOW, finished=NOW)
    return made.summary.envelope.payload.replace(made.evidence.envelope.payload, b""), made.publications[
        0
    ].predicate_type


def described(document: Document, _: EvidenceSet) -> object:
    """Give what people are told the policy is for; it decides nothing."""
    return policy(document, FOLDER).description


def limits(document: Document, _: EvidenceSet) -> object:
    """Give whether two layers of 5 MiB of zeros, each compressed to nothing, can be read within the limits."""
    loaded = policy(document, FOLDER)
    blob = b"".join((b"zeros".ljust(100, b"\0"), b"0000644\0", b"0000000\0" * 2, b"00024000000\0", b"00000000000\0"))
    header = blob.ljust(148, b"\0") + b" " * 8 + b"0" + b"\0" * 100 + b"ustar\x0000"
    header = header.ljust(512, b"\0")
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    tar = header + bytes(5 << 20) + bytes(1024)
    return limited(loaded, tar)


def limited(loaded: Policy, tar: bytes) -> object:
    blob = gzip(tar)
    try:
        read_blobs([(descriptor(blob, GZIP), blob)] * 2, [Digest.of(tar)] * 2, limits=loaded.limits)
    except GateError as error:
        return error.code, error.message
    return "read"


def numbers(document: Document, _: EvidenceSet) -> object:
    """Give the limits that the reader of layers is given; its own tests show that it keeps to them."""
    return policy(document, FOLDER).limits


Effect = Callable[[Document, EvidenceSet], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two documents that differ in one key, given as changes to one spec; MISSING takes the key away."""

    key: str
    place: str
    spec: Document
    left: Any
    right: Any
    effect: Effect = outcome
    evidence: Document = field(default_factory=dict)
    base: EvidenceSet = field(default_factory=good_evidence)

    def documents(self) -> tuple[Document, Document]:
        """Give the two documents."""
        return self._with(self.left), self._with(self.right)

    def _with(self, value: Any) -> Document:  # noqa: ANN401 - any YAML
        document = policy_document(**self.spec)
        *path, last = re.findall(r"[^.\[\]]+", self.place)
        at: Any = document
        for step in path:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if value is MISSING:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
        return document


def one(tool: str, name: str = "CVE-2026-1", severity: str = "high", **more: Any) -> Document:  # noqa: ANN401
    """Give changes to the evidence: one finding of one scanner."""
    finding = {"id": name, "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64", "severity": severity, **more}
    return {"subjects": {0: {tool: {"findings": [finding]}}}}


def secret(**more: Any) -> Document:  # noqa: ANN401
    found = {"rule": "aws", "title": "AWS key", "place": "file", "location": "a", "fingerprint": "a" * 16, **more}
    return {"subjects": {0: {"secrets": {"findings": [found]}}}}


VULN: Final[Document] = {"vulnerabilities": {}}
IMAGE_ANY: Final[Document] = {"image": {"user": "any"}}
SIGNED: Final[Document] = {"signature": [{"images": "**", "anyOf": [{"key": {"file": "keys/a.pub"}}]}]}
RULE: Final[Document] = {
    "image": {"user": "any"},
    "rules": [{"id": "rule", "cel": "size(image.config.entrypoint) > 9", "message": "m"}],
}
ALLOWED: Final[Document] = {
    "secrets": {"allow": [{"fingerprint": "a" * 16, "reason": "r", "owner": "o", "expires": "2026-12-31"}]}
}
MATCH: Final[Document] = {"vulnerability": "CVE-2026-1", "package": "pkg:deb/debian/libc6", "versions": "< 3"}
WAIVED: Final[Document] = {"vulnerabilities": {}, "waivers": [waiver(match=MATCH, expires="2026-03-31")]}
PORT: Final[Document] = {"subjects": {0: {"config": {"exposed_ports": ["22/tcp"]}}}}


def vulnerabilities(key: str, left: Any, right: Any, evidence: Document, **spec: Any) -> Pair:  # noqa: ANN401
    return Pair(
        key=f"spec.vulnerabilities.{key}",
        place=f"spec.vulnerabilities.{key}",
        spec={"vulnerabilities": spec},
        left=left,
        right=right,
        evidence=evidence,
    )


def image(key: str, left: Any, right: Any, evidence: Document) -> Pair:  # noqa: ANN401
    place = f"spec.image.{key}"
    return Pair(key=place, place=place, spec={"image": {"user": "any"}}, left=left, right=right, evidence=evidence)


def excusing(key: str, left: Any, right: Any, effect: Effect = outcome) -> Pair:  # noqa: ANN401
    evidence = one("trivy")
    key, place = f"spec.waivers[].{key}", f"spec.waivers.0.{key}"
    return Pair(key=key, place=place, spec=WAIVED, left=left, right=right, effect=effect, evidence=evidence)


def matching(key: str, check: str, match: Document, other: str, spec: Document, evidence: Document) -> Pair:
    whole = waiver(check=check, match=match, expires="2026-03-31")
    place = f"spec.waivers.0.match.{key}"
    return Pair(
        key=f"spec.waivers[].match.{key}",
        place=place,
        spec={**spec, "waivers": [whole]},
        left=match[key],
        right=other,
        evidence=evidence,
    )


def attest(key: str, left: Any, right: Any) -> Pair:  # noqa: ANN401
    place = f"spec.attest.{key}"
    return Pair(key=place, place=place, spec=IMAGE_ANY, left=left, right=right, effect=statement)


def head(place: str, left: Any, right: Any, effect: Effect = outcome) -> Pair:  # noqa: ANN401
    return Pair(key=place, place=place, spec=VULN, left=left, right=right, effect=effect)


def limit(key: str, left: float, right: float, effect: Effect = limits, **others: int) -> Pair:
    place = f"spec.limits.{key}"
    return Pair(key=place, place=place, spec={**VULN, "limits": others}, left=left, right=right, effect=effect)


def section(key: str, value: Any, evidence: Document | None = None) -> Pair:  # noqa: ANN401
    """Give the pair that has the section, and does not have it."""
    spec = {"references": {"registries": ["**"]}} if key != "references" else IMAGE_ANY
    place = f"spec.{key}"
    return Pair(key=place, place=place, spec=spec, left=MISSING, right=value, evidence=evidence or {})


def signing_key(key: str, left: Any, right: Any, effect: Effect = outcome, **others: Any) -> Pair:  # noqa: ANN401
    spec = {"signature": [{"images": "**", "anyOf": [{"key": others}]}]}
    return Pair(
        key=f"key.{key}", place=f"spec.signature.0.anyOf.0.key.{key}", spec=spec, left=left, right=right, effect=effect
    )


def parsed_signers(document: Document, _: EvidenceSet) -> object:
    return policy(document, FOLDER).signature


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
    vulnerabilities("kevData", MISSING, {"file": "kev.json"}, one("trivy", "CVE-2026-0666", "low")),
    vulnerabilities(
        "epss",
        MISSING,
        {"failAbove": 0.5, "data": {"file": "epss.csv"}},
        one("trivy", "CVE-2026-0666", "low"),
    ),
    vulnerabilities(
        "epss.failAbove",
        0.5,
        0.7,
        one("trivy", "CVE-2026-0666", "low"),
        epss={"data": {"file": "epss.csv"}},
    ),
    vulnerabilities(
        "epss.data",
        {"file": "epss.csv"},
        {"file": "unlikely.csv"},
        one("trivy", "CVE-2026-0666", "low"),
        epss={"failAbove": 0.5},
    ),
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
    Pair(
        key="spec.secrets.allow",
        place="spec.secrets.allow",
        spec={"secrets": {}},
        left=MISSING,
        right=ALLOWED["secrets"]["allow"],
        evidence=secret(),
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
    *(
        Pair(key=f"spec.rules[].{key}", place=f"spec.rules.0.{key}", spec=RULE, left=left, right=right, effect=effect)
        for key, left, right, effect in (
            ("id", "rule", "other", words),
            ("cel", "size(image.config.entrypoint) > 0", "size(image.config.entrypoint) > 9", outcome),
            ("message", "one", "other", words),
        )
    ),
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
)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.key for pair in PAIRS])
def test_the_key_alone_turns_what_the_policy_comes_to(pair: Pair) -> None:
    left, right = pair.documents()
    place = pair.place.split(".")
    assert left != right
    assert all(path[: len(place)] == place for path in differences(left, right, []))
    evidence = laid_over(pair.base, pair.evidence, DATA)
    first, second = pair.effect(left, evidence), pair.effect(right, evidence)
    assert first != second
    assert pair.effect(left, evidence) == first, "the effect does not depend on the document alone"


def differences(left: Any, right: Any, path: list[str]) -> Iterator[list[str]]:  # noqa: ANN401 - any YAML
    """Give the paths at which two documents differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from differences(left.get(key, MISSING), right.get(key, MISSING), [*path, str(key)])
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for position, (one_, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one_, other, [*path, str(position)])
    elif left != right:
        yield path


def test_a_demanded_timestamp_that_nobody_can_give_stops_the_signing(tmp_path: Path) -> None:
    obstacles = []
    for demanded in ("false", "true"):
        place = tmp_path / f"{demanded}.yaml"
        place.write_bytes(as_bytes(policy_document(**IMAGE_ANY, attest={"requireTimestamp": demanded == "true"})))
        obstacles.append(load_policy(place, AdHoc(), NOW).obstacle)
    assert obstacles[0] == ""
    assert "timestamp" in obstacles[1]


# Shown by the test above this line, because it stops the signing and changes nothing that could be signed.
ELSEWHERE: Final = frozenset({"spec.attest.requireTimestamp"})


def test_every_key_of_the_policy_has_a_pair() -> None:
    keys = {f"{section}.{key}" if section else key for section, names in POLICY_KEYS.items() for key in names}
    assert keys == {pair.key for pair in PAIRS} | ELSEWHERE
