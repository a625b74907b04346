"""`gate verify` on real registries: it lets in what passed, and each of its refusals has a positive twin."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import gate
from gate.clock import Clock, Deadline
from gate.codec.requirement.document import parse_requirement
from gate.codec.verdict_manifest import EMPTY_CONFIG, render_referrer_manifest
from gate.errors import AttestationError, GateError, ReferenceRefusedError, RegistryError, SignatureError
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.image import Descriptor
from gate.model.reference import RegistryReference, parse_reference, parse_repository
from gate.model.requirement import Requirement
from gate.model.statement import VERIFICATION_SUMMARY
from gate.pipeline.sign import sign
from gate.pipeline.verify_options import VerifyOptions
from gate.registry.client import RegistryClient
from gate.settings.policy_folder import PolicyFolder
from tests.integration.conftest import Shop
from tests.support.cosign import Cosign
from tests.support.installation import SHOP, VERIFIER, Installation, shop_policy
from tests.support.policies import as_bytes, requirement_document
from tests.support.programs import Tools
from tests.support.registries import free_port

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

SHOPS = ("shop", "fallback_shop", "password_shop")


@pytest.fixture(params=SHOPS)
def any_shop(request: pytest.FixtureRequest) -> Shop:
    """Return each kind of registry: with referrers, without, and without and with a password."""
    given: Shop = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def cosign(tools: Tools, tmp_path: Path) -> Cosign:
    home = tmp_path / "cosign"
    home.mkdir()
    return Cosign(tools.cosign, home)


def later(days: float) -> Clock:
    """Return a clock that goes on from some days ahead."""
    return Clock(now=lambda: datetime.now(UTC) + timedelta(days=days))


def judge(shop: Shop, reference: str, own: Path, *, clock: Clock | None = None, **changes: Any) -> Decision:  # noqa: ANN401
    """Check an image with the gate's key, so that its verdict hangs on it."""
    options = shop.installed.options(own, registry=shop.options, **changes)
    return gate.check(reference, options, clock=clock).verdict.decision


def demand(shop: Shop, own: Path, **changes: object) -> VerifyOptions:
    return shop.installed.demands(own, registry=shop.options, **changes)


def refusal(reference: str, options: VerifyOptions, *, clock: Clock | None = None) -> str:
    """Return the code with which the deploy stage refuses."""
    with pytest.raises(GateError) as refused:
        gate.verify(reference, options, clock=clock)
    return refused.value.code


def lets_in(reference: str, options: VerifyOptions, *, clock: Clock | None = None) -> bool:
    """Say that the deploy stage lets the very digest in that it was asked for; a refusal is raised."""
    return reference.endswith(str(gate.verify(reference, options, clock=clock).digest))


def requirement(folder: Path, *images: object) -> Requirement:
    """Return a requirement as its file says it."""
    return parse_requirement(
        as_bytes(requirement_document(*images)), name="requirement.yaml", files=PolicyFolder(folder)
    )


def test_any_registry_gives_the_verdict_back(any_shop: Shop, own: Path) -> None:
    good, bad = any_shop.reference("clean", "verdict/good"), any_shop.reference("root-user", "verdict/bad")
    assert judge(any_shop, good, own) is Decision.PASSED
    assert judge(any_shop, bad, own) is Decision.REFUSED
    found = gate.verify(good, demand(any_shop, own))
    assert (found.digest, found.verifier_id) == (any_shop.installed.digests["clean"], VERIFIER)
    assert found.key_id == any_shop.installed.public_key().key_id
    assert found.environments == ("production", "staging")
    assert refusal(bad, demand(any_shop, own)) == "ATT_VERDICT_FAIL"


