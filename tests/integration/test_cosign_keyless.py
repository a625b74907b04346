"""The real Cosign signs by identity, in every form that it has, and the gate verifies; after one change it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.codec.attachments import parse_attachment
from gate.errors import RefusedError
from gate.model.attachment import Attachments
from gate.model.evidence_demand import EvidenceDemand
from gate.model.identity import Claim, Matcher
from gate.model.policy_signers import KeylessSigner, SignatureRule
from gate.model.string_map import StringMap
from gate.verification.match import match_signatures
from gate.verification.signature import verify_statement
from tests.support.keyless import FORMS, KeylessBench, rule_of
from tests.support.programs import Tools
from tests.support.registries import run_olareg
from tests.support.sigstore_server import Asked, Reply, run_sigstore
from tests.support.virtual_sigstore import SUBJECT, VirtualSigstore, certificate_pem

pytestmark = pytest.mark.real_tools

BUNDLES = ("log1", "log2")
STRANGER = VirtualSigstore(seed=1)
PREDICATES = {
    "slsaprovenance": ("https://slsa.dev/provenance/v0.2", {"builder": {"id": "https://b.example"}, "buildType": "x"}),
    "slsaprovenance1": ("https://slsa.dev/provenance/v1", {"buildDefinition": {}, "runDetails": {}}),
    "spdxjson": ("https://spdx.dev/Document", {"spdxVersion": "SPDX-2.3"}),
    "cyclonedx": ("https://cyclonedx.org/bom", {"bomFormat": "CycloneDX", "specVersion": "1.6"}),
    "vuln": ("https://cosign.sigstore.dev/attestation/vuln/v1", {"scanner": {"uri": "x"}, "invocation": {}}),
    "openvex": ("https://openvex.dev/ns", {"@context": "https://openvex.dev/ns/v0.2.0"}),
    "https://shop.example/tested/v1": ("https://shop.example/tested/v1", {"tested": True}),
}


@pytest.fixture(params=[True, False], ids=["referrers", "fallback"], scope="module")
def bench(
    request: pytest.FixtureRequest, tools: Tools, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KeylessBench]:
    folder = tmp_path_factory.mktemp("keyless")
    with run_sigstore() as server, run_olareg(tools.olareg, folder / "registry", referrers=request.param) as registry:
        made = KeylessBench(program=tools.cosign, folder=folder, server=server, registry=registry.host)
        made.prepare()
        yield made


@pytest.fixture(params=FORMS)
def signed(request: pytest.FixtureRequest, bench: KeylessBench) -> str:
    """Return an image that Cosign signed in one form, once for all tests of a registry."""
    return signed_image(bench, request.param)


# (folder of the bench, form) -> reference: a registry that comes later may get the same port.
SIGNED: dict[tuple[Path, str], str] = {}


def signed_image(bench: KeylessBench, form: str) -> str:
    key = (bench.folder, form)
    if key not in SIGNED:
        SIGNED[key] = bench.reference(bench.push(form))
        bench.cosign_signs(SIGNED[key], form)
    return SIGNED[key]


def refusal(attachments: Attachments, rule: SignatureRule, now: datetime | None = None) -> str:
    with pytest.raises(RefusedError) as refused:
        match_signatures(attachments, rule, now or datetime.now(UTC))
    return refused.value.code


def test_what_cosign_signed_verifies(bench: KeylessBench, signed: str) -> None:
    claims = (
        (Claim.REF, Matcher(text="refs/heads/main")),
        (Claim.SOURCE_REPOSITORY, Matcher(text="https://github.com/shop/web")),
    )
    (found,) = match_signatures(bench.attachments(signed), rule_of(bench.signer(claims=claims)), datetime.now(UTC))
    assert found.identity is not None
    assert found.identity.subject == SUBJECT
    assert found.times
    assert {entry.authority for entry in found.entries} == {"https://" + found_log(bench, signed)}
    form = next(form for (folder, form), reference in SIGNED.items() if (folder, reference) == (bench.folder, signed))
    assert bench.cosign_verifies(signed, form=form)


def found_log(bench: KeylessBench, reference: str) -> str:
    (entry,) = parse_attachment(bench.attachments(reference).items[0]).entries
    logs = (bench.server.sigstore.rekor1, bench.server.sigstore.rekor2)
    return next(log.host for log in logs if log.log_id == entry.log_id)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda bench: bench.signer(subject=SUBJECT + "x"), "ID_MISMATCH"),
        (lambda bench: bench.signer(subject=SUBJECT.replace("main", "dev")), "ID_MISMATCH"),
        (lambda bench: bench.signer(issuer="https://gitlab.com"), "ID_ISSUER"),
        (lambda bench: bench.signer(claims=((Claim.REF, Matcher(text="refs/heads/dev")),)), "ID_WORKFLOW"),
        (lambda bench: bench.signer(root=altered_root(bench, ctlogs=[])), "ROOT_EMPTY"),
        (lambda bench: bench.signer(root=altered_root(bench, ctlogs="ctlogs")), "SIG_SCT"),
        (lambda bench: bench.signer(root=strange_root(bench)), "SIG_UNTRUSTED_CHAIN"),
        (lambda bench: bench.signer(root=altered_root(bench, tlogs="tlogs")), "SIG_TLOG_INVALID"),
        (lambda bench: bench.signer(root=ended_root(bench)), "SIG_CHAIN_TIME"),
        (lambda bench: bench.signer(demand=EvidenceDemand(logs=2)), "SIG_THRESHOLD"),
        (lambda bench: bench.signer(demand=EvidenceDemand(logs=1, timestamps=2)), "SIG_THRESHOLD"),
    ],
)  # fmt: skip
def test_another_identity_root_or_demand_refuses(
    bench: KeylessBench, signed: str, change: Callable[[KeylessBench], KeylessSigner], code: str
) -> None:
    """The twin of each is the test above: the same signature under the right rule."""
    attachments, rule = bench.attachments(signed), rule_of(change(bench))
    if code == "ROOT_EMPTY":
        with pytest.raises(Exception, match="certificate transparency log") as empty:
            match_signatures(attachments, rule, datetime.now(UTC))
        assert getattr(empty.value, "code", "") == code
        return
    assert refusal(attachments, rule) == code


def altered_root(bench: KeylessBench, **changes: Any) -> bytes:  # noqa: ANN401 - a list, or the name of a stranger's
    taken = {
        key: STRANGER.trusted_root_fields()[value] if isinstance(value, str) else value
        for key, value in changes.items()
    }
    return bench.server.trusted_root(**taken)


def strange_root(bench: KeylessBench) -> bytes:
    return altered_root(bench, certificateAuthorities="certificateAuthorities")


def ended_root(bench: KeylessBench) -> bytes:
    """Return a root whose authority ended before this run."""
    fields = bench.server.sigstore.trusted_root_fields()
    fields["certificateAuthorities"][0]["validFor"]["end"] = "2025-06-01T00:00:00Z"
    return json.dumps(fields).encode()


def test_a_signature_under_another_digest_refuses(bench: KeylessBench, signed: str) -> None:
    other = bench.push("another image")
    moved = replace(bench.attachments(signed), digest=other.digest)
    assert refusal(moved, rule_of(bench.signer())) == "SIG_SUBJECT_MISMATCH"


def test_a_clock_that_is_a_year_behind_refuses(bench: KeylessBench, signed: str) -> None:
    """Everything about the signature lies in the future of such a clock."""
    behind = datetime.now(UTC) - timedelta(days=366)
    assert refusal(bench.attachments(signed), rule_of(bench.signer()), behind) in {
        "SIG_TLOG_INVALID",
        "SIG_TSA_UNTRUSTED",
    }


def test_a_clock_that_is_a_year_ahead_does_not_matter(bench: KeylessBench, signed: str) -> None:
    """Certificates of minutes are judged at the times that are verified, never at the verifier's."""
    ahead = datetime.now(UTC) + timedelta(days=366)
    assert match_signatures(bench.attachments(signed), rule_of(bench.signer()), ahead)


