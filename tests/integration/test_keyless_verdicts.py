"""The gate signs images and verdicts by identity, and the real Cosign and `gate verify` accept what it signed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import jsonschema
import pytest

from gate.admin.keys import generate_key_pair
from gate.codec.attachments import parse_attachment
from gate.codec.keys import parse_public_key
from gate.codec.times import format_time
from gate.errors import AttestationError, RefusedError
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.evidence_demand import EvidenceDemand
from gate.model.image import Descriptor
from gate.model.policy_signers import KeySigner
from gate.model.requirement import VerdictRule, VerdictSigner
from gate.model.trust import TrustSource
from gate.pipeline.check import check as judge
from gate.pipeline.options import CheckOptions
from gate.report.json_report import report_schema
from gate.settings.locations import default_places
from gate.trust import shipped as shipped_trust
from gate.verification.match import match_signatures
from gate.verification.signature import signed_statement
from gate.verification.verdict import VerdictDemand
from tests.support.command import run_gate
from tests.support.installation import PASSWORD
from tests.support.keyless import FORMS, KeylessBench, rule_of
from tests.support.programs import Tools
from tests.support.registries import run_olareg
from tests.support.signing import demand_verdict
from tests.support.sigstore_server import REQUEST_TOKEN, Reply, run_sigstore
from tests.support.virtual_sigstore import ISSUER, START, SUBJECT, VirtualSigstore

pytestmark = pytest.mark.real_tools

VERIFIER = "https://gate.shop.example/ci"
SUMMARY = "https://slsa.dev/verification_summary/v1"
EVIDENCE = "https://gate.example/evidence/v1"
LOGS = (1, 2)
POLICY = f"""
apiVersion: gate/v1
kind: Policy
metadata: {{name: test}}
spec:
  image: {{user: USER, revision: any}}
  attest: {{verifierId: "{VERIFIER}"}}
"""
SIGNED = f"""
apiVersion: gate/v1
kind: Policy
metadata: {{name: signed}}
spec:
  trust: {{company: {{trustedRoot: {{file: root.json, sha256: "ROOT"}}, timestamps: TIMES}}}}
  signature:
    - images: "**"
      anyOf: [{{keyless: {{issuer: "{ISSUER}", subject: "IDENTITY", claims: {{ref: REF}}, trust: company}}}}]
"""
REQUIREMENT = f"""
apiVersion: gate/v1
kind: Requirement
metadata: {{name: test}}
spec:
  trust: {{company: {{trustedRoot: {{file: root.json, sha256: "ROOT"}}, timestamps: 1}}}}
  images:
    - match: "**"
      verdict:
        signedBy: [{{keyless: {{issuer: "{ISSUER}", subject: "IDENTITY", trust: company}}, verifierId: "{VERIFIER}"}}]
        policies: [{{file: policy.yaml}}]
        requireTimestamp: true
  default: refuse