def test_d08_an_index_and_each_of_its_children_may_be_asked_for(any_shop: Shop, own: Path) -> None:
    reference = any_shop.reference("index-good", "verdict/index")
    repository = reference.partition("@")[0]
    verdict = gate.check(reference, any_shop.installed.options(own, registry=any_shop.options)).verdict
    assert len(verdict.subjects) == 2
    for digest in (any_shop.installed.digests["index-good"], *(subject.digest for subject in verdict.subjects)):
        assert gate.verify(f"{repository}@{digest}", demand(any_shop, own)).digest == digest
    (skipped, _) = verdict.skipped
    assert refusal(f"{repository}@{skipped.digest}", demand(any_shop, own)) == "ATT_MISSING"


def test_a_child_in_a_layout_may_be_asked_for(installed: Installation, own: Path, tmp_path: Path) -> None:
    layout = installed.copy("index-good", tmp_path / "image")
    name = parse_repository(f"{SHOP}/web")
    verdict = gate.check(f"oci:{layout}", installed.options(own, name=name)).verdict
    for subject in verdict.subjects:
        assert gate.verify(f"oci:{layout}@{subject.digest}", installed.demands(own, name=name)).digest == subject.digest
    elsewhere = parse_repository(f"{SHOP}/other")
    assert refusal(f"oci:{layout}", installed.demands(own, name=elsewhere)) == "ATT_RESOURCE_MISMATCH"


def test_a_requirement_demands_by_repository(shop: Shop, installed: Installation, own: Path) -> None:
    judged, signed = shop.reference("clean", "required/web"), shop.reference("alpine-clean", "vendor/tool")
    assert judge(shop, judged, own) is Decision.PASSED
    key = {"key": {"file": "keys/gate.pub"}, "verifierId": VERIFIER}
    verdict = {"signedBy": [key], "policies": [{"file": "policy.yaml"}], "environment": "production", "maxAge": "7d"}
    vendor = {"anyOf": [{"key": {"file": "keys/build.pub"}}]}
    document = requirement(
        installed.root,
        {"match": f"{shop.registry.host}/required/**", "verdict": verdict},
        {"match": f"{shop.registry.host}/vendor/**", "signature": vendor},
        {"match": f"{shop.registry.host}/strict/**", "signature": {"anyOf": [{"key": {"file": "keys/stranger.pub"}}]}},
    )
    options = VerifyOptions(places=installed.places(own), requirement=document)
    assert gate.verify(judged, options).policy == Digest.of(installed.policy.read_bytes())
    assert gate.verify(signed, options).key_id == installed.public_key("build").key_id
    assert refusal(shop.reference("clean", "strict/web"), options) == "SIG_INVALID"
    assert refusal(shop.reference("unsigned", "vendor/unsigned", signed=False), options) == "SIG_MISSING"
    assert refusal(shop.reference("clean", "unlisted/web"), options) == "REF_REGISTRY"


def test_what_no_entry_is_about_is_refused_without_asking(installed: Installation, own: Path) -> None:
    document = requirement(
        installed.root, {"match": "registry.example/**", "signature": {"anyOf": [{"key": {"file": "keys/build.pub"}}]}}
    )
    options = VerifyOptions(places=installed.places(own), requirement=document)
    with pytest.raises(ReferenceRefusedError) as refused:
        gate.verify(f"127.0.0.1:{free_port()}/shop/web@sha256:{'0' * 64}", options)
    assert refused.value.code == "REF_REGISTRY"


def test_c02_no_verdict(any_shop: Shop, own: Path) -> None:
    reference = any_shop.reference("clean", "codes/missing", signed=False)
    assert refusal(reference, demand(any_shop, own)) == "ATT_MISSING"
    any_shop.installed.sign(reference, any_shop.options)
    # A signature of the image is no verdict.
    assert refusal(reference, demand(any_shop, own)) == "ATT_MISSING"
    judge(any_shop, reference, own)
    assert lets_in(reference, demand(any_shop, own))


def test_a_tag_is_never_verified(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "codes/tag")
    judge(shop, reference, own)
    assert refusal(f"{reference.partition('@')[0]}:latest", demand(shop, own)) == "REF_NOT_DIGEST"
    assert lets_in(reference, demand(shop, own))