def altered(attachments: Attachments, change: Callable[[dict[str, Any]], None]) -> Attachments:
    """Change the one bundle."""
    (item,) = attachments.items
    document = json.loads(item.content)
    change(document)
    return replace(attachments, items=(replace(item, content=json.dumps(document).encode()),))


def strip_log(bundle: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["tlogEntries"]


def strip_timestamps(bundle: dict[str, Any]) -> None:
    del bundle["verificationMaterial"]["timestampVerificationData"]


def strip_proof(bundle: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"][0].pop("inclusionProof")


def claim_old_version(bundle: dict[str, Any]) -> None:
    """The attacker rewrites the unsigned version, and drops what the old one need not have (attack S11)."""
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
    certificate = bundle["verificationMaterial"].pop("certificate")
    bundle["verificationMaterial"]["x509CertificateChain"] = {"certificates": [certificate]}
    strip_log(bundle)


def add_root(bundle: dict[str, Any]) -> None:
    """The attacker brings a root along, and the version that allows a chain (attack S19)."""
    certificate = bundle["verificationMaterial"].pop("certificate")
    root = {"rawBytes": base64.b64encode(STRANGER.root.der).decode()}
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    bundle["verificationMaterial"]["x509CertificateChain"] = {"certificates": [certificate, root]}


def flip_signature(bundle: dict[str, Any]) -> None:
    signature = bundle["dsseEnvelope"]["signatures"][0]
    raw = bytearray(base64.b64decode(signature["sig"]))
    raw[-1] ^= 1
    signature["sig"] = base64.b64encode(bytes(raw)).decode()


def other_payload(bundle: dict[str, Any]) -> None:
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload["predicate"] = {"changed": True}
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()


@pytest.mark.parametrize("form", BUNDLES)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (strip_log, "SIG_THRESHOLD"),
        (strip_proof, "SIG_INCLUSION"),
        (claim_old_version, "SIG_THRESHOLD"),
        (add_root, "SIG_UNTRUSTED_CHAIN"),
        # A timestamp is over the signature, and the first thing that is looked at.
        (flip_signature, "SIG_TSA_UNTRUSTED"),
        (other_payload, "SIG_TLOG_MISMATCH"),
    ],
)
def test_one_change_of_a_bundle_refuses(
    bench: KeylessBench, form: str, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    attachments = bench.attachments(signed_image(bench, form))
    assert refusal(altered(attachments, change), rule_of(bench.signer())) == code


def test_s12_an_entry_of_version_2_without_a_timestamp_says_no_time(bench: KeylessBench) -> None:
    attachments = bench.attachments(signed_image(bench, "log2"))
    assert refusal(altered(attachments, strip_timestamps), rule_of(bench.signer())) == "SIG_NO_TRUSTED_TIME"
    # Version 1 promises a time itself.
    promised = altered(bench.attachments(signed_image(bench, "log1")), strip_timestamps)
    assert match_signatures(promised, rule_of(bench.signer()), datetime.now(UTC))


@pytest.mark.parametrize("form", BUNDLES)
def test_s01_the_entry_of_another_signature_refuses(bench: KeylessBench, form: str) -> None:
    other = bench.reference(bench.push(f"other {form}"))
    bench.cosign_signs(other, form)
    entries = json.loads(bench.attachments(other).items[0].content)["verificationMaterial"]["tlogEntries"]

    def swap(bundle: dict[str, Any]) -> None:
        bundle["verificationMaterial"]["tlogEntries"] = entries

    attachments = bench.attachments(signed_image(bench, form))
    assert refusal(altered(attachments, swap), rule_of(bench.signer())) == "SIG_TLOG_MISMATCH"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dev.sigstore.cosign/bundle": None}, "SIG_THRESHOLD"),
        ({"dev.sigstore.cosign/certificate": None}, "ID_MISMATCH"),
        ({"dev.sigstore.cosign/certificate": certificate_pem(STRANGER.issue()).decode()}, "SIG_TLOG_MISMATCH"),
        # Never a source of trust, so another one changes nothing (attack S19).
        ({"dev.sigstore.cosign/chain": certificate_pem(STRANGER.root.der).decode()}, ""),
        ({"dev.cosignproject.cosign/signature": base64.b64encode(b"x" * 70).decode()}, "SIG_TLOG_MISMATCH"),
    ],
)
def test_one_change_of_the_annotations_refuses(bench: KeylessBench, changes: dict[str, str | None], code: str) -> None:
    attachments = bench.attachments(signed_image(bench, "legacy"))
    (item,) = attachments.items
    kept = {**dict(item.annotations), **changes}
    annotations = StringMap.of({name: value for name, value in kept.items() if value is not None})
    moved = replace(attachments, items=(replace(item, annotations=annotations),))
    if code:
        assert refusal(moved, rule_of(bench.signer())) == code
    else:
        assert match_signatures(moved, rule_of(bench.signer()), datetime.now(UTC))


