"""Other tools read our verdicts: slsa-verifier the bare DSSE file, policy-controller and Cosign the `.att` tag.

Each program is real and starts offline; each acceptance has refusals beside it that differ in one thing.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import gate
from gate.admin.export import Controller, export_requirement
from gate.clock import Clock, Deadline
from gate.codec.bundle import parse_bundle
from gate.codec.oci import parse_manifest
from gate.codec.requirement.document import parse_requirement
from gate.codec.verdict_manifest import render_envelope_file
from gate.model.bundle import Envelope
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.reference import RegistryReference, parse_reference, parse_repository
from gate.model.requirement import Requirement
from gate.model.statement import VERIFICATION_SUMMARY
from gate.pipeline.attest_show import ShowOptions, show_attachments
from gate.pipeline.options import CheckRun
from gate.registry.client import RegistryClient
from tests.integration.conftest import Shop
from tests.support.cosign import Cosign
from tests.support.installation import VERIFIER, shop_policy
from tests.support.policies import MemoryFiles, as_bytes, requirement_document
from tests.support.programs import Tools

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

GOOD: Final = "clean"
BAD: Final = "root-user"


def run(program: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a consumer to its end, in a home of its own."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [str(program), *arguments], env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False
    )


def judged(shop: Shop, reference: str, own: Path, **changes: Any) -> CheckRun:  # noqa: ANN401 - fields of the options
    return gate.check(reference, shop.installed.options(own, registry=shop.options, **changes))


def parsed(reference: str) -> RegistryReference:
    read = parse_reference(reference)
    assert isinstance(read, RegistryReference)
    return read


@dataclass(frozen=True, slots=True)
class SlsaVerifier:
    """slsa-verifier with what a deployer knows."""

    program: Path
    home: Path
    key: Path
    reference: str

    def accepts(self, file: Path, **changes: str) -> bool:
        """Say whether the file is a passing summary of the image; `changes` are flags that differ."""
        flags = {
            "subject-digest": str(parsed(self.reference).digest),
            "attestation-path": str(file),
            "resource-uri": f"oci://{self.reference}",
            "verifier-id": VERIFIER,
            "public-key-path": str(self.key),
            "verified-level": "GATE_PASSED",
        }
        arguments = [part for name, value in (flags | changes).items() for part in (f"--{name}", value)]
        return run(self.program, self.home, "verify-vsa", *arguments).returncode == 0


@pytest.fixture
def slsa_verifier(shop: Shop, tools: Tools, tmp_path: Path) -> SlsaVerifier:
    reference = shop.reference(GOOD, "shop/consumed")
    return SlsaVerifier(tools.slsa_verifier, tmp_path, shop.installed.public_key_file(), reference)


def test_slsa_verifier_reads_a_passed_verdict_as_bare_dsse(
    shop: Shop, slsa_verifier: SlsaVerifier, own: Path, tmp_path: Path
) -> None:
    file = tmp_path / "verdict.vsa.dsse.json"
    done = judged(shop, slsa_verifier.reference, own, envelope_file=file)
    assert done.verdict.decision is Decision.PASSED
    assert str(file) in {item.place for item in done.attestations}
    assert slsa_verifier.accepts(file)
    other = Digest.of(b"another image")
    assert not slsa_verifier.accepts(file, **{"subject-digest": str(other)})
    assert not slsa_verifier.accepts(file, **{"resource-uri": f"oci://registry.example/shop/web@{other}"})
    assert not slsa_verifier.accepts(file, **{"verifier-id": "https://gate.example/verifier/other"})
    assert not slsa_verifier.accepts(file, **{"verified-level": "SLSA_BUILD_LEVEL_3"})
    assert not slsa_verifier.accepts(file, **{"public-key-path": str(shop.installed.public_key_file("build"))})


def test_a_verdict_given_again_writes_the_file_again(
    shop: Shop, slsa_verifier: SlsaVerifier, own: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    judged(shop, slsa_verifier.reference, own, envelope_file=first, reissue=True)
    again = judged(shop, slsa_verifier.reference, own, envelope_file=second, legacy_attestation=True)
    assert again.reused
    assert second.read_bytes() == first.read_bytes()


def test_a_failed_verdict_is_written_in_no_other_form_and_leaves_no_older_pass(
    shop: Shop, slsa_verifier: SlsaVerifier, own: Path, tmp_path: Path
) -> None:
    file = tmp_path / "verdict.vsa.dsse.json"
    judged(shop, slsa_verifier.reference, own, envelope_file=file)
    assert file.exists()
    refused = judged(shop, shop.reference(BAD, "shop/refused"), own, envelope_file=file, legacy_attestation=True)
    assert refused.verdict.decision is Decision.REFUSED
    assert not file.exists()
    assert any(".att" in notice for notice in refused.notices)
    assert not [item for item in refused.attestations if item.place.endswith(".att")]
    # The same verdict as bare DSSE would not pass there either: it says FAILED.
    bundle = next(item for item in refused.attestations if item.predicate_type == VERIFICATION_SUMMARY)
    envelope = _envelope_of(shop, shop.reference(BAD, "shop/refused"), bundle.manifest)
    file.write_bytes(render_envelope_file(envelope))
    asked = replace(slsa_verifier, reference=shop.reference(BAD, "shop/refused"))
    assert not asked.accepts(file)


def _envelope_of(shop: Shop, reference: str, manifest: Digest | None) -> Envelope:
    """Return the envelope in a referrer, as somebody who may read the repository gets it."""
    assert manifest is not None
    with RegistryClient(shop.options, Deadline.after(timedelta(minutes=1))) as client:
        repository = parsed(reference).repository
        fetched = client.manifest(repository, manifest)
        layer = parse_manifest(fetched.content, media_type=fetched.media_type).layers[0]
        content = client.read_blob(repository, layer, 1 << 22)
    envelope = parse_bundle(content).content
    assert isinstance(envelope, Envelope)
    return envelope


@dataclass(frozen=True, slots=True)
class PolicyController:
    """policy-controller's own judge, with what `gate policy export` wrote for it."""

    program: Path
    home: Path

    def admits(self, reference: str, requirement: Requirement) -> bool:
        """Say whether a cluster with the exported policies would run the image."""
        policy = self.home / "policy.yaml"
        policy.write_text(export_requirement(requirement, Controller.POLICY_CONTROLLER), encoding="utf-8")
        done = run(self.program, self.home, "-policy", str(policy), "-image", reference, "-log-level", "error")
        assert done.returncode in {0, 1}, done.stderr
        # A policy that the program refuses would let nothing in either.
        assert "CIP is invalid" not in done.stderr
        return done.returncode == 0


