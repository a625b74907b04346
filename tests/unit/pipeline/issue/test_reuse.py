"""When a verdict is given again: the key changes with everything that decides, and with nothing else."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gate.clock import Deadline
from gate.codec.policy.document import parse_policy
from gate.codec.policy.files import ShippedRoot
from gate.codec.vsa import levels_for, render_summary, resource_uri
from gate.model.attachment import FAILED_VERDICT, Attachment, Attachments
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.glob import Glob
from gate.model.image import OCI_MANIFEST, Descriptor, Platform
from gate.model.policy import AttestSettings, Waiver
from gate.model.progress import NoProgress
from gate.model.reference import Repository, parse_repository
from gate.model.statement import NamedSubject, VerificationResult, VerificationSummary
from gate.model.string_map import StringMap
from gate.model.subject import SkippedChild
from gate.model.verdict import UsedWaiver, Verdict
from gate.pipeline.collect.context import CollectContext, open_collect_context
from gate.pipeline.issue.recording import record_given_again, record_verdict
from gate.pipeline.issue.reuse import inputs_of, known_verdict, same_grounds
from gate.pipeline.issue.statements import SignedVerdict, sign_verdict
from gate.pipeline.options import AdHoc, CheckOptions
from gate.pipeline.policies import LoadedPolicy, load_policy
from gate.settings.locations import Places, default_places
from gate.settings.policy_folder import PolicyFolder
from gate.signers.signing import sign_statement
from gate.store.evidence_folder import EvidenceFolder
from gate.store.record import Record, open_record
from tests.support.policies import FILES, SIGSTORE_ROOT, MemoryFiles, as_bytes, policy_document
from tests.support.signing import (
    FAIL_KEY,
    GATE,
    IMAGE,
    NOW,
    REPOSITORY,
    STRANGER,
    attached,
    bundle_attachment,
    image_bundle,
    image_tag_layer,
)
from tests.support.sources import ROOT
from tests.support.verdicts import make_verdict
from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore

ROW_SCHEMA = json.loads((ROOT / "schemas" / "record-row.schema.json").read_text(encoding="utf-8"))
SUBJECT_KEY = f"{REPOSITORY}@{IMAGE}"
OTHER_ROOT = VirtualSigstore(seed=1).trusted_root()
SETTINGS = AttestSettings()
OTHER_MANIFEST = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(b"another image"), size=13)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return default_places({"HOME": str(tmp_path), "PATH": ""})


@pytest.fixture
def context(places: Places, tmp_path: Path) -> CollectContext:
    deadline = Deadline.after(timedelta(minutes=1))
    return open_collect_context(
        places, tmp_path, EvidenceFolder(places.evidence), deadline=deadline, now=NOW, progress=NoProgress()
    )


@pytest.fixture
def loaded() -> LoadedPolicy:
    return load_policy(None, AdHoc(), NOW)


def summary_bundle(result: VerificationResult) -> bytes:
    """Return a verdict of the gate's as it hangs on an image."""
    summary = VerificationSummary(
        subjects=(NamedSubject(name=str(REPOSITORY), digest=IMAGE),),
        verifier_id="https://gate.example/verifier",
        time_verified=NOW,
        resource_uri=resource_uri(REPOSITORY, IMAGE),
        policy_uri="gate-policy:test",
        policy_digest=Digest.of(b"policy"),
        result=result,
        levels=levels_for(result),
    )
    return sign_statement(GATE, render_summary(summary)).bundle


def test_each_input_is_part_of_the_key(places: Places, context: CollectContext, loaded: LoadedPolicy) -> None:
    options = CheckOptions(places=places, signer=GATE)
    nothing = attached()
    other_policy = replace(loaded, policy=replace(loaded.policy, digest=Digest.of(b"another")))
    keys = [
        inputs_of(SUBJECT_KEY, loaded, options, context, nothing, str(REPOSITORY)),
        inputs_of("another", loaded, options, context, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, other_policy, options, context, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, context, nothing, "oci:/image"),
        inputs_of(SUBJECT_KEY, loaded, replace(options, signer=STRANGER), context, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, fail_signer=FAIL_KEY), context, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, environments=()), context, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, environments=("a",)), context, nothing, str(REPOSITORY)),
        inputs_of(
            SUBJECT_KEY,
            loaded,
            replace(options, platforms=(Platform("linux", "arm64"),)),
            context,
            nothing,
            str(REPOSITORY),
        ),
        inputs_of(SUBJECT_KEY, loaded, options, context, attached(image_bundle()), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, context, attached(image_tag_layer()), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, context, attached(image_tag_layer(STRANGER)), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, context, Unavailable(code="REG_DENIED", reason="no"), str(REPOSITORY)),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)