def test_s01_a_moved_log_annotation_refuses(bench: KeylessBench) -> None:
    other = bench.reference(bench.push("other legacy"))
    bench.cosign_signs(other, "legacy")
    entry = bench.attachments(other).items[0].annotations["dev.sigstore.cosign/bundle"]
    attachments = bench.attachments(signed_image(bench, "legacy"))
    (item,) = attachments.items
    glued = StringMap.of({**dict(item.annotations), "dev.sigstore.cosign/bundle": entry})
    moved = replace(attachments, items=(replace(item, annotations=glued),))
    assert refusal(moved, rule_of(bench.signer())) == "SIG_TLOG_MISMATCH"


def test_s13_a_certificate_that_no_log_promised_refuses(bench: KeylessBench) -> None:
    assert forged(bench, logged=False) == "SIG_SCT"


def test_s15_a_certificate_that_had_ended_refuses(bench: KeylessBench) -> None:
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    assert forged(bench, window=(past, past + timedelta(minutes=10)), sct_at=past) == "SIG_EXPIRED"


def forged(bench: KeylessBench, **changes: Any) -> str:  # noqa: ANN401 - any field of a certificate
    """Sign as Cosign does, with a certificate that the authority should not have given."""
    sigstore = bench.server.sigstore
    at = datetime.now(UTC).replace(microsecond=0)
    attachments = bench.attachments(signed_image(bench, "log1"))
    payload = base64.b64decode(json.loads(attachments.items[0].content)["dsseEnvelope"]["payload"])

    def attached(**fields: Any) -> Attachments:  # noqa: ANN401 - any field of a certificate
        certificate = sigstore.issue(sigstore.leaf(at=at, **fields))
        signing = sigstore.stamp(sigstore.sign_statement(payload, certificate=certificate), at=at)
        return replace(attachments, items=(sigstore.log1(signing, at=at).attachment(),))

    assert match_signatures(attached(), rule_of(bench.signer()), datetime.now(UTC)), "the twin"
    return refusal(attached(**changes), rule_of(bench.signer()))


