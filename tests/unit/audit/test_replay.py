"""A recorded verdict is decided again from what was kept: the same, under another policy, by other keys, at another time."""

from __future__ import annotations

import gzip
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.audit.replay import read_collected, replay
from gate.codec.values import encode_value
from gate.errors import StorageError
from gate.model.decision import Decision, Outcome
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet, SecretEvidence, Unavailable
from gate.model.finding import SecretFinding, SecretPlace, Tool
from gate.model.image_config import ImageConfig
from gate.model.policy import SecretRuleFile, SecretsPolicy
from gate.model.severity import Severity
from gate.model.string_map import StringMap
from gate.model.verdict import Verdict
from gate.pipeline.issue.recording import evidence_of, record_verdict
from gate.pipeline.options import AdHoc
from gate.pipeline.policies import load_policy
from gate.store.evidence_folder import EvidenceFolder
from tests.support.evidence import FULL_SPEC, found, good_evidence, index_evidence, scan
from tests.support.policies import KEY_A, KEY_B
from tests.support.recorded import Recorder, minute, recorder, written_policy
from tests.support.signing import NOW

B = Digest.of(b"other")
VULNERABILITIES = {"vulnerabilities": {"failOn": "high"}}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Recorder]:
    with recorder(tmp_path) as opened:
        yield opened


def outcomes(verdict: Verdict) -> dict[str, Outcome]:
    return {check.id: check.outcome for check in verdict.checks if check.outcome is not Outcome.DISABLED}


def codes(verdict: Verdict, check: str) -> tuple[str, ...]:
    return next(found.codes for found in verdict.checks if found.id == check)


def with_findings(*names: str) -> EvidenceSet:
    evidence = good_evidence()
    (subject,) = evidence.subjects
    trivy, grype = (scan(tool, subject, *(found(tool, name) for name in names)) for tool in (Tool.TRIVY, Tool.GRYPE))
    return replace(evidence, subjects=(replace(subject, trivy=trivy, grype=grype),))


def with_config(evidence: EvidenceSet, secrets: SecretEvidence | None, **changes: Any) -> EvidenceSet:  # noqa: ANN401
    (subject,) = evidence.subjects
    assert isinstance(subject.config, ImageConfig)
    return replace(evidence, subjects=(replace(subject, config=replace(subject.config, **changes), secrets=secrets),))


def secret(place: SecretPlace, location: str) -> SecretEvidence:
    one = SecretFinding(rule="github-token", title="a token", place=place, location=location, fingerprint="0" * 16)
    return SecretEvidence(findings=(one,))