@pytest.fixture
def policy_controller(tools: Tools, tmp_path: Path) -> PolicyController:
    return PolicyController(tools.policy_tester, tmp_path)


def required(shop: Shop, *, key: str = "gate", **changes: object) -> Requirement:
    """Return what the production stage demands of every image."""
    pem = shop.installed.public_key_file(key).read_text(encoding="utf-8")
    verdict = {
        "signedBy": [{"key": {"pem": pem}, "verifierId": VERIFIER}],
        "policies": [str(Digest.of(shop.installed.policy.read_bytes()))],
        "environment": "production",
        "maxAge": "7d",
    }
    document = requirement_document({"match": "127.0.0.1*/shop/**", "verdict": verdict | changes})
    return parse_requirement(as_bytes(document), name="requirement.yaml", files=MemoryFiles())


def test_policy_controller_admits_what_passed_and_nothing_else(
    shop: Shop, policy_controller: PolicyController, own: Path
) -> None:
    reference = shop.reference(GOOD, "shop/admitted")
    assert not policy_controller.admits(reference, required(shop))
    done = judged(shop, reference, own, legacy_attestation=True)
    assert [item for item in done.attestations if item.place.endswith(".att")]
    assert policy_controller.admits(reference, required(shop))
    other = str(Digest.of(b"another policy"))
    assert not policy_controller.admits(reference, required(shop, policies=[other]))
    assert not policy_controller.admits(reference, required(shop, environment="development"))
    assert not policy_controller.admits(reference, required(shop, key="stranger"))
    key = {"pem": shop.installed.public_key_file().read_text(encoding="utf-8")}
    assert not policy_controller.admits(
        reference, required(shop, signedBy=[{"key": key, "verifierId": "https://gate.example/other"}])
    )