def test_i01_a_stranger_in_the_same_instance_is_nobody(bench: KeylessBench) -> None:
    reference = bench.reference(bench.push("signed by a stranger"))
    claims = {"iss": "https://accounts.example", "sub": "1", "email": "eve@shop.example"}
    stranger = bench.server.oidc.token(claims, email_verified=True)
    (bench.folder / "stranger").write_text(stranger, encoding="ascii")
    done = bench.cosign(
        "sign",
        "--yes",
        "--identity-token=stranger",
        "--trusted-root=root.json",
        "--signing-config=log2.json",
        reference,
    )
    assert done.returncode == 0, done.stderr
    found = bench.attachments(reference)
    assert refusal(found, rule_of(bench.signer())) == "ID_ISSUER"
    assert refusal(found, rule_of(bench.signer(issuer="https://accounts.example"))) == "ID_MISMATCH"
    right = bench.signer(subject="eve@shop.example", issuer="https://accounts.example")
    assert match_signatures(found, rule_of(right), datetime.now(UTC))


def test_one_signature_of_several_counts(bench: KeylessBench) -> None:
    """The stranger's and a signature in the other form stand beside the one that is demanded."""
    reference = bench.reference(bench.push("signed several times"))
    for form in FORMS:
        bench.cosign_signs(reference, form)
    attachments = bench.attachments(reference)
    assert len(attachments.items) == len(FORMS)
    for kept in attachments.items:
        others = tuple(replace(item, content=b"{}") for item in attachments.items if item is not kept)
        assert match_signatures(replace(attachments, items=(*others, kept)), rule_of(bench.signer()), datetime.now(UTC))


