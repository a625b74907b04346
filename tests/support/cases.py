"""Cases of a check from its folder of fixtures: one YAML file, one case, and for each refusal a twin that passes.

Keys of a file, and the language of its overlays: `fixtures/checks/README.md`. The policy goes through the real parser, the
evidence through the converter that reads kept evidence: a case cannot say what a user or a collector could not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from gate.clock import Deadline
from gate.codec.policy.document import parse_policy
from gate.codec.purl import package_key
from gate.codec.strict_json import Fault
from gate.codec.threat_data import parse_epss, parse_kev
from gate.codec.values import decode_value, encode_value
from gate.decide import decide
from gate.errors import PolicyError
from gate.model.attachment import Attachment, Attachments
from gate.model.decision import Outcome
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet, ThreatData
from gate.model.policy import Policy
from gate.model.verdict import CheckResult, Verdict
from gate.pipeline.collect.documents import validate_documents
from tests.support.evidence import good_evidence, index_evidence
from tests.support.policies import FILES, MemoryFiles, as_bytes, policy_document
from tests.support.signing import (
    FAIL_KEY,
    GATE,
    IMAGE,
    NOW,
    STRANGER,
    attached,
    bundle_attachment,
    image_bundle,
    image_tag_layer,
    signed,
    verdict,
)
from tests.support.sources import ROOT

FIXTURES: Final = ROOT / "fixtures" / "checks"
_SIGNERS: Final = {"gate": GATE, "stranger": STRANGER, "fail": FAIL_KEY}
_KEYS: Final = frozenset(
    {"about", "attacks", "base", "policy", "evidence", "now", "expect", "twin", "twinPolicy", "twinNow", "contains"}
)
_CODE = re.compile(r'"((?:ATT|ID|IMG|PROV|SCAN|VULN|SECRET|RULE|REF|SIG|POL)_[A-Z_]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a check must answer: outcome, codes (sorted, each once), and words that its problems must hold."""

    outcome: Outcome
    codes: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One file of fixtures."""

    check: str
    name: str
    folder: Path
    content: dict[str, Any]

    @property
    def expected(self) -> Expected:
        """Return what the check must answer to the spoilt evidence."""
        wanted = self.content["expect"]
        return Expected(
            outcome=Outcome(wanted["outcome"]),
            codes=tuple(wanted.get("codes", ())),
            contains=tuple(self.content.get("contains", ())),
        )

    @property
    def has_twin(self) -> bool:
        """Say whether something differs in the twin."""
        evidence = self.content.get("evidence", {}) != self.content.get("twin", {})
        return evidence or "twinPolicy" in self.content or "twinNow" in self.content

    def judge(self) -> CheckResult:
        """Return the check's answer to the case."""
        return check_of(self.verdict(), self.check)

    def judge_twin(self) -> CheckResult:
        """Return the check's answer to the twin."""
        return check_of(self.twin_verdict(), self.check)

    def verdict(self) -> Verdict:
        """Return the whole verdict on the case."""
        return self._judge(self.content["policy"], self.content.get("evidence", {}), self.content.get("now", NOW))

    def twin_verdict(self) -> Verdict:
        """Return the whole verdict on the twin, which differs in the attacked field alone."""
        policy = self.content.get("twinPolicy", self.content["policy"])
        changed = "twinPolicy" in self.content or "twinNow" in self.content
        evidence = self.content.get("twin", self.content.get("evidence", {}) if changed else {})
        return self._judge(policy, evidence, self.content.get("twinNow", self.content.get("now", NOW)))

    def _judge(self, spec: dict[str, Any], overlay: dict[str, Any], now: datetime) -> Verdict:
        policy = self._policy(spec)
        evidence = overridden(self._base(policy), overlay, self.folder)
        return decide(with_documents(evidence, policy, now), policy, now)

    def _policy(self, spec: dict[str, Any]) -> Policy:
        return parse_policy(
            as_bytes(policy_document(**_plain(_expanded(spec, "", self.folder)))), name=self.name, files=self._files()
        )

    def _files(self) -> MemoryFiles:
        beside = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.suffix != ".yaml"}
        return MemoryFiles({**FILES.content, **beside})

    def _base(self, policy: Policy) -> EvidenceSet:
        base = index_evidence() if self.content.get("base") == "index" else good_evidence()
        return replace(base, threat_data=_threat_data(policy, self._files()))


def with_documents(evidence: EvidenceSet, policy: Policy, now: datetime) -> EvidenceSet:
    """Return the evidence with what the real child answers about the documents that the policy demands."""
    deadline = Deadline.after(timedelta(minutes=5))
    return replace(evidence, documents=validate_documents(evidence.attachments, policy, now, deadline))


