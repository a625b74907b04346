"""`gate verify`, `gate attest show` and `gate attest prune` over verdicts in a layout, as they are typed, offline."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gate.clock import Deadline
from gate.codec.strict_json import JsonValue
from gate.codec.vsa import evidence_input, render_summary
from gate.images.open_source import open_source
from gate.model.attachment import BUNDLE_V03
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST, Descriptor
from gate.model.reference import LayoutReference
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.signers.signing import sign_statement
from gate.store.record import open_record
from tests.cli.conftest import Run
from tests.support.images import SmallImage, attachment_manifest, described, index_of, small_image
from tests.support.layouts import write_layout
from tests.support.policies import requirement_document
from tests.support.signing import FAIL_KEY, FAILED, GATE, POLICY, REPOSITORY, VERIFIER, pem_of, summary
from tests.support.virtual_sigstore import VirtualSigstore, public_pem

AMD64, ARM64 = small_image(b"one"), small_image(b"two", architecture="arm64")
NOW: Final = datetime.now(UTC).replace(microsecond=0)


def child(image: SmallImage, architecture: str) -> dict[str, JsonValue]:
    return described(image.manifest, OCI_MANIFEST, platform={"os": "linux", "architecture": architecture})


INDEX = index_of(child(AMD64, "amd64"), child(ARM64, "arm64"))
ROOT = Descriptor(media_type=OCI_INDEX, digest=Digest.of(INDEX), size=len(INDEX))


@pytest.fixture(autouse=True)
def _layout(run: Run) -> None:
    del run
    blobs = [blob for image in (AMD64, ARM64) for blob in (image.manifest, *image.blobs)]
    write_layout(Path("image"), [described(INDEX, OCI_INDEX)], INDEX, *blobs)
    Path("gate.pub").write_bytes(pem_of(GATE.public_key))
    Path("fail.pub").write_bytes(pem_of(FAIL_KEY.public_key))


def attach(bundle: bytes, subject: Descriptor = ROOT) -> None:
    with RegistryClient(RegistryOptions(offline=True), Deadline.after(timedelta(seconds=9))) as client:
        writer = open_source(LayoutReference("image", ROOT.digest), client).writer
        assert writer is not None
        writer.attach(subject, attachment_manifest(subject, bundle, media_type=BUNDLE_V03), (bundle, b"{}"))


def verdict(*subjects: Digest, at: timedelta = timedelta(hours=1), **changes: Any) -> bytes:  # noqa: ANN401
    return render_summary(summary(at=NOW - at, subjects=subjects or (ROOT.digest,), **changes))


def failed(*subjects: Digest, at: timedelta = timedelta(minutes=30), **changes: Any) -> bytes:  # noqa: ANN401
    return render_summary(summary(FAILED, at=NOW - at, subjects=subjects or (ROOT.digest,), **changes))


def signed(payload: bytes) -> bytes:
    return sign_statement(GATE, payload).bundle


def demand(run: Run, *more: str) -> tuple[int, dict[str, Any]]:
    flags = more or ("--key", "gate.pub", "--policy", str(POLICY))
    result = run("verify", "oci:image", "--as", str(REPOSITORY), "--offline", "-f", "json", *flags)
    (image,) = json.loads(result.stdout)["images"]
    return result.exit_code, image


def test_y01_a_stamped_failed_verdict_by_a_key_without_a_root_takes_back(run: Run) -> None:
    vs = VirtualSigstore()
    Path("stamped.pub").write_bytes(public_pem(vs.key))
    attach(signed(verdict()))
    flags = ("--key", "gate.pub", "--fail-key", "stamped.pub", "--policy", str(POLICY))
    assert demand(run, *flags)[0] == 0
    attach(vs.stamp(vs.sign_statement(failed(), by_key=True), at=NOW - timedelta(minutes=29)).bundle())
    status, image = demand(run, *flags)
    assert (status, image["error"]["code"]) == (1, "ATT_NEWER_FAIL")
    assert sorted(row["code"] for row in image["evidence"]["setAside"]) == ["ATT_NEWER_FAIL", "ATT_VERDICT_FAIL"]


def test_what_is_set_aside_is_named_for_people_too(run: Run) -> None:
    attach(signed(verdict()))
    attach(sign_statement(FAIL_KEY, verdict()).bundle)
    result = run(
        "verify", "oci:image", "--as", str(REPOSITORY), "--offline", "--key", "gate.pub", "--policy", str(POLICY)
    )
    assert result.exit_code == 0
    assert "set aside  ID_MISMATCH" in result.stdout


def requirement(**spec: Any) -> None:  # noqa: ANN401
    signer = {"key": {"pem": pem_of(GATE.public_key).decode()}, "verifierId": VERIFIER}
    document = requirement_document({"match": "**", "verdict": {"signedBy": [signer], "policies": [str(POLICY)]}})
    document["spec"] |= spec
    Path("requirement.yaml").write_text(json.dumps(document))


def test_an_index_is_judged_by_the_children_of_the_nodes_platforms(run: Run) -> None:
    asked = ("--requirement", "requirement.yaml")
    attach(signed(verdict(AMD64.digest)), AMD64.descriptor)
    requirement()
    assert demand(run, *asked)[1]["error"]["code"] == "ATT_MISSING"
    requirement(platforms=["linux/amd64"])
    status, image = demand(run, *asked)
    assert (status, image["digest"]) == (0, str(AMD64.digest))
    requirement(platforms=["linux/amd64", "linux/arm64"])
    assert demand(run, *asked)[1]["error"]["code"] == "ATT_MISSING"
    attach(signed(verdict(ARM64.digest)), ARM64.descriptor)
    assert demand(run, *asked)[0] == 0
    attach(signed(failed(ARM64.digest)), ARM64.descriptor)
    assert demand(run, *asked)[1]["error"]["code"] == "ATT_NEWER_FAIL"
    requirement(platforms=["linux/s390x"])
    assert demand(run, *asked)[1]["error"]["code"] == "IMG_PLATFORM_UNSCANNED"


def test_show_says_in_words_what_a_verdict_says(run: Run) -> None:
    evidence = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://gate.example/evidence/v1",
        "subject": [{"name": "x", "digest": {"sha256": ROOT.digest.hex}}],
        "predicate": {
            "verdict": "FAILED",
            "checks": [
                {"id": "secret", "outcome": "pass", "codes": []},
                {"id": "vulnerability", "outcome": "fail", "codes": ["VULN_FOUND"]},
            ],
        },
    }
    payload = json.dumps(evidence).encode()
    attach(signed(payload))
    attach(signed(failed(environments=("production",), inputs=(evidence_input(payload),))))
    attach(signed(verdict(at=timedelta(hours=2))))
    result = run("attest", "show", "oci:image", "--key", "gate.pub", "-f", "json")
    assert result.exit_code == 0, result.stderr
    rows = {row["says"]: row for row in json.loads(result.stdout)["attachments"]}
    assert {
        key: rows["FAILED"][key] for key in ("state", "reasons", "policy", "environments", "judged")
    } == {
        "state": "ok", "reasons": "VULN_FOUND", "policy": str(POLICY), "environments": "production",
        "judged": (NOW - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    words = run("attest", "show", "oci:image", "--key", "gate.pub").stdout.replace("\n", " ")
    assert "refused (VULN_FOUND) under policy sha256:" in words
    assert "for production, at " in words
    assert "passed under policy sha256:" in words
    assert "for no environment, at " in words


def test_show_and_prune_know_a_trusted_root(run: Run) -> None:
    vs = VirtualSigstore()
    Path("root.json").write_bytes(vs.trusted_root())
    Path("virtual.pub").write_bytes(public_pem(vs.key))
    attach(vs.stamp(vs.sign_statement(verdict(), by_key=True), at=NOW - timedelta(minutes=59)).bundle())
    asked = ("attest", "show", "oci:image", "--key", "virtual.pub", "-f", "json")
    (row,) = json.loads(run(*asked).stdout)["attachments"]
    assert row["state"] == "SIG_TSA_UNTRUSTED"
    (row,) = json.loads(run(*asked, "--trusted-root", "root.json").stdout)["attachments"]
    assert row["state"] == "ok"
    assert run("attest", "prune", "oci:image", "--trusted-root", "root.json").exit_code == 2
    help_text = run("attest", "prune", "--help").stdout
    assert "--trusted-root" in help_text
    assert "--certificate-identity" in help_text


def payload_bundle(payload: bytes) -> str:
    Path("bundle.json").write_bytes(signed(payload))
    return "bundle.json"


@pytest.mark.parametrize(
    ("change", "says", "status"),
    [
        ({}, "PASSED", 0),
        ({"verificationResult": "FAILED"}, "FAILED", 1),
        ({"verificationResult": "passed"}, "passed", 1),
    ],
)
def test_verify_bundle_says_what_a_verdict_says_and_ends_with_1_for_no_pass(
    run: Run, change: dict[str, Any], says: str, status: int
) -> None:
    statement = json.loads(verdict())
    statement["predicate"] |= change
    bundle = payload_bundle(json.dumps(statement).encode())
    result = run("verify-bundle", str(ROOT.digest), "--bundle", bundle, "--key", "gate.pub", "-f", "json")
    (row,) = json.loads(result.stdout)["signatures"]
    assert (result.exit_code, row["says"], row["predicateType"]) == (
        status, says, "https://slsa.dev/verification_summary/v1",
    )  # fmt: skip
    shown = run("verify-bundle", str(ROOT.digest), "--bundle", bundle, "--key", "gate.pub")
    assert (shown.exit_code, says in shown.stdout) == (status, True)


@pytest.mark.parametrize(
    ("kind", "predicate", "status"),
    [
        ("https://gate.example/evidence/v1", {"verdict": "FAILED"}, 1),
        ("https://gate.example/evidence/v1", {"verdict": "PASSED"}, 0),
        ("https://slsa.dev/verification_summary/v0.2", {"verification_result": "FAILED"}, 1),
        ("https://spdx.dev/Document", {"verificationResult": "FAILED"}, 0),
    ],
)
def test_verify_bundle_knows_every_form_of_a_verdict(
    run: Run, kind: str, predicate: dict[str, Any], status: int
) -> None:
    statement = json.loads(verdict()) | {"predicateType": kind, "predicate": predicate}
    bundle = payload_bundle(json.dumps(statement).encode())
    result = run("verify-bundle", str(ROOT.digest), "--bundle", bundle, "--key", "gate.pub", "-f", "json")
    (row,) = json.loads(result.stdout)["signatures"]
    assert (result.exit_code, row["predicateType"]) == (status, kind)


def test_attest_sign_demands_the_image_and_the_digest_of_the_file(run: Run) -> None:
    Path("verdict.unsigned").write_bytes(base64.b64encode(b"x"))
    digest, image = ("--file-digest", f"sha256:{'0' * 64}"), ("--image", "oci:image")
    for given, missing in ((digest, "--image"), (image, "--file-digest")):
        result = run("attest", "sign", "verdict.unsigned", "--key", "k", "-p", "p.yaml", *given)
        assert (result.exit_code, missing in result.stderr) == (2, True)


def answers(record: str = "state/record.db") -> list[dict[str, Any]]:
    with closing(open_record(record, Path(record).parent / "evidence")) as opened:
        return [json.loads(row.content) for row in opened.rows() if row.kind == "admission"]


BY_FLAGS: Final = ("--key", "gate.pub", "--policy", str(POLICY))


def test_each_answer_is_a_row_where_a_record_is_named(run: Run) -> None:
    record = ("--record", "state/record.db")
    assert demand(run, *BY_FLAGS, *record)[0] == 1
    bundle = signed(verdict())
    attach(bundle)
    assert demand(run, *BY_FLAGS, *record)[0] == 0
    assert demand(run, *BY_FLAGS, *record, "--environment", "staging")[0] == 1
    attach(signed(failed()))
    assert demand(run, *BY_FLAGS, *record)[0] == 1
    # A demand that makes no sense has no answer.
    assert run("verify", "oci:image", "--as", str(REPOSITORY), "--key", "gate.pub", *record).exit_code == 2
    rows = answers()
    assert [(row["decision"], row["code"]) for row in rows] == [
        ("refused", "ATT_MISSING"), ("admitted", ""), ("refused", "ATT_ENVIRONMENT"), ("refused", "ATT_NEWER_FAIL"),
    ]  # fmt: skip
    admitted = rows[1]
    assert (admitted["stage"], admitted["mode"], admitted["repository"]) == ("verify", "enforce", str(REPOSITORY))
    assert admitted["subject"] == f"{REPOSITORY}@{ROOT.digest}"
    assert (admitted["policy"], admitted["attestation"]) == (str(POLICY), str(Digest.of(bundle)))
    assert admitted["signers"] == [GATE.public_key.key_id]
    assert "user" in admitted["actor"]
    assert (rows[2]["environment"], admitted["environment"]) == ("staging", "")
    assert rows[3]["setAside"] == ["ATT_NEWER_FAIL", "ATT_VERDICT_FAIL"]


def test_an_answer_that_could_not_be_asked_is_a_row_too(run: Run) -> None:
    flags = ("verify", *BY_FLAGS, "--offline", "--record", "state/record.db")
    digest = "a" * 64
    assert run(*flags, f"registry.example/shop/web@sha256:{digest}").exit_code == 3
    assert run(*flags, "registry.example/shop/web:1.4").exit_code == 1
    rows = answers()
    assert [(row["decision"], row["code"]) for row in rows] == [("error", "REG_OFFLINE"), ("refused", "REF_NOT_DIGEST")]
    assert [row["digest"] for row in rows] == [f"sha256:{digest}", ""]


def test_without_a_record_nothing_is_written(run: Run) -> None:
    attach(signed(verdict()))
    assert demand(run)[0] == 0
    assert [path.name for path in Path().iterdir() if path.suffix == ".db"] == []
    assert demand(run, *BY_FLAGS, "--record", "state/record.db")[0] == 0
    assert len(answers()) == 1


def test_an_admission_that_cannot_be_recorded_is_an_error_and_a_refusal_stays_one(run: Run) -> None:
    attach(signed(verdict()))
    Path("file").touch()
    there = ("--record", "file/record.db")
    status, image = demand(run, *BY_FLAGS, *there)
    assert (status, image["error"]["code"]) == (3, "STORE_UNAVAILABLE")
    attach(signed(failed()))
    status, image = demand(run, *BY_FLAGS, *there)
    assert (status, image["error"]["code"]) == (1, "ATT_NEWER_FAIL")
    refused = run("verify", "oci:image", "--as", str(REPOSITORY), "--offline", *BY_FLAGS, *there)
    assert "STORE_UNAVAILABLE" in refused.stderr


def test_the_environment_of_a_requirement_stands_in_the_row(run: Run) -> None:
    attach(signed(verdict(environments=("production",))))
    requirement()
    document = json.loads(Path("requirement.yaml").read_text())
    document["spec"]["images"][0]["verdict"]["environment"] = "production"
    Path("requirement.yaml").write_text(json.dumps(document))
    assert demand(run, "--requirement", "requirement.yaml", "--record", "state/record.db")[0] == 0
    (row,) = answers()
    assert row["environment"] == "production"
    assert row["requirement"] == str(Digest.of(Path("requirement.yaml").read_bytes()))