@pytest.mark.parametrize("evidence", [good_evidence(), index_evidence(), with_findings("CVE-2026-1", "CVE-2026-2")])
def test_the_same_policy_gives_the_same_bytes_without_network_scanners_or_files(
    evidence: EvidenceSet, kept: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = written_policy(tmp_path / "policy")
    row, verdict = kept.decided(loaded, evidence, environments=("production", "a"))
    for name in ("socket", "create_connection"):
        monkeypatch.setattr(socket, name, None)
    monkeypatch.setattr(subprocess, "Popen", None)
    shutil.rmtree(tmp_path / "policy")
    # Another process, which has nothing but the record.
    with recorder(tmp_path) as other:
        again = replay(other.record, row, minute())
    assert again.same_question
    assert again.identical
    assert encode_value(again.verdict) == encode_value(verdict)


def test_another_policy_decides_on_the_same_evidence(kept: Recorder, tmp_path: Path) -> None:
    row, verdict = kept.decided(written_policy(tmp_path / "one", **VULNERABILITIES), with_findings("CVE-2026-1"))
    assert verdict.decision is Decision.REFUSED
    loose = written_policy(tmp_path / "two", vulnerabilities={"failOn": "critical"})
    again = replay(kept.record, row, minute(), loaded=loose)
    assert (again.verdict.decision, again.changed, again.identical, again.same_question) == (
        Decision.PASSED, True, False, False,
    )  # fmt: skip


def test_other_keys_judge_the_kept_attachments(kept: Recorder, tmp_path: Path) -> None:
    asked = {"signature": [{"images": "**", "anyOf": [{"key": KEY_A}]}]}
    row, verdict = kept.decided(written_policy(tmp_path / "one", **asked))
    assert verdict.decision is Decision.PASSED
    asked["signature"][0]["anyOf"] = [{"key": KEY_B}]
    again = replay(kept.record, row, minute(), loaded=written_policy(tmp_path / "two", **asked))
    assert (again.verdict.decision, codes(again.verdict, "signature")) == (Decision.REFUSED, ("SIG_INVALID",))


def test_another_time_is_another_question(kept: Recorder, tmp_path: Path) -> None:
    row, _ = kept.decided(written_policy(tmp_path / "policy", image={"user": "any", "maxAge": "10d"}))
    late = replay(kept.record, row, minute(), at=NOW + timedelta(days=30))
    assert codes(late.verdict, "image-age") == ("IMG_TOO_OLD",)
    assert not late.same_question
    assert replay(kept.record, row, minute(), at=NOW).identical


def test_own_rules_are_answered_again_under_another_policy(kept: Recorder, tmp_path: Path) -> None:
    row, verdict = kept.decided(written_policy(tmp_path / "one"))
    assert outcomes(verdict)["rules"] is Outcome.PASS
    rule = {"id": "no-entrypoint", "cel": "size(image.config.entrypoint) == 0", "message": "no entrypoint"}
    other = written_policy(tmp_path / "two", **{**FULL_SPEC, "rules": [rule]})
    assert outcomes(replay(kept.record, row, minute(), loaded=other).verdict)["rules"] is Outcome.FAIL


NARROW = {
    "signature": ({"image": {"user": "any"}}, {"signature": FULL_SPEC["signature"]}),
    "vulnerability": ({"image": {"user": "any"}}, VULNERABILITIES),
    "secret": ({"image": {"user": "any"}}, {"secrets": {}}),
}


@pytest.mark.parametrize("check", NARROW)
def test_what_a_narrower_policy_did_not_collect_is_no_pass(check: str, kept: Recorder, tmp_path: Path) -> None:
    narrow, wide = NARROW[check]
    evidence = good_evidence()
    (subject,) = evidence.subjects
    bare = replace(subject, layers=None, trivy=None, grype=None, secrets=None)
    row, _ = kept.decided(
        written_policy(tmp_path / "one", **narrow), replace(evidence, attachments=None, subjects=(bare,))
    )
    again = replay(kept.record, row, minute(), loaded=written_policy(tmp_path / "two", **wide))
    assert again.verdict.decision is Decision.ERROR
    assert codes(again.verdict, check) == ("EVIDENCE_NOT_COLLECTED",)
    # The twin: with the evidence it passes.
    full, _ = kept.decided(written_policy(tmp_path / "one", **narrow), evidence)
    assert (
        outcomes(replay(kept.record, full, minute(), loaded=written_policy(tmp_path / "two", **wide)).verdict)[check]
        is Outcome.PASS
    )


@pytest.mark.parametrize(("limits", "code"), [({"entries": 3_000_000}, ""), ({"entries": 1}, "EVIDENCE_NOT_COLLECTED")])
def test_layers_count_under_wider_limits_and_not_under_narrower(
    limits: dict[str, int], code: str, kept: Recorder, tmp_path: Path
) -> None:
    row, _ = kept.decided(written_policy(tmp_path / "one", **VULNERABILITIES))
    other = written_policy(tmp_path / "two", **VULNERABILITIES, limits=limits)
    again = replay(kept.record, row, minute(), loaded=other)
    assert codes(again.verdict, "vulnerability") == ((code,) if code else ())


def test_layers_that_exceeded_a_limit_are_not_known_under_a_wider_one(kept: Recorder, tmp_path: Path) -> None:
    evidence = good_evidence()
    (subject,) = evidence.subjects
    over = Unavailable(code="LIMIT_LAYER", reason="too many entries")
    evidence = replace(evidence, subjects=(replace(subject, layers=over, trivy=over, grype=over, secrets=over),))
    row, verdict = kept.decided(written_policy(tmp_path / "one", **VULNERABILITIES, limits={"entries": 1}), evidence)
    assert codes(verdict, "vulnerability") == ("LIMIT_LAYER",)
    wide = written_policy(tmp_path / "two", **VULNERABILITIES)
    assert codes(replay(kept.record, row, minute(), loaded=wide).verdict, "vulnerability") == (
        "EVIDENCE_NOT_COLLECTED",
    )


def test_other_platforms_of_an_index_are_not_known(kept: Recorder, tmp_path: Path) -> None:
    row, _ = kept.decided(written_policy(tmp_path / "one", **VULNERABILITIES), index_evidence())
    one = written_policy(tmp_path / "two", **VULNERABILITIES, platforms=["linux/amd64"])
    again = replay(kept.record, row, minute(), loaded=one)
    assert again.verdict.decision is Decision.ERROR
    assert "EVIDENCE_NOT_COLLECTED" in {code for check in again.verdict.checks for code in check.codes}


def test_a_search_by_other_rules_is_not_known(kept: Recorder, tmp_path: Path) -> None:
    row, _ = kept.decided(written_policy(tmp_path / "one", secrets={}))
    loaded = written_policy(tmp_path / "two", secrets={})
    asked = replace(loaded.policy.secrets or SecretsPolicy(), rules=(SecretRuleFile(path="a", content=b"", digest=B),))
    other = replace(loaded, policy=replace(loaded.policy, digest=B, secrets=asked))
    assert codes(replay(kept.record, row, minute(), loaded=other).verdict, "secret") == ("EVIDENCE_NOT_COLLECTED",)


def test_threat_data_is_kept_as_far_as_it_was_looked_up(kept: Recorder, tmp_path: Path) -> None:
    """The entries of the findings, not 300,000 rows a verdict; another policy brings its own file."""
    folder = tmp_path / "one"
    folder.mkdir()
    lines = "#model_version:v1,score_date:2026-01-01T00:00:00+0000\ncve,epss,percentile\n"
    lines += "CVE-2026-0001,0.91,0.99\nCVE-2026-0002,0.5,0.9\n"
    (folder / "epss.csv.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    asked = {"failOn": "critical", "epss": {"failAbove": 0.9, "data": {"file": "epss.csv.gz"}}}
    row, verdict = kept.decided(written_policy(folder, vulnerabilities=asked), with_findings("CVE-2026-0001"))
    assert codes(verdict, "vulnerability") == ("VULN_EPSS",)
    assert read_collected(kept.record, row).evidence.threat_data.epss == (("CVE-2026-0001", 0.91),)
    shutil.rmtree(folder)
    assert replay(kept.record, row, minute()).identical


def test_a_text_with_a_secret_is_withheld_and_the_verdict_is_the_same(kept: Recorder, tmp_path: Path) -> None:
    token = "ghp_16charsofsecret"
    texts = {
        "env": (f"TOKEN={token}", "PATH=/usr/bin"),
        "cmd": ("run", token),
        "labels": StringMap.of({"token": token, "org.opencontainers.image.revision": "0" * 40}),
    }
    evidence = with_config(good_evidence(), secret(SecretPlace.ENV, "TOKEN"), **texts)
    (subject,) = evidence.subjects
    assert not isinstance(subject.manifest, Unavailable)
    raw = {subject.manifest.config.digest: token.encode()}
    row, verdict = kept.decided(written_policy(tmp_path / "one"), evidence, objects=raw)
    assert codes(verdict, "secret") == ("SECRET_CONFIG",)
    folder = kept.record.evidence
    assert isinstance(folder, EvidenceFolder)
    pieces = [folder.get(digest) for digest in folder.digests()]
    assert len(pieces) > 5
    assert not [piece for piece in pieces if token.encode() in piece]
    assert replay(kept.record, row, minute()).identical
    # Another rule cannot be answered from what was withheld.
    rule = {"id": "path", "cel": "image.config.env['PATH'] == '/usr/bin'", "message": "path"}
    other = written_policy(tmp_path / "two", rules=[rule])
    assert codes(replay(kept.record, row, minute(), loaded=other).verdict, "rules") == ("EVIDENCE_NOT_COLLECTED",)
    # The twin: where the search found nothing, the texts and the bytes are kept.
    clean = with_config(good_evidence(), SecretEvidence(), env=("PATH=/usr/bin",))
    row, _ = kept.decided(written_policy(tmp_path / "one"), clean, objects={subject.manifest.config.digest: b"{}"})
    assert outcomes(replay(kept.record, row, minute(), loaded=other).verdict)["rules"] is Outcome.PASS
    assert Digest.of(b"{}") in evidence_of(row)


def test_what_holds_a_proven_secret_is_attached_and_not_kept(kept: Recorder, tmp_path: Path) -> None:
    evidence = with_config(good_evidence(), secret(SecretPlace.ATTESTATION, "attestation sha256:0"))
    row, _ = kept.decided(written_policy(tmp_path / "one"), evidence)
    attachments = read_collected(kept.record, row).evidence.attachments
    assert isinstance(attachments, Unavailable)
    assert attachments.code == "EVIDENCE_NOT_COLLECTED"


def test_a_row_without_evidence_says_so(kept: Recorder, tmp_path: Path) -> None:
    loaded = written_policy(tmp_path / "one", **VULNERABILITIES)
    _, verdict = kept.decided(loaded)
    old, _ = record_verdict(kept.record, verdict, loaded.content, inputs="", signed=None, target="")
    policy = next(row for row in kept.record.rows() if row.kind == "policy")
    ad_hoc, _ = kept.decided(load_policy(None, AdHoc(fail_on=Severity.LOW), NOW))
    for row in (old, policy, ad_hoc):
        with pytest.raises(StorageError) as refused:
            replay(kept.record, row, minute())
        assert refused.value.code == "STORE_NO_EVIDENCE"
    # Another policy can be put to the evidence of an overridden one.
    assert replay(kept.record, ad_hoc, minute(), loaded=loaded).verdict.decision is Decision.PASSED


def test_altered_evidence_decides_nothing(kept: Recorder, tmp_path: Path) -> None:
    row, _ = kept.decided(written_policy(tmp_path / "one"))
    folder = kept.record.evidence
    assert isinstance(folder, EvidenceFolder)
    for digest in evidence_of(row):
        path = folder.path(digest)
        if not path.exists():
            continue
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(StorageError) as refused:
            folder.get(digest)
        assert refused.value.code == "STORE_CORRUPT"
        path.write_bytes(whole)
    assert replay(kept.record, row, minute()).identical
