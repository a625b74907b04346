"""Whole checks while somebody else lies: a registry, an attachment, a neighbour, a pull request, a pipeline that looks away.

Attacks C02, D04, L10, L11, L12, P06 and V15, each beside an honest twin.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import gate
from gate.clock import Deadline
from gate.errors import AttestationError
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Descriptor
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.options import CheckRun
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.integration.conftest import Shop
from tests.support.command import Told, places_of, run_gate
from tests.support.hostile import HostileRegistry, answer, hostile_registry, sequence
from tests.support.images import attachment_manifest
from tests.support.installation import SHOP, Installation, shop_policy
from tests.support.policies import as_bytes, policy_document
from tests.support.runs import codes
from tests.support.scanners import DPKG, debian_files, write_image
from tools.images.archive import file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

CYCLONEDX: Final = "application/vnd.cyclonedx+json"
OPENVEX: Final = "application/vnd.openvex+json"


def unsigned_policy(installed: Installation, own: Path) -> Path:
    """Return the shop's policy for images that nobody signed."""
    policy = own / "unsigned.yaml"
    policy.write_bytes(shop_policy(installed, signature=None))
    return policy


@pytest.fixture
def liar() -> Iterator[HostileRegistry]:
    with hostile_registry() as registry:
        yield registry


def serve_turning(liar: HostileRegistry, honest: Path, other: Path, *, first: bool) -> str:
    """Serve an image once and another one's bytes at every later asking, or the other one from the first; give its reference."""

    def image(layout: Path) -> tuple[bytes, list[bytes]]:
        blobs = layout / "blobs/sha256"
        index = json.loads((layout / "index.json").read_bytes())
        manifest = (blobs / index["manifests"][0]["digest"].partition(":")[2]).read_bytes()
        named = [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]
        return manifest, [(blobs / blob["digest"].partition(":")[2]).read_bytes() for blob in named]

    good, goods = image(honest)
    bad, bads = image(other)
    served = {f"blobs/{Digest.of(own)}": (own, bads[min(place, len(bads) - 1)]) for place, own in enumerate(goods)}
    for path, (own, foreign) in {f"manifests/{Digest.of(good)}": (good, bad), **served}.items():
        # The header goes on claiming what was asked for.
        headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": str(Digest.of(own))}
        scripts = [answer(200, content, headers) for content in ((own, foreign) if first else (foreign,))]
        liar.on("GET", f"/v2/shop/web/{path}", sequence(*scripts))
    return f"{liar.host}/shop/web@{Digest.of(good)}"


def test_d04_what_is_served_at_a_second_asking_is_judged_by_nobody(
    liar: HostileRegistry, installed: Installation, own: Path
) -> None:
    reference = serve_turning(liar, installed.layout("clean"), installed.layout("secret-env"), first=True)
    options = installed.options(own, cold=True, signer=None, policy=unsigned_policy(installed, own))
    run = gate.check(reference, options)
    assert (run.verdict.decision, codes(run)) == (Decision.PASSED, set())
    # Scanners, secrets and configuration had one and the same image: each part of it was asked for once.
    asked = [seen.path for seen in liar.requests if "/sha256:" in seen.path]
    assert len(asked) == len(set(asked)) > 1


def test_d04_twin_the_other_image_under_the_asked_digest_is_refused(
    liar: HostileRegistry, installed: Installation, own: Path
) -> None:
    reference = serve_turning(liar, installed.layout("clean"), installed.layout("secret-env"), first=False)
    options = installed.options(own, cold=True, signer=None, policy=unsigned_policy(installed, own))
    run = gate.check(reference, options)
    assert (run.verdict.decision, run.attestations) == (Decision.ERROR, ())
    assert codes(run) == {"REG_DIGEST_MISMATCH"}


def vex(reference: str) -> dict[str, Any]:
    """Return what an author of an image would like to be believed."""
    digest = reference.partition("@")[2]
    packages = [{"@id": f"pkg:npm/{name}"} for name in ("lodash@4.17.11", "minimist@1.2.5")]
    statements = [
        {
            "vulnerability": {"name": name}, "status": "not_affected", "justification": "component_not_present",
            "products": [{"@id": f"pkg:oci/web@{digest}", "subcomponents": packages}, *packages],
        }
        for name in ("CVE-2019-10744", "CVE-2021-44906", "CVE-2020-8203", "CVE-2021-23337")
    ]  # fmt: skip
    head = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://x/vex", "author": "x", "version": 1}
    return {**head, "timestamp": "2026-01-01T00:00:00Z", "statements": statements}


def attach(reference: str, content: object, media_type: str) -> None:
    """Hang a document on an image, as anybody who may push can."""
    parsed = parse_reference(reference)
    assert isinstance(parsed, RegistryReference)
    assert parsed.digest is not None
    document = json.dumps(content).encode()
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        fetched = client.manifest(parsed.repository, parsed.digest)
        subject = Descriptor(media_type=fetched.media_type, digest=fetched.digest, size=len(fetched.content))
        manifest = attachment_manifest(subject, document, media_type=media_type)
        client.attach(parsed.repository, subject, manifest, (b"{}", document))


def findings(run: CheckRun) -> set[str]:
    return {judged.finding.fingerprint for judged in run.verdict.findings if judged.counts}


