"""`gate attest` and `gate policy export` as they are typed: two jobs on one file, exit codes, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest
import yaml

from gate.model.digest import Digest
from tests.integration.conftest import Shop
from tests.support.command import places_of, run_gate
from tests.support.installation import VERIFIER
from tests.support.policies import as_bytes, requirement_document

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

Gate = Callable[..., CompletedProcess[str]]
REFUSED: Final = 1


@pytest.fixture
def gate_says(shop: Shop, own: Path, tmp_path: Path) -> Gate:
    """Return the command with the places of the installation, where it takes them."""

    def say(*arguments: str, places: bool = False) -> CompletedProcess[str]:
        return run_gate(*arguments, *(places_of(shop.installed, own) if places else ()), cwd=tmp_path)

    return say


def listed(done: CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(done.stdout)[kind]
    return rows


def test_two_jobs_hand_one_file_over(shop: Shop, gate_says: Gate, own: Path, tmp_path: Path) -> None:
    reference, policy = shop.reference("clean", "shop/handed-over"), str(shop.installed.policy)
    file = tmp_path / "verdict.unsigned"
    done = gate_says("check", reference, "-p", policy, "--unsigned-verdict", str(file), places=True)
    assert done.returncode == 0, done.stderr
    digest = str(Digest.of(file.read_bytes()))
    # The command that is printed is the one to type: it names the file, its digest and the image.
    told = f"gate attest sign {file} --file-digest {digest} --image {reference}"
    assert told in " ".join((done.stdout + done.stderr).split())
    key, record = str(shop.installed.private_key()), f"--record={own / 'other.db'}"
    signing = ("attest", "sign", str(file), "-p", policy, "--key", key, record)
    other = gate_says(*signing, "--file-digest", str(Digest.of(b"")), "--image", reference)
    assert (other.returncode, "ATT_BYTES" in other.stderr) == (REFUSED, True)
    there = shop.reference("alpine-clean", "shop/handed-over")
    elsewhere = gate_says(*signing, "--file-digest", digest, "--image", there)
    assert (elsewhere.returncode, "ATT_SUBJECT_MISMATCH" in elsewhere.stderr) == (REFUSED, True)
    signed = gate_says(*signing, "--file-digest", digest, "--image", reference)
    assert signed.returncode == 0, signed.stderr
    public = str(shop.installed.public_key_file())
    admitted = gate_says("verify", reference, "--key", public, "--policy", policy, "--environment", "production")
    assert admitted.returncode == 0, admitted.stderr


def test_a_verdict_is_written_in_the_forms_that_are_asked_for(shop: Shop, gate_says: Gate, tmp_path: Path) -> None:
    reference = shop.reference("clean", "shop/written")
    command = ("check", reference, "-p", str(shop.installed.policy), "--key", str(shop.installed.private_key()))
    bundle, envelope = tmp_path / "verdict.json", tmp_path / "verdict.dsse.json"
    assert gate_says(*command, places=True).returncode == 0
    assert not bundle.exists()
    assert not envelope.exists()
    done = gate_says(*command, "--attestation", str(bundle), "--dsse", str(envelope), places=True)
    assert done.returncode == 0, done.stderr
    signed, bare = json.loads(bundle.read_bytes())["dsseEnvelope"], json.loads(envelope.read_bytes())
    assert (bare["payload"], bare["payloadType"]) == (signed["payload"], signed["payloadType"])


def test_show_lists_what_hangs_on_a_digest(shop: Shop, gate_says: Gate, tmp_path: Path) -> None:
    reference = shop.reference("clean", "shop/listed")
    public = str(shop.installed.public_key_file("build"))
    done = gate_says("attest", "show", reference, "--key", public, "-f", "json", "--save", str(tmp_path / "saved"))
    (row,) = listed(done, "attachments")
    assert (row["state"], row["type"]) == ("ok", "signature of the image")
    assert (tmp_path / "saved" / f"sha256-{Digest(row['digest']).hex}.json").is_file()
    under_policy = gate_says("attest", "show", reference, "-p", str(shop.installed.policy), "-f", "json")
    assert listed(under_policy, "attachments")[0]["state"] == "ok"
    stranger = str(shop.installed.public_key_file("stranger"))
    foreign = gate_says("attest", "show", reference, "--key", stranger, "-f", "json")
    assert listed(foreign, "attachments")[0]["state"] == "ID_MISMATCH"
    tag = gate_says("attest", "show", reference.partition("@")[0] + ":latest")
    assert (tag.returncode, "REF_NOT_DIGEST" in tag.stderr) == (REFUSED, True)


def test_prune_names_what_is_superseded(shop: Shop, gate_says: Gate) -> None:
    reference = shop.reference("clean", "shop/pruned")
    done = gate_says(
        "attest", "prune", reference, "--key", str(shop.installed.public_key_file()), "--dry-run", "-f", "json"
    )
    assert done.returncode == 0, done.stderr
    assert listed(done, "pruned") == []
    layout = gate_says(
        "attest", "prune", f"oci:{shop.installed.layout('clean')}", "--key", str(shop.installed.public_key_file())
    )
    assert layout.returncode == 2


def test_export_writes_policies_of_other_controllers(shop: Shop, gate_says: Gate, tmp_path: Path) -> None:
    pem = shop.installed.public_key_file().read_text(encoding="utf-8")
    verdict = {
        "signedBy": [{"key": {"pem": pem}, "verifierId": VERIFIER}],
        "policies": [str(Digest.of(b"a policy"))],
        "environment": "production",
    }
    file = tmp_path / "requirement.yaml"
    file.write_bytes(as_bytes(requirement_document({"match": "registry.example/shop/**", "verdict": verdict})))
    kinds = {"--policy-controller": "ClusterImagePolicy", "--kyverno": "ClusterPolicy"}
    for option, kind in kinds.items():
        done = gate_says("policy", "export", str(file), option)
        assert done.returncode == 0, done.stderr
        assert yaml.safe_load(done.stdout)["kind"] == kind
    assert gate_says("policy", "export", str(file)).returncode == 2
    assert gate_says("policy", "export", str(file), *kinds).returncode == 2
