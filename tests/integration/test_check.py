"""`gate check` on every image of the demo, on real scanners and a real registry: what is decided, recorded and attached."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import gate
from gate.errors import AttestationError
from gate.model.decision import Decision
from gate.model.image import Platform
from gate.model.reference import parse_repository
from gate.pipeline.options import CheckRun
from tests.integration.conftest import Shop
from tests.support.installation import SHOP, Installation, shop_policy
from tests.support.runs import attached, codes, exit_code, kinds

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

PASSED, REFUSED = Decision.PASSED, Decision.REFUSED
EXIT_CODES = {PASSED: 0, REFUSED: 1}
# Each image with exactly the codes that the shop's policy finds in it; none means that it passes.
EXPECTED: dict[str, set[str]] = {
    "clean": set(),
    "alpine-clean": set(),
    "unsigned": {"SIG_MISSING"},
    "index-good": set(),
    "index-bad-child": {"SECRET_FOUND"},
    "vulnerable-python": {"VULN_FOUND", "VULN_SEVERITY_UNKNOWN"},
    "vulnerable-npm": {"VULN_FOUND"},
    "vulnerable-maven": {"VULN_FOUND"},
    "vulnerable-debian": {"VULN_FOUND", "VULN_KEV", "VULN_SEVERITY_UNKNOWN"},
    "secret-deleted": {"SECRET_LAYER"},
    "secret-env": {"SECRET_CONFIG"},
    "secret-history": {"SECRET_CONFIG"},
    "root-user": {"IMG_USER_ROOT"},
    "setuid": {"IMG_SETUID"},
    "exposed-ssh": {"IMG_PORT"},
    "old-packagedb-removed": {"IMG_PKGDB_REMOVED"},
    "end-of-life": {"SCAN_OS_EOL"},
    "unknown-os": {"SCAN_OS_UNKNOWN"},
}
INDEXES = {"index-good", "index-bad-child"}
AMD64, ARM64, S390X = Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("linux", "s390x")


def expect(name: str, run: CheckRun) -> None:
    decision = REFUSED if EXPECTED[name] else PASSED
    assert (run.verdict.decision, exit_code(run)) == (decision, EXIT_CODES[decision])
    assert codes(run) == EXPECTED[name]
    # The evidence, and the verdict itself on the index and both of its children, or on the one image.
    assert len(run.attestations) == (4 if name in INDEXES else 2)


def expect_demand(image: str, reference: str, installed: Installation, own: Path, **changes: object) -> None:
    """See that the deploy stage lets in what passed, and nothing else."""
    demands = installed.demands(own, **changes)
    if not EXPECTED[image]:
        assert gate.verify(reference, demands).digest == installed.digests[image]
        return
    with pytest.raises(AttestationError) as refused:
        gate.verify(reference, demands)
    assert refused.value.code == "ATT_VERDICT_FAIL"


@pytest.mark.parametrize("name", EXPECTED)
def test_every_image_from_a_registry(name: str, shop: Shop, installed: Installation, own: Path) -> None:
    reference = shop.reference(name, signed=name != "unsigned")
    run = gate.check(reference, installed.options(own))
    expect(name, run)
    expect_demand(name, reference, installed, own)
    assert kinds(installed.options(own)) == ["verdict", "intent", "published"]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_image_from_a_layout(name: str, installed: Installation, own: Path, tmp_path: Path) -> None:
    reference = f"oci:{installed.copy(name, tmp_path / 'image')}"
    repository = parse_repository(f"{SHOP}/{name}")
    file = tmp_path / "verdict.json"
    run = gate.check(reference, installed.options(own, name=repository, attestation_file=file))
    expect(name, dataclasses.replace(run, attestations=run.attestations[:-1]))
    assert run.attestations[-1].place == str(file)
    expect_demand(name, reference, installed, own, name=repository)
    digest = f"{repository}@{installed.digests[name]}"
    expect_demand(name, digest, installed, own, attestation_file=file, offline=True)


def test_an_index_is_judged_by_every_child_and_attested_on_each(shop: Shop, installed: Installation, own: Path) -> None:
    run = gate.check(shop.reference("index-good", "children/good"), installed.options(own))
    verdict = run.verdict
    assert {str(subject.platform) for subject in verdict.subjects} == {"linux/amd64", "linux/arm64/v8"}
    assert [skipped.reason for skipped in verdict.skipped] == ["attestation", "attestation"]
    assert {issued.subject for issued in run.attestations} == {
        installed.digests["index-good"],
        *(subject.digest for subject in verdict.subjects),
    }
    bad = gate.check(shop.reference("index-bad-child", "children/bad"), installed.options(own)).verdict
    (arm64,) = [subject for subject in bad.subjects if str(subject.platform) == "linux/arm64/v8"]
    assert {secret.subject for secret in bad.secrets} == {arm64.digest}


def test_d08_a_platform_that_is_asked_for_is_judged_alone(shop: Shop, installed: Installation, own: Path) -> None:
    reference = shop.reference("index-bad-child", "narrowed/web")
    run = gate.check(reference, installed.options(own, platforms=(AMD64,)))
    assert run.verdict.decision is PASSED
    (amd64,) = run.verdict.subjects
    # The index was not judged, so nothing may say that it passed.
    assert {issued.subject for issued in run.attestations} == {amd64.digest}
    child = f"{reference.partition('@')[0]}@{amd64.digest}"
    assert gate.verify(child, installed.demands(own)).digest == amd64.digest
    with pytest.raises(AttestationError) as refused:
        gate.verify(reference, installed.demands(own))
    assert refused.value.code in {"ATT_MISSING", "ATT_TYPE_MISSING"}


@pytest.mark.parametrize("name", ["index-good", "clean"])
def test_a_platform_that_is_not_there_is_no_pass(name: str, shop: Shop, installed: Installation, own: Path) -> None:
    run = gate.check(shop.reference(name, "platforms/web"), installed.options(own, platforms=(S390X,)))
    assert (run.verdict.decision, codes(run)) == (REFUSED, {"IMG_PLATFORM_UNSCANNED"})


def test_d01_a_tag_is_refused_before_anything_is_fetched(shop: Shop, installed: Installation, own: Path) -> None:
    reference = shop.reference("clean", "tagged/web")
    repository, _, digest = reference.partition("@")
    before = attached(reference)
    options = installed.options(own)
    run = gate.check(f"{repository}:latest", options)
    assert (run.verdict.decision, exit_code(run), codes(run)) == (REFUSED, 1, {"REF_NOT_DIGEST", "REF_REFUSED"})
    (check,) = [check for check in run.verdict.checks if check.id == "reference"]
    assert check.problems[0].next_step == f"use {repository}@{digest}"
    assert (run.attestations, attached(reference)) == ((), before)
    assert kinds(options) == ["verdict"]
    # The same tag beside its digest is judged by the digest.
    assert gate.check(f"{repository}:latest@{digest}", options).verdict.decision is PASSED


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a port on which nobody answers and every knock is heard."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


@pytest.mark.parametrize("suffix", [f"@sha256:{'0' * 64}", ":latest", ""])
def test_a_repository_that_is_not_allowed_is_never_asked(
    suffix: str, listener: socket.socket, installed: Installation, own: Path
) -> None:
    policy = own / "policy.yaml"
    policy.write_bytes(shop_policy(installed, references={"registries": ["registry.example/shop/**"]}))
    port = listener.getsockname()[1]
    run = gate.check(f"127.0.0.1:{port}/shop/web{suffix}", installed.options(own, policy=policy))
    assert run.verdict.decision is REFUSED
    why = {"REF_REGISTRY"} if suffix.startswith("@") else {"REF_REGISTRY", "REF_NOT_DIGEST"}
    assert codes(run) == {*why, "REF_REFUSED"}
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_repository_that_is_allowed_is_asked(shop: Shop, installed: Installation, own: Path) -> None:
    policy = own / "policy.yaml"
    policy.write_bytes(shop_policy(installed, references={"registries": [f"{shop.registry.host}/allowed/*"]}))
    assert (
        gate.check(shop.reference("clean", "allowed/web"), installed.options(own, policy=policy)).verdict.decision
        is PASSED
    )
    elsewhere = gate.check(shop.reference("clean", "allowed/deep/web"), installed.options(own, policy=policy))
    assert codes(elsewhere) == {"REF_REGISTRY", "REF_REFUSED"}