@pytest.mark.parametrize("row", ["l10", "l11"])
def test_l10_l11_a_list_of_packages_or_a_vex_document_that_hangs_on_the_image_takes_nothing_away(
    row: str, shop: Shop, installed: Installation, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("TRIVY_SBOM_SOURCES", "TRIVY_VEX"):
        monkeypatch.setenv(variable, "oci")
    reference = shop.reference("vulnerable-npm", f"{row}/web")
    before = gate.check(reference, installed.options(own, signer=None))
    empty = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}
    attach(reference, *((empty, CYCLONEDX) if row == "l10" else (vex(reference), OPENVEX)))
    after = gate.check(reference, installed.options(own, cold=True, signer=None, reissue=True))
    assert codes(after) == codes(before) == {"VULN_FOUND"}
    assert findings(after) == findings(before) != set()
    # The same words from a file that the policy's owner names are believed.
    if row == "l11":
        document = own / "vex.json"
        document.write_text(json.dumps(vex(reference)), encoding="utf-8")
        policy = own / "policy.yaml"
        pinned = {"file": document.name, "sha256": Digest.of(document.read_bytes()).hex}
        policy.write_bytes(shop_policy(installed, vulnerabilities={"failOn": "high", "vex": [pinned]}))
        assert findings(gate.check(reference, installed.options(own, signer=None, policy=policy))) < findings(before)


@pytest.mark.parametrize(
    ("edited", "scanners", "expected"),
    [
        (False, ["trivy"], {"VULN_FOUND"}),
        (True, ["trivy"], {"SCAN_INCOMPLETE"}),
        (True, ["trivy", "grype"], {"VULN_FOUND"}),
    ],
)
def test_l12_one_edited_line_that_blinds_trivy_lets_nothing_pass(
    edited: bool,  # noqa: FBT001 - a table
    scanners: list[str],
    expected: set[str],
    installed: Installation,
    own: Path,
    tmp_path: Path,
) -> None:
    status = DPKG.partition("Package: zlib1g")[0]
    if edited:
        status = status.replace("nobody <nobody@example.org>", "NVIDIA <cudatools@nvidia.com>", 1)
    entries = [*debian_files()[:2], file("var/lib/dpkg/status", status)]
    write_image(tmp_path / "image", entries)
    policy = own / "policy.yaml"
    quorum = "all" if len(scanners) > 1 else "any"
    wanted = {"scanners": {"require": scanners, "quorum": quorum}, "unknownSeverity": "low"}
    policy.write_bytes(as_bytes(policy_document(vulnerabilities=wanted)))
    run = gate.check(f"oci:{tmp_path / 'image'}", installed.options(own, signer=None, policy=policy))
    assert (run.verdict.decision, codes(run)) == (Decision.REFUSED, expected)


def test_p06_a_policy_that_a_pull_request_changed_passes_what_no_stage_takes(
    shop: Shop, installed: Installation, own: Path
) -> None:
    changed = own / "policy.yaml"
    changed.write_bytes(shop_policy(installed, vulnerabilities=None))
    reference = shop.reference("vulnerable-npm", "p06/web")
    assert gate.check(reference, installed.options(own, policy=changed)).verdict.decision is Decision.PASSED
    with pytest.raises(AttestationError) as refused:
        gate.verify(reference, installed.demands(own))
    assert refused.value.code == "ATT_POLICY_STALE"
    named = installed.demands(own, policies=frozenset({Digest.of(changed.read_bytes())}))
    assert gate.verify(reference, named).digest == installed.digests["vulnerable-npm"]


def test_c02_a_pipeline_that_hides_the_exit_code_hides_no_verdict(
    tell: Callable[..., Told], shop: Shop, installed: Installation
) -> None:
    arguments = ("--key", str(installed.private_key()), "--policy", str(installed.policy), "--exit-code", "0")
    bad, good = shop.reference("root-user", "c02/bad"), shop.reference("clean", "c02/good")
    assert [tell("check", reference, *arguments).exit_code for reference in (bad, good)] == [0, 0]
    stage = (
        "--key",
        str(installed.public_key_file()),
        "--policy",
        str(installed.policy),
        "--environment",
        "production",
    )
    refused, passed = tell("verify", bad, *stage), tell("verify", good, *stage)
    assert (refused.exit_code, refused.codes) == (1, ["ATT_VERDICT_FAIL"])
    assert passed.exit_code == 0


def test_v15_runs_at_once_on_one_cold_cache_say_what_each_says_alone(installed: Installation, own: Path) -> None:
    names = ["clean", "vulnerable-npm", "clean", "vulnerable-npm"]

    def judge(numbered: tuple[int, str]) -> tuple[int, set[str]]:
        folder = own / str(numbered[0])
        folder.mkdir()
        reference, name = f"oci:{installed.layout(numbered[1])}", f"{SHOP}/{numbered[1]}"
        places = [f"--cache-dir={own / 'cache'}", *places_of(installed, folder)[1:]]
        done = run_gate(
            "check", reference, "--as", name, "-p", str(installed.policy), *places, "-f", "json", cwd=folder
        )
        (image,) = json.loads(done.stdout)["images"]
        return done.returncode, {code for check in image["checks"] for code in check["codes"]}

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(judge, enumerate(names)))
    assert told == [(0, set()), (1, {"VULN_FOUND"})] * 2
