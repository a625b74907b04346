"""The real Cosign signs by key and the gate verifies; the gate signs by key and the real Cosign verifies."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.admin.keys import generate_key_pair
from gate.clock import Deadline
from gate.codec.keys import parse_public_key
from gate.codec.legacy import render_simple_signing
from gate.codec.oci import parse_manifest
from gate.codec.statement import render_cosign_statement
from gate.codec.strict_json import canonical_json
from gate.codec.verdict_manifest import (
    EMPTY_CONFIG,
    LegacyLayer,
    LegacyManifest,
    append_legacy_layer,
    attestation_layer,
    render_referrer_manifest,
    signature_layer,
)
from gate.codec.vsa import levels_for, render_summary, resource_uri
from gate.errors import AttestationError, SignatureError
from gate.images.attachments import collect_attachments
from gate.images.registry_source import RegistrySource
from gate.model.attachment import SIMPLE_SIGNING, Attachment, Attachments, AttachmentSource
from gate.model.digest import Digest
from gate.model.glob import Glob
from gate.model.image import OCI_CONFIG, OCI_MANIFEST, Descriptor
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.model.reference import Repository
from gate.model.requirement import VerdictRule, VerdictSigner
from gate.model.signer import PublicKey
from gate.model.statement import (
    COSIGN_SIGNATURE,
    VERIFICATION_SUMMARY,
    NamedSubject,
    VerificationResult,
    VerificationSummary,
)
from gate.model.string_map import StringMap
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.signers.signer import Signer
from gate.signers.signing import sign_statement
from gate.signers.uri import signer_for
from gate.verification.match import match_signatures
from gate.verification.verdict import VerdictDemand
from tests.conftest import StartOlareg
from tests.support.programs import Tools
from tests.support.signing import demand_verdict

pytestmark = pytest.mark.real_tools

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse"
POLICY = Digest.of(b"a policy")
VERIFIER = "https://gate.example/verifier/test"
PASSED, FAILED = VerificationResult.PASSED, VerificationResult.FAILED
BLOB_CAP_BYTES = 4 * 1024 * 1024
OFFLINE = ("--tlog-upload=false", "--use-signing-config=false", "--yes")


@dataclass(frozen=True, slots=True)
class Bench:
    """A real registry with one image in it, and the real Cosign with a key pair in a folder."""

    client: RegistryClient
    repository: Repository
    image: Descriptor
    cosign_program: Path
    folder: Path

    @property
    def reference(self) -> str:
        return f"{self.repository}@{self.image.digest}"

    def cosign(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without it the mode that writes the old format as referrers is refused.
        modes = {"COSIGN_EXPERIMENTAL": "1"} if any("oci-1-1" in argument for argument in arguments) else {}
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "COSIGN_PASSWORD": PASSWORD, **modes}
        return subprocess.run(
            [str(self.cosign_program), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def cosign_signs(self, *arguments: str, command: str = "sign", key: str = "cosign.key") -> None:
        done = self.cosign(command, "--key", key, *OFFLINE, *arguments, self.reference)
        assert done.returncode == 0, done.stderr

    def cosign_verifies(self, *arguments: str, command: str = "verify", key: str = "cosign.pub") -> bool:
        return self.cosign(command, "--key", key, "--insecure-ignore-tlog", *arguments, self.reference).returncode == 0

    def key(self, name: str = "cosign.pub") -> PublicKey:
        return parse_public_key((self.folder / name).read_bytes())

    def signer(self, name: str = "cosign.key") -> Signer:
        return signer_for(str(self.folder / name), PASSWORD.encode)

    def push_image(self, name: str) -> Descriptor:
        config = canonical_json(
            {"architecture": "amd64", "author": name, "os": "linux", "rootfs": {"diff_ids": [], "type": "layers"}}
        )
        manifest = canonical_json(
            {
                "config": {"digest": str(Digest.of(config)), "mediaType": OCI_CONFIG, "size": len(config)},
                "layers": [],
                "mediaType": OCI_MANIFEST,
                "schemaVersion": 2,
            }
        )
        self.client.push_blob(self.repository, Digest.of(config), config)
        digest = self.client.push_manifest(self.repository, manifest, OCI_MANIFEST)
        return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(manifest))

    def attach(self, payload: bytes, predicate_type: str, signer: Signer, *, failed: bool = False) -> None:
        bundle = sign_statement(signer, payload).bundle
        manifest = render_referrer_manifest(
            bundle, subject=self.image, predicate_type=predicate_type, created=NOW, failed=failed
        )
        self.client.attach(self.repository, self.image, manifest, (bundle, EMPTY_CONFIG))

    def legacy_manifest(self, suffix: str) -> LegacyManifest:
        fetched = self.client.manifest(self.repository, f"sha256-{self.image.digest.hex}.{suffix}")
        manifest = parse_manifest(fetched.content, media_type=fetched.media_type)
        config = self.client.read_blob(self.repository, manifest.config, BLOB_CAP_BYTES)
        return LegacyManifest(manifest=fetched.content, config=config)

    def push_under_tag(self, layer: LegacyLayer, suffix: str, existing: LegacyManifest | None = None) -> None:
        written = append_legacy_layer(layer, existing=existing)
        for blob in (layer.content, written.config):
            self.client.push_blob(self.repository, Digest.of(blob), blob)
        self.client.push_manifest(
            self.repository, written.manifest, OCI_MANIFEST, f"sha256-{self.image.digest.hex}.{suffix}"
        )

    def attachments(self, *suffixes: str) -> Attachments:
        """Read every referrer, and the layers of these legacy tags."""
        items = [
            item
            for listed in self.client.referrers(self.repository, self.image.digest)
            for item in self._layers(listed.digest, AttachmentSource.REFERRER)
        ]
        sources = {"sig": AttachmentSource.LEGACY_SIGNATURE, "att": AttachmentSource.LEGACY_ATTESTATION}
        for suffix in suffixes:
            items += self._layers(f"sha256-{self.image.digest.hex}.{suffix}", sources[suffix])
        return Attachments(digest=self.image.digest, items=tuple(items))

    def _layers(self, place: Digest | str, source: AttachmentSource) -> list[Attachment]:
        fetched = self.client.manifest(self.repository, place)
        manifest = parse_manifest(fetched.content, media_type=fetched.media_type)
        return [
            Attachment(
                source=source,
                media_type=layer.media_type,
                content=self.client.read_blob(self.repository, layer, BLOB_CAP_BYTES),
                manifest=fetched.digest,
                annotations=layer.annotations,
            )
            for layer in manifest.layers
        ]


@pytest.fixture(params=[True, False], ids=["referrers", "fallback-tag"])
def bench(request: pytest.FixtureRequest, olareg: StartOlareg, tools: Tools, tmp_path: Path) -> Iterator[Bench]:
    registry = olareg(referrers=request.param)
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=2))) as client:
        empty = Descriptor(media_type=OCI_MANIFEST, digest=Digest.of(b""), size=0)
        before = Bench(client, Repository(registry.host, "shop/web"), empty, tools.cosign, tmp_path)
        made = Bench(client, before.repository, before.push_image("one"), tools.cosign, tmp_path)
        assert made.cosign("generate-key-pair").returncode == 0
        yield made


def signature_rule(key: PublicKey, annotations: dict[str, str] | None = None) -> SignatureRule:
    return SignatureRule(images=Glob("**"), any_of=(KeySigner(key=key),), annotations=StringMap.of(annotations or {}))


def verdict_demand(bench: Bench, key: PublicKey) -> VerdictDemand:
    rule = VerdictRule(
        signed_by=(VerdictSigner(signer=KeySigner(key=key), verifier_id=VERIFIER),), policies=frozenset({POLICY})
    )
    return VerdictDemand(asked=bench.image.digest, repository=bench.repository, rule=rule)


def verdict_payload(bench: Bench, result: VerificationResult) -> bytes:
    return render_summary(
        VerificationSummary(
            subjects=(NamedSubject(name=str(bench.repository), digest=bench.image.digest),),
            verifier_id=VERIFIER,
            time_verified=NOW,
            resource_uri=resource_uri(bench.repository, bench.image.digest),
            policy_uri="gate-policy:test",
            policy_digest=POLICY,
            result=result,
            levels=levels_for(result),
        )
    )


def test_what_cosign_signs_as_a_bundle_verifies(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=true", "-a", "env=prod", "-a", "team=web")
    (found,) = match_signatures(bench.attachments(), signature_rule(bench.key(), {"env": "prod"}), NOW)
    assert found.key == bench.key()
    assert dict(found.annotations) == {"env": "prod", "team": "web"}
    with pytest.raises(SignatureError) as refused:
        match_signatures(bench.attachments(), signature_rule(bench.key(), {"env": "staging"}), NOW)
    assert refused.value.code == "SIG_ANNOTATION"


def test_what_cosign_signs_under_the_legacy_tag_verifies(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=false", "-a", "env=prod")
    (found,) = match_signatures(bench.attachments("sig"), signature_rule(bench.key(), {"env": "prod"}), NOW)
    assert found.docker_reference == str(bench.repository)
    with pytest.raises(SignatureError) as refused:
        match_signatures(bench.attachments(), signature_rule(bench.key()), NOW)
    assert refused.value.code == "SIG_MISSING"


def test_what_cosign_signs_as_a_referrer_in_its_old_format_verifies(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=false", "--registry-referrers-mode=oci-1-1", "-a", "env=prod")
    found = collect_attachments(RegistrySource(bench.client, bench.repository, bench.image.digest), bench.image.digest)
    (signature,) = match_signatures(found, signature_rule(bench.key(), {"env": "prod"}), NOW)
    assert signature.docker_reference == str(bench.repository)
    assert {item.media_type for item in found.items} == {SIMPLE_SIGNING}
    with pytest.raises(SignatureError) as refused:
        match_signatures(found, signature_rule(bench.key(), {"env": "staging"}), NOW)
    assert refused.value.code == "SIG_ANNOTATION"


def test_a_signature_by_another_key_does_not_verify(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=true")
    bench.cosign_signs("--new-bundle-format=false")
    other = generate_key_pair(bench.folder, PASSWORD.encode(), name="other").public_key
    with pytest.raises(SignatureError) as refused:
        match_signatures(bench.attachments("sig"), signature_rule(other), NOW)
    assert refused.value.code == "SIG_INVALID"
    assert len(match_signatures(bench.attachments("sig"), signature_rule(bench.key()), NOW)) == 1


def test_a_signature_of_another_image_is_not_one_of_this_image(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=true")
    found = bench.attachments()
    moved = Attachments(digest=bench.push_image("two").digest, items=found.items)
    with pytest.raises(SignatureError) as refused:
        match_signatures(moved, signature_rule(bench.key()), NOW)
    assert refused.value.code == "SIG_SUBJECT_MISMATCH"


def test_cosign_verifies_what_the_gate_signs_as_a_bundle(bench: Bench) -> None:
    generate_key_pair(bench.folder, PASSWORD.encode())
    payload = render_cosign_statement(bench.image.digest, {"env": "prod"})
    bench.attach(payload, COSIGN_SIGNATURE, bench.signer("gate.key"))
    assert bench.cosign_verifies("-a", "env=prod", key="gate.pub")
    assert not bench.cosign_verifies("-a", "env=staging", key="gate.pub")
    assert not bench.cosign_verifies(key="cosign.pub")
    assert match_signatures(bench.attachments(), signature_rule(bench.key("gate.pub"), {"env": "prod"}), NOW)


def test_cosign_verifies_what_the_gate_signs_under_the_legacy_tag(bench: Bench) -> None:
    generate_key_pair(bench.folder, PASSWORD.encode())
    payload = render_simple_signing(bench.repository, bench.image.digest, {"env": "prod"})
    bench.push_under_tag(signature_layer(payload, bench.signer("gate.key").sign(payload)), "sig")
    assert bench.cosign_verifies("-a", "env=prod", "--new-bundle-format=false", key="gate.pub")
    assert not bench.cosign_verifies("--new-bundle-format=false", key="cosign.pub")
    assert match_signatures(bench.attachments("sig"), signature_rule(bench.key("gate.pub"), {"env": "prod"}), NOW)


def test_the_gate_appends_to_what_cosign_wrote(bench: Bench) -> None:
    bench.cosign_signs("--new-bundle-format=false", "-a", "by=cosign")
    generate_key_pair(bench.folder, PASSWORD.encode())
    payload = render_simple_signing(bench.repository, bench.image.digest, {"by": "gate"})
    layer = signature_layer(payload, bench.signer("gate.key").sign(payload))
    bench.push_under_tag(layer, "sig", existing=bench.legacy_manifest("sig"))
    for name, key in (("cosign", "cosign.pub"), ("gate", "gate.pub")):
        assert bench.cosign_verifies("-a", f"by={name}", "--new-bundle-format=false", key=key)
        assert match_signatures(bench.attachments("sig"), signature_rule(bench.key(key), {"by": name}), NOW)


def test_cosign_uses_keys_that_the_gate_made_and_the_gate_those_of_cosign(bench: Bench) -> None:
    generate_key_pair(bench.folder, PASSWORD.encode())
    bench.cosign_signs("--new-bundle-format=true", key="gate.key")
    assert match_signatures(bench.attachments(), signature_rule(bench.key("gate.pub")), NOW)
    assert bench.signer("cosign.key").public_key == bench.key("cosign.pub")


def test_cosign_verifies_a_passed_verdict_as_referrer_and_under_the_legacy_tag(bench: Bench) -> None:
    payload = verdict_payload(bench, PASSED)
    bench.attach(payload, VERIFICATION_SUMMARY, bench.signer())
    assert bench.cosign_verifies("--type", VERIFICATION_SUMMARY, command="verify-attestation")
    layer = attestation_layer(sign_statement(bench.signer(), payload).envelope, VERIFICATION_SUMMARY)
    bench.push_under_tag(layer, "att")
    legacy = ("--type", VERIFICATION_SUMMARY, "--new-bundle-format=false")
    assert bench.cosign_verifies(*legacy, command="verify-attestation")
    for suffixes in ((), ("att",)):
        assert demand_verdict(bench.attachments(*suffixes), verdict_demand(bench, bench.key()), NOW).passed


def test_cosign_verifies_the_bundle_in_a_file_for_its_digest_alone(bench: Bench) -> None:
    bundle = sign_statement(bench.signer(), verdict_payload(bench, PASSED)).bundle
    (bench.folder / "web.sigstore.json").write_bytes(bundle)

    def verifies(digest: Digest) -> bool:
        return bench.cosign(
            "verify-blob-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog",
            "--bundle", "web.sigstore.json", "--type", VERIFICATION_SUMMARY,
            "--digest", digest.hex, "--digestAlg", "sha256",
        ).returncode == 0  # fmt: skip

    assert verifies(bench.image.digest)
    assert not verifies(Digest.of(b"another image"))


def test_an_image_with_only_a_failed_verdict_does_not_pass_cosign_verify(bench: Bench) -> None:
    bench.attach(verdict_payload(bench, FAILED), VERIFICATION_SUMMARY, bench.signer(), failed=True)
    assert not bench.cosign_verifies()
    said = bench.cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", bench.reference).stderr
    assert "no signatures found" in said
    with pytest.raises(AttestationError) as refused:
        demand_verdict(bench.attachments(), verdict_demand(bench, bench.key()), NOW)
    assert refused.value.code == "ATT_VERDICT_FAIL"


def test_the_same_failed_verdict_under_the_usual_type_would_pass_cosign_verify(bench: Bench) -> None:
    """The positive twin: it is the media type alone that keeps Cosign from it."""
    bench.attach(verdict_payload(bench, FAILED), VERIFICATION_SUMMARY, bench.signer())
    assert bench.cosign_verifies()
    with pytest.raises(SignatureError) as refused:
        match_signatures(bench.attachments(), signature_rule(bench.key()), NOW)
    assert refused.value.code == "SIG_MISSING"


@pytest.mark.parametrize("bundles", [True, False])
def test_an_attestation_of_cosign_by_the_verdict_key_is_no_verdict(bench: Bench, *, bundles: bool) -> None:
    (bench.folder / "predicate.json").write_text(json.dumps({"claims": "anything"}), encoding="utf-8")
    bench.cosign_signs(
        f"--new-bundle-format={str(bundles).lower()}",
        "--predicate=predicate.json",
        "--type=https://example.com/other/v1",
        command="attest",
    )
    found = bench.attachments(*([] if bundles else ["att"]))
    with pytest.raises(AttestationError) as refused:
        demand_verdict(found, verdict_demand(bench, bench.key()), NOW)
    assert refused.value.code == "ATT_TYPE"
    other = generate_key_pair(bench.folder, b"", name="other").public_key
    with pytest.raises(AttestationError) as ignored:
        demand_verdict(found, verdict_demand(bench, other), NOW)
    assert ignored.value.code == "ATT_TYPE_MISSING"