def cases_of(check: str) -> list[Case]:
    """Return the cases in a check's folder, sorted by name."""
    folder = FIXTURES / check
    cases = []
    for path in sorted(folder.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert content.keys() <= _KEYS, f"{path.name}: {content.keys() - _KEYS}"
        cases.append(Case(check, path.stem, folder, content))
    return cases


def assert_case(case: Case) -> None:
    """Demand the expected answer of the case, and of a refusal's twin that it passes."""
    expected, result = case.expected, case.judge()
    assert (result.outcome, result.codes) == (expected.outcome, expected.codes), result
    told = " ".join(f"{problem.message} {problem.expected} {problem.seen}" for problem in result.problems)
    for word in expected.contains:
        assert word in f"{told} {result.message}"
    if expected.outcome in {Outcome.FAIL, Outcome.ERROR}:
        assert case.judge_twin().outcome is Outcome.PASS, "the twin does not pass"
        assert case.has_twin, "nothing differs between the case and its twin"


def codes_of(cases: list[Case]) -> frozenset[str]:
    """Return the codes that the cases of a check assert."""
    return frozenset(code for case in cases for code in case.expected.codes)


def codes_written_in(*files: str) -> frozenset[str]:
    """Return the reason codes that stand in source files, so that a new one without a case is noticed."""
    return frozenset(code for name in files for code in _CODE.findall((ROOT / name).read_text(encoding="utf-8")))


def check_of(made: Verdict, check: str) -> CheckResult:
    """Return one check's answer."""
    return next(result for result in made.checks if result.id == check)


def overridden(base: EvidenceSet, overlay: dict[str, Any], folder: Path = FIXTURES) -> EvidenceSet:
    """Return the evidence with an overlay's changes."""
    if not overlay:
        return base
    plain = json.loads(encode_value(base))
    changed = _merged(plain, _plain(_expanded(overlay, "", folder)))
    return decode_value(EvidenceSet, json.dumps(changed).encode())


def _merged(base: Any, change: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(change, dict):
        return change
    if "replace" in change:
        return change["replace"]
    if isinstance(base, list):
        return _merged_list(base, change)
    if not isinstance(base, dict):
        return change
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}


def _merged_list(base: list[Any], change: dict[str, Any]) -> list[Any]:
    items = [*base, *change.pop("append", [])]
    for position, value in change.items():
        items[int(position)] = _merged(items[int(position)], value)
    return items


def _expanded(value: Any, key: str, folder: Path) -> Any:  # noqa: ANN401 - any YAML
    """Write out what fixtures may say in short: digests by name, findings by purl, signatures by signer."""
    if isinstance(value, str) and value.startswith("digest:"):
        return str(Digest.of(value.removeprefix("digest:").encode()))
    if isinstance(value, list):
        return [_expanded(item, key, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if "signed" in value:
        return {"replace": json.loads(encode_value(_attachments(value["signed"], folder)))}
    expanded = {
        name: _expanded(item, name if name in {"trivy", "grype"} else key, folder) for name, item in value.items()
    }
    return _finding(expanded, key) if "purl" in value and "id" in value else expanded


def _finding(short: dict[str, Any], tool: str) -> dict[str, Any]:
    key = package_key(short["purl"], path=short.pop("path", ""))
    purl = short.pop("purl")
    package = {"key": json.loads(encode_value(key)), "name": key.name, "version": key.version, "purl": purl}
    return {"tool": tool, "package": package, **short}


def _attachments(items: list[dict[str, Any]], folder: Path) -> Attachments:
    return attached(*(_attachment(item, folder) for item in items))


def _attachment(item: dict[str, Any], folder: Path) -> Attachment:
    signer = _SIGNERS[item.get("by", "gate")]
    digest = Digest.of(item["about"].encode()) if "about" in item else IMAGE
    match item["form"]:
        case "bundle":
            return image_bundle(signer, digest, item.get("annotations"))
        case "tag":
            return image_tag_layer(signer, digest, item.get("annotations"))
        case "verdict":
            return verdict(signer=signer)
        case "vex":
            return signed(_vex_statement(digest, (folder / item["file"]).read_bytes()), signer)
        case "statement":
            return signed(_statement(digest, item["type"], item["predicate"]), signer)
        case "garbage":
            return bundle_attachment(b"{}")
        case form:
            raise AssertionError(f"no attachment of the form {form}")


def _vex_statement(image: Digest, document: bytes) -> bytes:
    return _statement(image, "https://openvex.dev/ns/v0.2.0", json.loads(document))


def _statement(image: Digest, predicate_type: str, predicate: object) -> bytes:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "image", "digest": {"sha256": image.hex}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return json.dumps(statement).encode()


def _threat_data(policy: Policy, files: MemoryFiles) -> ThreatData:
    data = ThreatData()
    if policy.kev_file is not None:
        kev = parse_kev(files.read(policy.kev_file[0]), Fault(PolicyError, "POL_FILE", "the catalogue"))
        data = replace(data, kev=kev.cves, kev_digest=policy.kev_file[1], kev_date=kev.released)
    if policy.epss_file is not None:
        epss = parse_epss(files.read(policy.epss_file[0]), Fault(PolicyError, "POL_FILE", "the scores"))
        data = replace(data, epss=epss.scores, epss_digest=policy.epss_file[1], epss_date=epss.date)
    return data


def _plain(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """Return YAML's times as the texts that the policy and the kept evidence write."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {str(key): _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