def test_the_root_of_every_signer_is_part_of_the_key(places: Places, context: CollectContext, tmp_path: Path) -> None:
    """Also one that stands in no digest of the policy, because a package ships it."""
    keyless = {"keyless": {"issuer": ISSUER, "subject": SUBJECT}}
    sections: dict[str, dict[str, Any]] = {
        "signature": {"signature": [{"images": "**", "anyOf": [keyless]}]},
        "all": {"signature": [{"images": "**", "allOf": [keyless]}]},
        "provenance": {"provenance": {"signers": [keyless], "builder": ["https://builds.example/b"]}},
        "attestations": {"attestations": [{"type": "spdx", "signers": [keyless]}]},
        "vex": {"vulnerabilities": {"vex": [{"signers": [keyless], "products": ["pkg:deb/debian/*"]}]}},
        "key": {"signature": [{"images": "**", "anyOf": [{"key": {"file": "keys/a.pub"}}]}]},
    }

    def key(spec: dict[str, Any], root: bytes) -> str:
        @dataclass(frozen=True)
        class Shipped(MemoryFiles):
            def public_root(self) -> ShippedRoot:
                return ShippedRoot(content=root, package="sigstore 0.0")

        parsed = parse_policy(as_bytes(policy_document(**spec)), name="p", files=Shipped(FILES.content))
        loaded = LoadedPolicy(policy=parsed, content=b"", folder=PolicyFolder(tmp_path))
        return inputs_of(SUBJECT_KEY, loaded, CheckOptions(places=places), context, None, "")

    for name, spec in sections.items():
        first, again, other = (key(spec, root) for root in (SIGSTORE_ROOT, SIGSTORE_ROOT, OTHER_ROOT))
        assert first == again, name
        assert (first == other) is (name == "key"), name


def test_verdicts_of_the_gate_and_the_order_of_a_listing_are_no_part_of_it(
    places: Places, context: CollectContext, loaded: LoadedPolicy
) -> None:
    def key(*items: Attachment) -> str:
        found: Attachments = attached(*items)
        return inputs_of(SUBJECT_KEY, loaded, CheckOptions(places=places), context, found, "")

    signatures = (image_bundle(), image_bundle(STRANGER))
    assert key(*signatures) == key(*reversed(signatures)) == key(*signatures, signatures[0])
    passed = bundle_attachment(summary_bundle(VerificationResult.PASSED))
    failed = bundle_attachment(summary_bundle(VerificationResult.FAILED), FAILED_VERDICT)
    assert key(*signatures, passed, failed) == key(*signatures)
    # What cannot be read is somebody else's, and counts.
    assert key(*signatures, bundle_attachment(b"{}")) != key(*signatures)


def test_what_no_digest_covers_has_no_key(places: Places, context: CollectContext, loaded: LoadedPolicy) -> None:
    unpinned = replace(loaded, obstacle="the policy points to files without a digest")
    assert inputs_of(SUBJECT_KEY, unpinned, CheckOptions(places=places), context, None, "") == ""
    record = open_record(places.record, places.evidence)
    try:
        keep(record, make_verdict(), inputs="")
        assert known_verdict(record, "", make_verdict(), SETTINGS, make_verdict().evaluated_at) is None
    finally:
        record.close()


def keep(record: Record, verdict: Verdict, *, inputs: str = "a key") -> None:
    record_verdict(record, verdict, b"policy", inputs=inputs, signed=None, target="")