"""


@pytest.fixture(params=[True, False], ids=["referrers", "fallback"], scope="module")
def bench(
    request: pytest.FixtureRequest, tools: Tools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeylessBench]:
    """Return one place for all tests of a kind of registry; each test judges an image of its own."""
    folder = tmp_path_factory.mktemp("keyless")
    with run_sigstore() as server, run_olareg(tools.olareg, folder / "registry", referrers=request.param) as registry:
        made = KeylessBench(program=tools.cosign, folder=folder, server=server, registry=registry.host)
        made.prepare()
        for log in LOGS:
            (folder / f"client{log}.json").write_bytes(server.client_config(log=log))
            expect(gate(made, "trust", "import", f"log{log}", f"client{log}.json"), 0)
        generate_key_pair(folder, PASSWORD.encode(), name="gate-fail")
        for name, user in (("policy", "any"), ("strict", "non-root")):
            (folder / f"{name}.yaml").write_text(POLICY.replace("USER", user), encoding="utf-8")
        yield made


@pytest.fixture
def image(request: pytest.FixtureRequest, bench: KeylessBench) -> Descriptor:
    return bench.push(request.node.name)


@pytest.fixture
def reference(bench: KeylessBench, image: Descriptor) -> str:
    return bench.reference(image)


def gate(bench: KeylessBench, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_gate(*arguments, cwd=bench.folder, environment=environment)


def expect(done: subprocess.CompletedProcess[str], code: int) -> None:
    assert done.returncode == code, done.stdout + done.stderr


def key(bench: KeylessBench, log: int) -> str:
    """Return the key URI of the instance with this log, with a token that is new."""
    (bench.folder / "token").write_text(bench.server.oidc.token(), encoding="ascii")
    return f"sigstore:log{log}?token-file=token"


def check(bench: KeylessBench, reference: str, log: int, *, policy: str = "policy") -> subprocess.CompletedProcess[str]:
    signing = ("--key", key(bench, log), "--fail-key", "gate-fail.key", "-p", f"{policy}.yaml")
    return gate(bench, "check", reference, *signing)


def verify(bench: KeylessBench, reference: str, *, identity: str = SUBJECT) -> subprocess.CompletedProcess[str]:
    root = Digest.of((bench.folder / "root.json").read_bytes()).hex
    text = REQUIREMENT.replace("IDENTITY", identity).replace("ROOT", root)
    (bench.folder / "requirement.yaml").write_text(text, encoding="utf-8")
    return gate(bench, "verify", reference, "--requirement", "requirement.yaml")


def demand(bench: KeylessBench, image: Digest, path: str = "shop/web", *, policy: str = "policy") -> VerdictDemand:
    rule = VerdictRule(
        signed_by=(
            VerdictSigner(signer=bench.signer(demand=EvidenceDemand(logs=1, timestamps=1)), verifier_id=VERIFIER),
        ),
        failed_by=(
            VerdictSigner(signer=KeySigner(key=parse_public_key((bench.folder / "gate-fail.pub").read_bytes()))),
        ),
        policies=frozenset({Digest.of((bench.folder / f"{policy}.yaml").read_bytes())}),
    )
    return VerdictDemand(asked=image, repository=bench.repository(path), rule=rule)


@pytest.mark.parametrize("log", LOGS)
def test_an_image_that_the_gate_signed_verifies_for_cosign(bench: KeylessBench, reference: str, log: int) -> None:
    assert not bench.cosign_verifies(reference)
    expect(gate(bench, "sign", reference, "--key", key(bench, log), "-a", "stage=production"), 0)
    assert bench.cosign_verifies(reference, "-a", "stage=production")
    assert not bench.cosign_verifies(reference, "-a", "stage=test")
    assert bench.cosign("verify", *stranger(), reference).returncode != 0
    (found,) = match_signatures(bench.attachments(reference), rule_of(bench.signer()), datetime.now(UTC))
    assert len(found.timestamps) == len(found.entries) == 1


def stranger() -> tuple[str, ...]:
    return ("--certificate-identity=eve", f"--certificate-oidc-issuer={ISSUER}", "--trusted-root=root.json")


@pytest.mark.parametrize("log", LOGS)
def test_a_passed_verdict_is_accepted_by_gate_verify_and_by_cosign(
    bench: KeylessBench, image: Descriptor, log: int
) -> None:
    reference = bench.reference(image)
    expect(check(bench, reference, log), 0)
    expect(verify(bench, reference), 0)
    expect(verify(bench, reference, identity=SUBJECT.replace("main", "dev")), 1)
    assert bench.cosign_verifies(reference, f"--type={SUMMARY}", command="verify-attestation")
    assert not bench.cosign_verifies(reference, "--type=spdxjson", command="verify-attestation")
    found = demand_verdict(bench.attachments(reference), demand(bench, image.digest), datetime.now(UTC))
    assert found.trusted


def test_a_verdict_is_given_again_under_the_same_identity(bench: KeylessBench, reference: str) -> None:
    expect(check(bench, reference, 2), 0)
    asked = len(bench.server.asked)
    expect(check(bench, reference, 2), 0)
    assert len(bench.server.asked) == asked, "nothing was signed again"


def test_s21_a_verdict_that_was_copied_to_another_repository_is_refused(bench: KeylessBench, image: Descriptor) -> None:
    expect(check(bench, bench.reference(image), 2), 0)
    bench.push(path="shop/other")
    copied = bench.attachments(bench.reference(image))
    assert demand_verdict(copied, demand(bench, image.digest), datetime.now(UTC)).passed
    with pytest.raises(AttestationError) as refused:
        demand_verdict(copied, demand(bench, image.digest, "shop/other"), datetime.now(UTC))
    assert refused.value.code == "ATT_RESOURCE_MISMATCH"


@pytest.mark.parametrize("part", ["tlogEntries", "timestampVerificationData"])
def test_a_verdict_without_its_evidence_is_refused(bench: KeylessBench, image: Descriptor, part: str) -> None:
    expect(check(bench, bench.reference(image), 1), 0)
    found = bench.attachments(bench.reference(image))

    def stripped(content: bytes) -> bytes:
        bundle = json.loads(content)
        del bundle["verificationMaterial"][part]
        return json.dumps(bundle).encode()

    without = replace(found, items=tuple(replace(item, content=stripped(item.content)) for item in found.items))
    with pytest.raises(RefusedError) as refused:
        demand_verdict(without, demand(bench, image.digest), datetime.now(UTC))
    assert refused.value.code == "SIG_THRESHOLD"


def test_a_failed_verdict_is_signed_by_the_key_and_hidden_from_cosign(bench: KeylessBench) -> None:
    expect(check(bench, bench.reference(bench.push("well")), 2, policy="strict"), 0)
    root = bench.push("runs as root", user="0")
    reference = bench.reference(root)
    expect(check(bench, reference, 2, policy="strict"), 1)
    assert {item.media_type for item in bench.attachments(reference).items} == {FAILED_VERDICT}
    assert not any(parse_attachment(item).entries for item in bench.attachments(reference).items)
    assert not bench.cosign_verifies(reference)
    with pytest.raises(AttestationError) as refused:
        demand_verdict(bench.attachments(reference), demand(bench, root.digest, policy="strict"), datetime.now(UTC))
    assert refused.value.code == "ATT_VERDICT_FAIL"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--fail-key", "KEY"),
        ("--fail-key", "gate-fail.key", "--legacy-attestation"),
    ],
)
def test_an_identity_alone_signs_no_verdicts(bench: KeylessBench, reference: str, options: tuple[str, ...]) -> None:
    uri = key(bench, 2)
    used = [uri if option == "KEY" else option for option in options]
    done = gate(bench, "check", reference, "--key", uri, "-p", "policy.yaml", *used)
    expect(done, 2)
    assert "USAGE" in done.stderr
    assert bench.attachments(reference).items == ()


def test_an_identity_writes_no_old_tag(bench: KeylessBench, reference: str) -> None:
    expect(gate(bench, "sign", reference, "--key", key(bench, 2), "--legacy"), 2)
    assert bench.attachments(reference).items == ()


def test_in_ci_the_token_comes_from_the_job_and_its_absence_fails(bench: KeylessBench, reference: str) -> None:
    job = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": bench.server.urls["oidc"] + "/github"}
    done = gate(bench, "sign", reference, "--key", "sigstore:log2", **job)
    expect(done, 2)
    assert "KEY_TOKEN" in done.stderr
    assert bench.attachments(reference).items == ()
    expect(
        gate(bench, "sign", reference, "--key", "sigstore:log2", ACTIONS_ID_TOKEN_REQUEST_TOKEN=REQUEST_TOKEN, **job), 0
    )
    assert bench.cosign_verifies(reference)


def test_a_service_that_refuses_leaves_the_image_unjudged_and_unsigned(bench: KeylessBench, reference: str) -> None:
    """The verdict could not be issued: that is an error of the run, not a property of the image."""
    done = gate(bench, "sign", reference, "--key", "sigstore:nobody?token-file=token")
    expect(done, 3)
    assert "ROOT_MISSING" in done.stderr
    uri = key(bench, 2)
    bench.server.replies["fulcio"] = lambda _: Reply(body=b'{"message":"no"}', status=403)
    done = gate(bench, "check", reference, "--key", uri, "--fail-key", "gate-fail.key", "-p", "policy.yaml")
    bench.server.replies.clear()
    expect(done, 3)
    assert "KEY_SIGSTORE" in done.stderr
    assert bench.attachments(reference).items == ()


def test_a_stamped_key_meets_a_policy_that_demands_a_timestamp(bench: KeylessBench, reference: str) -> None:
    demanding = (
        (bench.folder / "policy.yaml")
        .read_text(encoding="utf-8")
        .replace("attest: {", "attest: {requireTimestamp: true, ")
    )
    (bench.folder / "stamped.yaml").write_text(demanding, encoding="utf-8")
    arguments = ("check", reference, "--key", "gate-fail.key", "-p", "stamped.yaml")
    refused = gate(bench, *arguments)
    expect(refused, 2)
    assert "timestamp" in refused.stderr
    expect(gate(bench, *arguments, "--timestamp", "log1"), 0)
    options = ("--key=gate-fail.pub", "--trusted-root=root.json", "--insecure-ignore-tlog", "--use-signed-timestamps")
    assert bench.cosign("verify-attestation", f"--type={SUMMARY}", *options, reference).returncode == 0
    bundles = [parse_attachment(item) for item in bench.attachments(reference).items]
    assert [len(bundle.timestamps) for bundle in bundles] == [1, 1]


def signed_policy(bench: KeylessBench, name: str, **words: str) -> str:
    """Write a policy that demands Cosign's identity under the root of the tests, and give its name."""
    wanted = {"ROOT": Digest.of((bench.folder / "root.json").read_bytes()).hex, "IDENTITY": SUBJECT}
    text = SIGNED
    for word, value in {**wanted, "REF": "refs/heads/main", "TIMES": "1", **words}.items():
        text = text.replace(word, value)
    (bench.folder / name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize("form", ["log1", "log2"])
def test_report_and_signed_evidence_say_which_root_judged(bench: KeylessBench, image: Descriptor, form: str) -> None:
    reference = bench.reference(image)
    bench.cosign_signs(reference, form)
    policy = signed_policy(bench, "rooted.yaml")
    done = gate(bench, "check", reference, "--key", "gate-fail.key", "-p", policy, "-f", "json")
    expect(done, 0)
    digest = str(Digest.of((bench.folder / "root.json").read_bytes()))
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(report_schema())).validate(document)
    told = document["images"][0]["evidence"]
    (root,) = told["trustedRoots"]
    assert (root["name"], root["digest"], root["source"], root["place"]) == ("company", digest, "file", "root.json")
    assert (root["newestEntryFrom"], root["ends"]) == (format_time(START), None)
    (signature,) = told["signatures"]
    assert (signature["identity"], signature["trustedRoot"]) == (SUBJECT, digest)
    (evidence,) = [found for found in map(statement_of, bench.attachments(reference).items) if found[0] == EVIDENCE]
    assert evidence[1]["trustedRoots"] == [root | {"ends": ""}]
    assert [item["trustedRoot"] for item in evidence[1]["signatures"]] == [digest]