def test_policy_controller_refuses_an_old_pass(
    shop: Shop, policy_controller: PolicyController, own: Path, tmp_path: Path
) -> None:
    # Three hours ago the databases of today did not exist: this policy asks nothing of them.
    policy = tmp_path / "gate.yaml"
    policy.write_bytes(shop_policy(shop.installed, vulnerabilities=None, secrets=None, image={"user": "non-root"}))
    accepted = [str(Digest.of(policy.read_bytes()))]
    reference = shop.reference(GOOD, "shop/aged")
    hours_ago = Clock(now=lambda: datetime.now(UTC) - timedelta(hours=3))
    options = shop.installed.options(own, registry=shop.options, policy=policy, legacy_attestation=True)
    assert gate.check(reference, options, clock=hours_ago).verdict.decision is Decision.PASSED
    assert policy_controller.admits(reference, required(shop, policies=accepted, maxAge="4h"))
    assert not policy_controller.admits(reference, required(shop, policies=accepted, maxAge="2h"))


def test_cosign_reads_the_legacy_attestation_of_an_index_and_its_children(
    shop: Shop, tools: Tools, own: Path, tmp_path: Path
) -> None:
    reference = shop.reference("index-good", "shop/index")
    done = judged(shop, reference, own, legacy_attestation=True)
    tagged = [item for item in done.attestations if item.place.endswith(".att")]
    assert len(tagged) == 3
    cosign = Cosign(tools.cosign, tmp_path)
    options = ("--type", VERIFICATION_SUMMARY, "--new-bundle-format=false")
    for item in tagged:
        image = f"{parsed(reference).repository}@{item.subject}"
        key = shop.installed.public_key_file()
        assert cosign.verifies(image, key, *options, command="verify-attestation")
        stranger = shop.installed.public_key_file("stranger")
        assert not cosign.verifies(image, stranger, *options, command="verify-attestation")


def test_the_legacy_tag_keeps_what_others_attested(shop: Shop, own: Path) -> None:
    reference = shop.reference(GOOD, "shop/kept")
    judged(shop, reference, own, legacy_attestation=True)
    judged(shop, reference, own, legacy_attestation=True, signer=shop.installed.signer("stranger"), reissue=True)
    asked = parsed(reference)
    assert asked.digest is not None
    with RegistryClient(shop.options, Deadline.after(timedelta(minutes=1))) as client:
        fetched = client.manifest(asked.repository, f"sha256-{asked.digest.hex}.att")
    assert len(parse_manifest(fetched.content, media_type=fetched.media_type).layers) == 2


def test_a_layout_takes_the_legacy_attestation_too(shop: Shop, own: Path, tmp_path: Path) -> None:
    layout = shop.installed.copy(GOOD, tmp_path / "image")
    name = parse_repository("registry.example/shop/laid-out")
    options = shop.installed.options(own, name=name, legacy_attestation=True)
    done = gate.check(f"oci:{layout}", options)
    assert done.verdict.decision is Decision.PASSED
    (tagged,) = [item for item in done.attestations if item.place.endswith(".att")]
    key = KeySigner(key=shop.installed.public_key())
    found = show_attachments(f"oci:{layout}", ShowOptions(signers=(key,)))
    assert {item.state for item in found.items if item.manifest == tagged.manifest} == {"ok"}