def test_annotations_are_signed_with_it(bench: KeylessBench) -> None:
    reference = bench.reference(bench.push("annotated"))
    bench.cosign_signs(reference, "log2", "-a", "stage=production")
    rule = rule_of(bench.signer())
    right, wrong = (replace(rule, annotations=StringMap.of({"stage": stage})) for stage in ("production", "test"))
    assert match_signatures(bench.attachments(reference), right, datetime.now(UTC))
    assert refusal(bench.attachments(reference), wrong) == "SIG_ANNOTATION"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", PREDICATES)
def test_attestations_of_every_type_verify(bench: KeylessBench, kind: str, form: str) -> None:
    predicate_type, predicate = PREDICATES[kind]
    image = bench.push(f"{kind} {form}")
    reference = bench.reference(image)
    (bench.folder / "predicate.json").write_text(json.dumps(predicate), encoding="utf-8")
    bench.cosign_signs(reference, form, "--predicate=predicate.json", f"--type={kind}", command="attest")
    (item,) = bench.attachments(reference).items
    found = verify_statement(parse_attachment(item), signer=bench.signer(), now=datetime.now(UTC))
    assert (found.statement.predicate_type, found.statement.names(image.digest)) == (predicate_type, True)
    with pytest.raises(RefusedError) as refused:
        verify_statement(parse_attachment(item), signer=bench.signer(subject="x@shop.example"), now=datetime.now(UTC))
    assert refused.value.code == "ID_MISMATCH"
    assert bench.cosign_verifies(reference, f"--type={kind}", command="verify-attestation", form=form)


def test_an_attestation_is_no_signature_of_the_image(bench: KeylessBench) -> None:
    """Cosign itself takes it for one (formats 4.3)."""
    reference = bench.reference(bench.push("attested alone"))
    (bench.folder / "predicate.json").write_text("{}", encoding="utf-8")
    bench.cosign_signs(reference, "log2", "--predicate=predicate.json", "--type=custom", command="attest")
    assert bench.cosign_verifies(reference)
    assert refusal(bench.attachments(reference), rule_of(bench.signer())) == "SIG_MISSING"


def test_t04_nothing_was_asked_of_the_services_while_verifying(bench: KeylessBench, signed: str) -> None:
    """The services would have given an attacker's keys."""
    attachments = bench.attachments(signed)
    before = len(bench.server.asked)

    def lie(asked: Asked) -> Reply:
        raise AssertionError(asked.path)

    bench.server.replies |= dict.fromkeys(bench.server.urls, lie)
    try:
        assert match_signatures(attachments, rule_of(bench.signer()), datetime.now(UTC))
    finally:
        bench.server.replies.clear()
    assert len(bench.server.asked) == before
