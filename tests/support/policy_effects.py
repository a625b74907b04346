"""What a policy document comes to: whether it loads, what is decided under it, what is signed or recorded.

One function for each thing that a key can change; `tests/support/policy_pairs.py` says which key changes which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.codec.policy.document import require_policy_dates
from gate.codec.rule_facts import rule_facts
from gate.codec.strict_json import Fault
from gate.codec.threat_data import parse_epss, parse_kev
from gate.codec.values import encode_value
from gate.decide import decide
from gate.errors import GateError, PolicyError
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet, ThreatData
from gate.model.image_config import ImageConfig
from gate.model.policy import Policy
from gate.model.verdict import Verdict
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.pipeline.issue.statements import sign_verdict
from gate.pipeline.refs_policy import judge_references
from gate.sandbox.rules import evaluate_rules
from gate.sources.dockerfile import read_dockerfile
from gate.sources.text import SourceText
from tests.support.cases import FIXTURES, with_documents
from tests.support.layers import GZIP, descriptor, read_blobs
from tests.support.policies import FILES, MemoryFiles, policy
from tests.support.signing import GATE, NOW, REPOSITORY
from tools.images.archive import gzip

RSA_PEM: Final = (
    rsa.generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
DATA: Final = FIXTURES / "vulnerability"
SECRET_RULES: Final = b"""apiVersion: gate/v1
kind: SecretRules
metadata: {name: own, description: Tokens of our own}
spec:
  rules:
    - id: own-token
      title: Our own token
      pattern: '\\b(own_[0-9a-f]{16})\\b'
      severity: high
      prefix: own_
      examples: {match: ['key=own_{{hex:16}}'], noMatch: ['own_{{hex:15}}']}
      source: https://docs.example.com/tokens
"""
FOLDER: Final = MemoryFiles(
    {
        **FILES.content,
        "keys/rsa.pub": RSA_PEM,
        "kev.json": (DATA / "kev.json").read_bytes(),
        "other-exploited.json": (DATA / "kev.json").read_bytes().replace(b"CVE-2026-0666", b"CVE-2026-0667"),
        "epss.csv": (DATA / "epss.csv").read_bytes(),
        "unlikely.csv": (DATA / "epss.csv").read_bytes().replace(b"0.6,", b"0.1,"),
        "rules/own.yaml": SECRET_RULES,
        "vex.json": (DATA / "not-affected.openvex.json").read_bytes(),
        "other-vex.json": (DATA / "not-affected.openvex.json").read_bytes().replace(b"CVE-2026-1", b"CVE-2026-2"),
    }
)
MISSING: Final = object()
Document = dict[str, Any]


# What a document comes to


def load(document: Document) -> object:
    """Return `loads`, or the code with which it is refused."""
    try:
        require_policy_dates(policy(document, FOLDER), NOW)
    except GateError as error:
        return error.code
    return "loads"


def judge(document: Document, evidence: EvidenceSet) -> Verdict:
    loaded = policy(document, FOLDER)
    subjects = tuple(
        replace(subject, rules=evaluate_rules(loaded.rules, facts(evidence, position)) if loaded.rules else None)
        for position, subject in enumerate(evidence.subjects)
    )
    gathered = replace(evidence, subjects=subjects, threat_data=threats(loaded))
    return decide(with_documents(gathered, loaded, NOW), loaded, NOW)


def facts(evidence: EvidenceSet, position: int) -> dict[str, Any]:
    subject = evidence.subjects[position]
    assert isinstance(subject.config, ImageConfig)
    return rule_facts(subject=subject.subject, repository=REPOSITORY, config=subject.config)


def threats(loaded: Policy) -> ThreatData:
    data, fault = ThreatData(), Fault(PolicyError, "POL_FILE", "a data file")
    if loaded.kev_file is not None:
        kev = parse_kev(FOLDER.read(loaded.kev_file[0]), fault)
        data = replace(data, kev=kev.cves, kev_digest=loaded.kev_file[1], kev_date=kev.released)
    if loaded.epss_file is not None:
        epss = parse_epss(FOLDER.read(loaded.epss_file[0]), fault)
        data = replace(data, epss=epss.scores, epss_digest=loaded.epss_file[1], epss_date=epss.date)
    return data


def outcome(document: Document, evidence: EvidenceSet) -> object:
    """Return the decision with every check's outcome and codes; a document that does not load has its code."""
    made = load(document)
    if made != "loads":
        return made
    verdict = judge(document, evidence)
    return verdict.decision, [(check.id, check.outcome, check.codes) for check in verdict.checks]


def refused_references(document: Document, _evidence: EvidenceSet) -> object:
    """Return how a Dockerfile of one image stands under the policy, with the reasons and notes."""
    source = SourceText("deploy/Dockerfile", b"FROM alpine:3.20")
    read_dockerfile(source)
    judged, notes = judge_references(source.found, policy(document, FOLDER), NOW.date())
    return [(item.code, item.note) for item in judged], notes


def words(document: Document, evidence: EvidenceSet) -> object:
    """Return what is written of waivers and problems in the record."""
    verdict = judge(document, evidence)
    return encode_value(verdict.waivers), encode_value([check.problems for check in verdict.checks])


def accepted(document: Document, evidence: EvidenceSet) -> object:
    """Return what is written of accepted secrets."""
    return encode_value(judge(document, evidence).secrets)


def notes(document: Document, evidence: EvidenceSet) -> object:
    """Return what is noted beside the checks' answers."""
    return judge(document, evidence).notes


def searched(document: Document, _: EvidenceSet) -> object:
    """Return the rules that secrets are searched with."""
    wanted = policy(document, FOLDER).secrets
    return [rule.id for rule in load_rule_set(wanted.rules if wanted is not None else (), None).rules]


def statement(document: Document, evidence: EvidenceSet) -> object:
    """Return what is signed, without the digest of the policy, which any byte changes."""
    loaded = policy(document, FOLDER)
    verdict = decide(with_documents(evidence, loaded, NOW), replace(loaded, digest=Digest.of(b"policy")), NOW)
    made = sign_verdict(verdict, REPOSITORY, loaded.attest, signer=GATE, started=NOW, finished=NOW)
    return made.summary.envelope.payload.replace(made.evidence.envelope.payload, b""), made.publications[
        0
    ].predicate_type


def described(document: Document, _: EvidenceSet) -> object:
    """Return what people are told the policy is for; it decides nothing."""
    return policy(document, FOLDER).description


def limits(document: Document, _: EvidenceSet) -> object:
    """Return whether two layers of 5 MiB of zeros, each compressed to nothing, can be read within the limits."""
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
    """Return the limits that the reader of layers is given; its own tests show that it keeps to them."""
    return policy(document, FOLDER).limits


Effect = Callable[[Document, EvidenceSet], object]