def test_what_comes_with_a_verdict_has_rows_of_its_own(places: Places) -> None:
    """A waiver without which it would be another verdict, a policy seen for the first time, and that it was given again."""
    waiver = Waiver(
        id="W-12",
        check="vulnerability",
        images=Glob("**"),
        match=StringMap.of({"vulnerability": "CVE-2024-0001"}),
        reason="not reachable",
        owner="web-team",
        approved_by="security",
        expires=date(2027, 1, 31),
    )
    states = (("used", 2), ("unused", 0), ("expired", 0), ("elsewhere", 0))
    used = tuple(UsedWaiver(waiver=waiver, state=state, covers=count) for state, count in states)
    verdict = replace(make_verdict(), waivers=used)
    record = open_record(places.record, places.evidence)
    try:
        keep(record, verdict)
        keep(record, replace(verdict, waivers=()), inputs="others")
        known = known_verdict(record, "a key", verdict, SETTINGS, verdict.evaluated_at)
        assert known is not None
        record_given_again(record, known.row, verdict, verdict.evaluated_at + timedelta(hours=1))
        rows = tuple(record.rows())
        assert [row.kind for row in rows] == ["verdict", "waiver-use", "policy", "verdict", "given-again"]
        assert [row.refers_to for row in rows] == [None, 1, None, None, 1]
        assert (rows[1].view().text("waiver"), rows[1].view().integer("covers")) == ("W-12", 2)
        assert rows[2].subject == str(verdict.policy.digest)
        assert rows[4].view().text("at") > rows[0].view().text("at")
        for row in rows:
            jsonschema.Draft202012Validator(ROW_SCHEMA).validate(json.loads(row.content))
    finally:
        record.close()


def test_a_verdict_is_given_again_for_half_its_life(places: Places) -> None:
    verdict = make_verdict()
    half = SETTINGS.max_age / 2
    record = open_record(places.record, places.evidence)
    try:
        keep(record, verdict)
        for age in (timedelta(0), half - timedelta(seconds=1)):
            known = known_verdict(record, "a key", verdict, SETTINGS, verdict.evaluated_at + age)
            assert known is not None
            assert (known.verdict, known.intent, known.summary) == (verdict, None, None)
        for age in (half, timedelta(seconds=-1)):
            assert known_verdict(record, "a key", verdict, SETTINGS, verdict.evaluated_at + age) is None
        assert known_verdict(record, "another key", verdict, SETTINGS, verdict.evaluated_at) is None
    finally:
        record.close()


def test_what_could_not_be_judged_is_never_given_again(places: Places) -> None:
    verdict = make_verdict()
    refused = replace(verdict, decision=Decision.REFUSED)
    error = replace(verdict, decision=Decision.ERROR)
    with closing(open_record(places.record, places.evidence)) as record:
        keep(record, verdict)
        keep(record, error)
        for decided in (verdict, error):
            assert known_verdict(record, "a key", decided, SETTINGS, verdict.evaluated_at) is None
        keep(record, refused)
        known = known_verdict(record, "a key", refused, SETTINGS, verdict.evaluated_at)
        assert known is not None
        assert known.verdict.decision is Decision.REFUSED
        assert known_verdict(record, "a key", verdict, SETTINGS, verdict.evaluated_at) is None


def test_another_ground_gives_a_verdict_of_its_own() -> None:
    verdict = make_verdict()
    changes: dict[str, object] = {
        "decision": Decision.REFUSED,
        "environments": ("elsewhere",),
        "policy": replace(verdict.policy, digest=Digest.of(b"another")),
        "request": replace(verdict.request, repository=parse_repository("registry.example/other")),
        "root": None,
        "subjects": (),
        "skipped": (SkippedChild(digest=IMAGE, platform="linux/arm64", reason="platform"),),
        "build_level": 3,
    }
    later = replace(verdict, evaluated_at=verdict.evaluated_at + timedelta(hours=1))
    worded = replace(later, checks=tuple(replace(check, message="another day") for check in verdict.checks))
    assert same_grounds(verdict, worded)
    for name, value in changes.items():
        assert not same_grounds(verdict, replace(later, **{name: value})), name  # type: ignore[arg-type]


def test_a_summary_of_something_else_is_not_given_again(places: Places) -> None:
    """As somebody could have written it into the record: another image's, another policy's, or one that says the other."""
    verdict = make_verdict()
    repository = verdict.request.repository
    assert repository is not None

    def signed(of: Verdict, name: Repository = repository) -> SignedVerdict:
        return sign_verdict(of, name, SETTINGS, signer=GATE, started=NOW, finished=NOW)

    others = {
        "itself": signed(verdict),
        "decision": signed(replace(verdict, decision=Decision.REFUSED)),
        "policy": signed(replace(verdict, policy=replace(verdict.policy, digest=Digest.of(b"another")))),
        "subjects": signed(replace(verdict, root=OTHER_MANIFEST, subjects=())),
        "repository": signed(verdict, parse_repository("registry.example/other")),
    }
    for name, summary in others.items():
        with closing(open_record(places.record, places.evidence)) as record:
            record_verdict(record, verdict, b"policy", inputs=name, signed=summary, target="")
            known = known_verdict(record, name, verdict, SETTINGS, verdict.evaluated_at)
            assert (known is not None) is (name == "itself"), name
