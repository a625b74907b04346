"""When a verdict is given again: the key changes with everything that decides, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.codec.policy_yaml import parse_policy
from gate.codec.policy_yaml_files import ShippedRoot
from gate.codec.vsa import levels_for, render_summary, resource_uri
from gate.collectors.policy_folder import PolicyFolder
from gate.model.attachment import FAILED_VERDICT, Attachment, Attachments
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence import Unobtained
from gate.model.image import Platform
from gate.model.policy import AttestSettings
from gate.model.progress import NoProgress
from gate.model.statement import NamedSubject, VerificationResult, VerificationSummary
from gate.model.verdict import Verdict
from gate.pipeline.options import AdHoc, CheckOptions
from gate.pipeline.places import Places, default_places
from gate.pipeline.policies import LoadedPolicy, load_policy
from gate.pipeline.recording import record_verdict
from gate.pipeline.reuse import inputs_of, known_verdict
from gate.pipeline.workshop import Workshop, open_workshop
from gate.registry.deadline import Deadline
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
from tests.support.verdicts import make_verdict
from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore

SUBJECT_KEY = f"{REPOSITORY}@{IMAGE}"
OTHER_ROOT = VirtualSigstore(seed=1).trusted_root()
SETTINGS = AttestSettings()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return default_places({"HOME": str(tmp_path), "PATH": ""})


@pytest.fixture
def workshop(places: Places, tmp_path: Path) -> Workshop:
    deadline = Deadline.after(timedelta(minutes=1))
    return open_workshop(
        places, tmp_path, EvidenceFolder(places.evidence), deadline=deadline, now=NOW, progress=NoProgress()
    )


@pytest.fixture
def loaded() -> LoadedPolicy:
    return load_policy(None, AdHoc(), NOW)


def summary_bundle(result: VerificationResult) -> bytes:
    """Give a verdict of the gate's as it hangs on an image."""
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


def test_each_input_is_part_of_the_key(places: Places, workshop: Workshop, loaded: LoadedPolicy) -> None:
    options = CheckOptions(places=places, signer=GATE)
    nothing = attached()
    other_policy = replace(loaded, policy=replace(loaded.policy, digest=Digest.of(b"another")))
    keys = [
        inputs_of(SUBJECT_KEY, loaded, options, workshop, nothing, str(REPOSITORY)),
        inputs_of("another", loaded, options, workshop, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, other_policy, options, workshop, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, workshop, nothing, "oci:/image"),
        inputs_of(SUBJECT_KEY, loaded, replace(options, signer=STRANGER), workshop, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, fail_signer=FAIL_KEY), workshop, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, environments=()), workshop, nothing, str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, replace(options, environments=("a",)), workshop, nothing, str(REPOSITORY)),
        inputs_of(
            SUBJECT_KEY,
            loaded,
            replace(options, platforms=(Platform("linux", "arm64"),)),
            workshop,
            nothing,
            str(REPOSITORY),
        ),
        inputs_of(SUBJECT_KEY, loaded, options, workshop, attached(image_bundle()), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, workshop, attached(image_tag_layer()), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, workshop, attached(image_tag_layer(STRANGER)), str(REPOSITORY)),
        inputs_of(SUBJECT_KEY, loaded, options, workshop, Unobtained(code="REG_DENIED", reason="no"), str(REPOSITORY)),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)


def test_the_root_of_every_signer_is_part_of_the_key(places: Places, workshop: Workshop, tmp_path: Path) -> None:
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
        return inputs_of(SUBJECT_KEY, loaded, CheckOptions(places=places), workshop, None, "")

    for name, spec in sections.items():
        first, again, other = (key(spec, root) for root in (SIGSTORE_ROOT, SIGSTORE_ROOT, OTHER_ROOT))
        assert first == again, name
        assert (first == other) is (name == "key"), name


def test_verdicts_of_the_gate_and_the_order_of_a_listing_are_no_part_of_it(
    places: Places, workshop: Workshop, loaded: LoadedPolicy
) -> None:
    def key(*items: Attachment) -> str:
        found: Attachments = attached(*items)
        return inputs_of(SUBJECT_KEY, loaded, CheckOptions(places=places), workshop, found, "")

    signatures = (image_bundle(), image_bundle(STRANGER))
    assert key(*signatures) == key(*reversed(signatures)) == key(*signatures, signatures[0])
    passed = bundle_attachment(summary_bundle(VerificationResult.PASSED))
    failed = bundle_attachment(summary_bundle(VerificationResult.FAILED), FAILED_VERDICT)
    assert key(*signatures, passed, failed) == key(*signatures)
    # What cannot be read is somebody else's, and counts.
    assert key(*signatures, bundle_attachment(b"{}")) != key(*signatures)


def test_what_no_digest_covers_has_no_key(places: Places, workshop: Workshop, loaded: LoadedPolicy) -> None:
    unpinned = replace(loaded, obstacle="the policy points to files without a digest")
    assert inputs_of(SUBJECT_KEY, unpinned, CheckOptions(places=places), workshop, None, "") == ""
    record = open_record(places.record, places.evidence)
    try:
        keep(record, make_verdict(), inputs="")
        assert known_verdict(record, "", SETTINGS, make_verdict().evaluated_at) is None
    finally:
        record.close()


def keep(record: Record, verdict: Verdict, *, inputs: str = "a key") -> None:
    record_verdict(record, verdict, b"policy", inputs=inputs, signed=None, target="")


def test_a_verdict_is_given_again_for_half_its_life(places: Places) -> None:
    verdict = make_verdict()
    half = SETTINGS.max_age / 2
    record = open_record(places.record, places.evidence)
    try:
        keep(record, verdict)
        for age in (timedelta(0), half - timedelta(seconds=1)):
            known = known_verdict(record, "a key", SETTINGS, verdict.evaluated_at + age)
            assert known is not None
            assert (known.verdict, known.intent, known.summary) == (verdict, None, None)
        for age in (half, timedelta(seconds=-1)):
            assert known_verdict(record, "a key", SETTINGS, verdict.evaluated_at + age) is None
        assert known_verdict(record, "another key", SETTINGS, verdict.evaluated_at) is None
    finally:
        record.close()


def test_what_could_not_be_judged_is_never_given_again(places: Places) -> None:
    verdict = make_verdict()
    record = open_record(places.record, places.evidence)
    try:
        keep(record, verdict)
        keep(record, replace(verdict, decision=Decision.ERROR))
        assert known_verdict(record, "a key", SETTINGS, verdict.evaluated_at) is None
        keep(record, replace(verdict, decision=Decision.REFUSED))
        known = known_verdict(record, "a key", SETTINGS, verdict.evaluated_at)
        assert known is not None
        assert known.verdict.decision is Decision.REFUSED
    finally:
        record.close()