# What the stage demands → the code with which the same good verdict is refused.
OTHERWISE: dict[str, tuple[str, Callable[[Installation], dict[str, object]]]] = {
    "another key": ("ID_MISMATCH", lambda installed: {"keys": (installed.public_key("stranger"),)}),
    "another verifier": ("ID_MISMATCH", lambda _: {"verifier_id": "https://gate.other.example/ci"}),
    "another policy": ("ATT_POLICY_STALE", lambda _: {"policies": frozenset({Digest.of(b"another policy")})}),
    "another environment": ("ATT_ENVIRONMENT", lambda _: {"environment": "development"}),
    "no environment": ("ATT_ENVIRONMENT", lambda _: {"environment": None}),
    "a timestamp": ("SIG_NO_TRUSTED_TIME", lambda _: {"require_timestamp": True}),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_a_good_verdict_is_not_good_for_everything(case: str, shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "codes/demands")
    judge(shop, reference, own)
    code, changes = OTHERWISE[case]
    assert refusal(reference, demand(shop, own, **changes(shop.installed))) == code
    assert lets_in(reference, demand(shop, own, verifier_id=VERIFIER, environment="staging"))


def test_a_verdict_grows_old(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "codes/old")
    judge(shop, reference, own)
    assert lets_in(reference, demand(shop, own), clock=later(6.9))
    assert refusal(reference, demand(shop, own), clock=later(7.1)) == "ATT_EXPIRED"
    assert refusal(reference, demand(shop, own, max_age=timedelta(days=30)), clock=later(7.1)) == "ATT_EXPIRED"
    assert refusal(reference, demand(shop, own, max_age=timedelta(hours=1)), clock=later(0.1)) == "ATT_EXPIRED"


def summary_of(shop: Shop, reference: str, own: Path) -> bytes:
    """Judge an image and give the bundle of its verdict."""
    file = own / "verdict.json"
    judge(shop, reference, own, attestation_file=file)
    return file.read_bytes()


def attach(shop: Shop, reference: str, bundle: bytes) -> None:
    """Hang a bundle on an image, as anybody who may push can."""
    parsed = parse_reference(reference)
    assert isinstance(parsed, RegistryReference)
    assert parsed.digest is not None
    with RegistryClient(shop.options, Deadline.after(timedelta(minutes=1))) as client:
        fetched = client.manifest(parsed.repository, parsed.digest)
        subject = Descriptor(media_type=fetched.media_type, digest=fetched.digest, size=len(fetched.content))
        manifest = render_referrer_manifest(
            bundle, subject=subject, predicate_type=VERIFICATION_SUMMARY, created=datetime.now(UTC)
        )
        client.attach(parsed.repository, subject, manifest, (EMPTY_CONFIG, bundle))


def test_a_verdict_that_was_altered(any_shop: Shop, own: Path) -> None:
    reference = any_shop.reference("clean", "codes/good")
    bundle = summary_of(any_shop, reference, own)
    altered = json.loads(bundle)
    signature = altered["dsseEnvelope"]["signatures"][0]
    signature["sig"] = signature["sig"][:20] + ("A" if signature["sig"][20] != "A" else "B") + signature["sig"][21:]
    target = any_shop.reference("clean", "codes/altered")
    attach(any_shop, target, json.dumps(altered).encode())
    assert refusal(target, demand(any_shop, own)) == "SIG_INVALID"
    assert lets_in(reference, demand(any_shop, own))


def test_a03_a_verdict_about_another_image(any_shop: Shop, own: Path) -> None:
    bundle = summary_of(any_shop, any_shop.reference("clean", "codes/subject"), own)
    other = any_shop.reference("root-user", "codes/subject")
    attach(any_shop, other, bundle)
    assert refusal(other, demand(any_shop, own)) == "ATT_SUBJECT_MISMATCH"
    assert lets_in(any_shop.reference("clean", "codes/subject"), demand(any_shop, own))


def test_a_verdict_that_was_copied_to_another_repository(any_shop: Shop, own: Path) -> None:
    bundle = summary_of(any_shop, any_shop.reference("clean", "codes/first"), own)
    copied = any_shop.reference("clean", "codes/second")
    attach(any_shop, copied, bundle)
    assert refusal(copied, demand(any_shop, own)) == "ATT_RESOURCE_MISMATCH"
    judge(any_shop, copied, own)
    assert lets_in(copied, demand(any_shop, own))


def test_a_newer_verdict_takes_a_pass_back(any_shop: Shop, own: Path) -> None:
    policy = own / "policy.yaml"
    image = {"user": "non-root", "maxAge": "1d"}
    policy.write_bytes(shop_policy(any_shop.installed, image=image))
    demands = demand(any_shop, own, policies=frozenset({Digest.of(policy.read_bytes())}))
    reference = any_shop.reference("clean", "codes/newer")
    passed = judge(any_shop, reference, own, policy=policy, attestation_file=own / "verdict.json")
    assert passed is Decision.PASSED
    assert lets_in(reference, demands, clock=later(2))
    again = judge(any_shop, reference, own, policy=policy, reissue=True, clock=later(1.5))
    assert again is Decision.REFUSED
    assert refusal(reference, demands, clock=later(2)) == "ATT_NEWER_FAIL"
    # An older pass that is published after it, by whoever kept it, changes nothing.
    attach(any_shop, reference, (own / "verdict.json").read_bytes())
    assert refusal(reference, demands, clock=later(2)) == "ATT_NEWER_FAIL"


def test_a_registry_that_is_not_there(shop: Shop, own: Path) -> None:
    digest = shop.installed.digests["clean"]
    gone = f"127.0.0.1:{free_port()}/shop/web@{digest}"
    with pytest.raises(RegistryError) as refused:
        gate.verify(gone, demand(shop, own, timeout=timedelta(seconds=3)))
    assert refused.value.code == "REG_UNREACHABLE"


def test_a_verdict_in_a_file_needs_no_registry(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "codes/file")
    summary_of(shop, reference, own)
    offline = demand(shop, own, attestation_file=own / "verdict.json", offline=True)
    assert lets_in(reference, offline)
    repository = reference.partition("@")[0]
    assert refusal(f"{repository}@{shop.installed.digests['root-user']}", offline) == "ATT_SUBJECT_MISMATCH"
    assert refusal(f"{SHOP}/web@{shop.installed.digests['clean']}", offline) == "ATT_RESOURCE_MISMATCH"
    assert refusal(reference, dataclasses.replace(offline, attestation_file=None)) == "REG_OFFLINE"


def test_cosign_reads_a_passed_verdict_and_never_takes_a_failed_one_for_a_signature(
    any_shop: Shop, cosign: Cosign, own: Path
) -> None:
    cosign.log_in(any_shop.registry)
    gate_key, build_key = any_shop.installed.public_key_file(), any_shop.installed.public_key_file("build")
    good, bad = any_shop.reference("clean", "cosign/good"), any_shop.reference("setuid", "cosign/bad")
    assert judge(any_shop, good, own) is Decision.PASSED
    assert judge(any_shop, bad, own) is Decision.REFUSED
    summary = ("--type", VERIFICATION_SUMMARY)
    assert cosign.verifies(good, gate_key, *summary, command="verify-attestation")
    assert not cosign.verifies(bad, gate_key, *summary, command="verify-attestation")
    # Cosign takes any attestation by a key for a signature; a FAILED verdict must not be one.
    assert cosign.verifies(good, gate_key)
    assert not cosign.verifies(bad, gate_key)
    # It did look: the build's signature on the same image is found.
    assert cosign.verifies(bad, build_key)


def test_failed_verdicts_may_have_a_key_of_their_own(shop: Shop, cosign: Cosign, own: Path) -> None:
    cosign.log_in(shop.registry)
    installed = shop.installed
    good, bad = shop.reference("clean", "two-keys/good"), shop.reference("exposed-ssh", "two-keys/bad")
    for reference in (good, bad):
        judge(shop, reference, own, fail_signer=installed.signer("fail"))
    both = demand(shop, own, fail_keys=(installed.public_key("fail"),))
    assert gate.verify(good, both).key_id == installed.public_key().key_id
    assert refusal(bad, both) == "ATT_VERDICT_FAIL"
    # Whoever does not know the second key sees a stranger, and refuses, too.
    assert refusal(bad, demand(shop, own)) == "ID_MISMATCH"
    for key in ("gate", "fail"):
        assert not cosign.verifies(bad, installed.public_key_file(key))
    # The second key can never let anything in.
    sneaked = shop.reference("clean", "two-keys/sneaked")
    judge(shop, sneaked, own, signer=installed.signer("fail"))
    assert refusal(sneaked, both) == "ID_MISMATCH"


@pytest.mark.parametrize("legacy", [False, True], ids=["bundle", "legacy"])
def test_cosign_verifies_what_the_gate_signs(legacy: bool, any_shop: Shop, cosign: Cosign) -> None:  # noqa: FBT001
    cosign.log_in(any_shop.registry)
    installed = any_shop.installed
    form = "legacy" if legacy else "bundle"
    reference = any_shop.reference("clean", f"signed/{form}", signed=False)
    options = f"--new-bundle-format={str(not legacy).lower()}"
    key = installed.public_key_file("build")
    assert not cosign.verifies(reference, key, options)
    signer = installed.signer("build")
    sign(reference, signer=signer, annotations={"env": "ci"}, registry=any_shop.options, legacy=legacy)
    assert cosign.verifies(reference, key, options, "-a", "env=ci")
    assert not cosign.verifies(reference, key, options, "-a", "env=production")
    assert not cosign.verifies(reference, installed.public_key_file("stranger"), options)


@pytest.mark.parametrize("bundle", [True, False], ids=["bundle", "legacy"])
def test_the_policy_accepts_what_cosign_signs(bundle: bool, any_shop: Shop, cosign: Cosign, own: Path) -> None:  # noqa: FBT001
    cosign.log_in(any_shop.registry)
    installed = any_shop.installed
    form = "bundle" if bundle else "legacy"
    reference = any_shop.reference("unsigned", f"by-cosign/{form}", signed=False)
    assert judge(any_shop, reference, own) is Decision.REFUSED
    cosign.sign(reference, installed.private_key("stranger"), bundle=bundle)
    assert judge(any_shop, reference, own) is Decision.REFUSED
    cosign.sign(reference, installed.private_key("build"), bundle=bundle)
    assert judge(any_shop, reference, own) is Decision.PASSED


def test_a_tag_is_never_signed(shop: Shop, installed: Installation) -> None:
    repository = shop.reference("clean", "signed/tag", signed=False).partition("@")[0]
    with pytest.raises(ReferenceRefusedError) as refused:
        installed.sign(f"{repository}:latest")
    assert refused.value.code == "REF_NOT_DIGEST"


def test_a_repository_that_was_copied_whole_needs_verdicts_of_its_own(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "moved/from")
    judge(shop, reference, own)
    storage = shop.registry.directory
    shutil.copytree(storage / "moved" / "from", storage / "moved" / "to")
    copied = reference.replace("moved/from", "moved/to")
    with pytest.raises(AttestationError) as refused:
        gate.verify(copied, demand(shop, own))
    assert refused.value.code == "ATT_RESOURCE_MISMATCH"
    # The signature of the image is about its digest alone, and moves with it.
    options = VerifyOptions(
        places=shop.installed.places(own),
        requirement=requirement(
            shop.installed.root,
            {
                "match": f"{shop.registry.host}/moved/**",
                "signature": {"anyOf": [{"key": {"file": "keys/build.pub"}}]},
            },
        ),
    )
    assert gate.verify(copied, options).digest == shop.installed.digests["clean"]


def test_a_signature_that_nobody_asked_for_says_nothing(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "codes/by-stranger", signed=False)
    shop.installed.sign(reference, key="gate")
    with pytest.raises((AttestationError, SignatureError)) as refused:
        gate.verify(reference, demand(shop, own))
    assert refused.value.code == "ATT_MISSING"