def statement_of(item: Attachment) -> tuple[str, dict[str, Any]]:
    """Return predicate type and predicate of an attachment."""
    found = signed_statement(parse_attachment(item))
    return found.predicate_type, dict(found.view.object("predicate").fields)


def test_a_shipped_root_that_changed_leads_to_a_new_decision(
    bench: KeylessBench, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of the policy changes with it: only the root's own digest tells the two runs apart."""
    bench.cosign_signs(reference, "log2")
    policy = bench.folder / "public.yaml"
    unnamed = (bench.folder / signed_policy(bench, "public.yaml")).read_text(encoding="utf-8").splitlines()
    lines = (line.replace(", trust: company", "") for line in unnamed if not line.startswith("  trust:"))
    policy.write_text("\n".join(lines), encoding="utf-8")
    options = CheckOptions(places=default_places({"HOME": str(bench.folder)}), policy=policy)
    roots = {"first": bench.server.trusted_root(), "other": VirtualSigstore(seed=1).trusted_root()}

    def judged_under(name: str) -> tuple[bool, Decision, set[str]]:
        monkeypatch.setattr(shipped_trust, "shipped", lambda *_: roots[name])
        run = judge(reference, options)
        (root,) = run.verdict.trusted_roots
        assert (root.name, root.source, root.digest) == ("public", TrustSource.SHIPPED, Digest.of(roots[name]))
        assert root.place == f"sigstore {version('sigstore')}"
        return run.reused, run.verdict.decision, {code for item in run.verdict.checks for code in item.codes}

    assert judged_under("first") == (False, Decision.PASSED, set())
    assert judged_under("first") == (True, Decision.PASSED, set())
    assert judged_under("other") == (False, Decision.REFUSED, {"SIG_TSA_UNTRUSTED"})
    assert judged_under("first") == (True, Decision.PASSED, set())


@pytest.mark.parametrize("form", FORMS)
def test_gate_check_demands_the_identity_that_its_policy_names(bench: KeylessBench, reference: str, form: str) -> None:
    bench.cosign_signs(reference, form)
    # Cosign's old tags carry no timestamp unless one is asked for.
    times = "0" if form == "legacy" else "1"
    right = {"IDENTITY": SUBJECT, "REF": "refs/heads/main", "TIMES": times}
    cases: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
        ({}, ()),
        ({"IDENTITY": SUBJECT + "x"}, ("ID_MISMATCH",)),
        ({"REF": "refs/heads/dev"}, ("ID_WORKFLOW",)),
        ({"TIMES": "2"}, ("SIG_THRESHOLD",)),
    )
    places = default_places({"HOME": str(bench.folder)})
    for changes, codes in cases:
        policy = bench.folder / signed_policy(bench, "signed.yaml", **{**right, **changes})
        verdict = judge(reference, CheckOptions(places=places, policy=policy)).verdict
        assert verdict.decision is (Decision.REFUSED if codes else Decision.PASSED)
        assert {item.id: item.codes for item in verdict.checks}["signature"] == codes
