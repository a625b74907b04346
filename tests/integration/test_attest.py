"""`gate attest`: what two jobs decide together, what hangs on a digest, and what is removed, on real registries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import gate
from gate.clock import Clock, Deadline
from gate.codec.strict_json import canonical_json
from gate.errors import AttestationError, GateError, UsageError
from gate.images.attachments import collect_attachments
from gate.images.registry_source import RegistrySource
from gate.model.attachment import FAILED_VERDICT, Attachment
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.model.policy_signers import KeySigner
from gate.model.reference import RegistryReference, parse_reference
from gate.model.statement import VERIFICATION_SUMMARY
from gate.pipeline.attest_prune import PrunedManifest, PruneOptions, prune_verdicts
from gate.pipeline.attest_show import SIGNATURE, ShowOptions, show_attachments
from gate.pipeline.handoff import read_unsigned
from gate.pipeline.options import CheckRun
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.conftest import StartOlareg
from tests.integration.conftest import Shop
from tests.support.installation import VERIFIER, Installation, shop_policy
from tests.support.registries import RunningRegistry

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]


def parsed(reference: str) -> RegistryReference:
    read = parse_reference(reference)
    assert isinstance(read, RegistryReference)
    return read


def ago(**time: float) -> Clock:
    return Clock(now=lambda: datetime.now(UTC) - timedelta(**time))


# Two jobs.


def scanned(shop: Shop, reference: str, own: Path, file: Path, **changes: Any) -> CheckRun:  # noqa: ANN401
    options = shop.installed.options(own, registry=shop.options, signer=None, unsigned_file=file, **changes)
    return gate.check(reference, options)


def signed(
    shop: Shop,
    reference: str,
    own: Path,
    file: Path,
    *,
    clock: Clock | None = None,
    **changes: Any,  # noqa: ANN401
) -> CheckRun:
    """Sign as the other job does: another machine, so another cache, another record, and no scanners."""
    handoff = read_unsigned(file, changes.pop("expected", None))
    changes.setdefault("platforms", handoff.verdict.platforms)
    there = own / "signing-job"
    there.mkdir(exist_ok=True)
    options = shop.installed.options(there, cold=True, registry=shop.options, handoff=handoff, **changes)
    return gate.check(reference, options, clock=clock)


def refusal(shop: Shop, reference: str, own: Path, file: Path, **changes: Any) -> str:  # noqa: ANN401
    with pytest.raises(GateError) as refused:
        signed(shop, reference, own, file, **changes)
    return refused.value.code


def test_the_signing_job_decides_the_same_and_what_it_signs_verifies(shop: Shop, own: Path, tmp_path: Path) -> None:
    reference, file = shop.reference("clean", "shop/two-jobs"), tmp_path / "verdict.unsigned"
    first = scanned(shop, reference, own, file)
    assert first.attestations == ()
    assert str(Digest.of(file.read_bytes())) in first.notices[0]
    done = signed(shop, reference, own, file, expected=Digest.of(file.read_bytes()))
    assert done.verdict.decision is first.verdict.decision is Decision.PASSED
    assert done.verdict.reports == first.verdict.reports
    assert done.verdict.origin is not None
    assert done.verdict.origin.file == Digest.of(file.read_bytes())
    assert gate.verify(reference, shop.installed.demands(own, registry=shop.options)).digest == parsed(reference).digest
    # The raw reports lie in the signing job's own record, by digest.
    assert all((own / "signing-job" / "evidence").rglob(report.digest.hex) for report in done.verdict.reports)


def test_what_the_scanning_job_refused_is_signed_as_failed(shop: Shop, own: Path, tmp_path: Path) -> None:
    reference, file = shop.reference("index-bad-child", "shop/two-jobs"), tmp_path / "verdict.unsigned"
    assert scanned(shop, reference, own, file).verdict.decision is Decision.REFUSED
    done = signed(shop, reference, own, file)
    assert done.verdict.decision is Decision.REFUSED
    assert "SECRET_FOUND" in {code for check in done.verdict.checks for code in check.codes}
    with pytest.raises(AttestationError) as refused:
        gate.verify(reference, shop.installed.demands(own, registry=shop.options))
    assert refused.value.code == "ATT_VERDICT_FAIL"


@pytest.fixture
def handed(shop: Shop, own: Path, tmp_path: Path) -> tuple[str, Path]:
    """Return an image and the file of its scanning job, which a test then changes."""
    reference, file = shop.reference("clean", "shop/two-jobs"), tmp_path / "verdict.unsigned"
    scanned(shop, reference, own, file)
    return reference, file


def test_another_digest_or_policy_is_refused(shop: Shop, own: Path, tmp_path: Path, handed: tuple[str, Path]) -> None:
    reference, file = handed
    other = shop.reference("alpine-clean", "shop/two-jobs")
    assert refusal(shop, other, own, file) == "ATT_SUBJECT_MISMATCH"
    policy = tmp_path / "other.yaml"
    policy.write_bytes(shop_policy(shop.installed, secrets=None))
    assert refusal(shop, reference, own, file, policy=policy) == "ATT_POLICY_STALE"
    assert refusal(shop, reference, own, file, expected=Digest.of(b"another file")) == "ATT_BYTES"
    assert signed(shop, reference, own, file).verdict.decision is Decision.PASSED


def test_an_old_scan_and_one_from_the_future_are_refused(shop: Shop, own: Path, handed: tuple[str, Path]) -> None:
    reference, file = handed
    assert refusal(shop, reference, own, file, clock=ago(hours=-25)) == "ATT_EXPIRED"
    assert refusal(shop, reference, own, file, clock=ago(hours=1)) == "POL_TIME"


def test_c03_a_file_of_the_scanning_job_that_was_changed_is_refused(
    shop: Shop, own: Path, handed: tuple[str, Path]
) -> None:
    reference, file = handed
    content = file.read_bytes()
    for changed in (content[:-9], content.replace(b'"passed"', b'"refused"', 1), content[:40], b"", b"{}\n{}"):
        file.write_bytes(changed)
        with pytest.raises(AttestationError) as refused:
            read_unsigned(file, None)
        assert refused.value.code in {"ATT_BYTES", "ATT_MALFORMED"}
    file.write_bytes(content)
    assert signed(shop, reference, own, file).verdict.decision is Decision.PASSED


def forged(content: bytes, change: Any) -> bytes:  # noqa: ANN401 - a function over any JSON
    """Return the file as somebody writes it who knows its form: changed, and with the digest that fits."""
    head, body = content.split(b"\n", 1)
    value = json.loads(body)
    change(value)
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return canonical_json({**json.loads(head), "sha256": Digest.of(written).hex}) + b"\n" + written + b"\n"


def _drop_findings(value: dict[str, Any]) -> None:
    value["subjects"][0]["trivy"]["findings"] = []
    value["subjects"][0]["trivy"]["packages"] = []


def _drop_report(value: dict[str, Any]) -> None:
    value["reports"] = value["reports"][1:]


def _other_layers(value: dict[str, Any]) -> None:
    value["subjects"][0]["layers"]["layers"][0]["digest"] = str(Digest.of(b"another layer"))


def _other_report(value: dict[str, Any]) -> None:
    value["reports"][0]["content"] = "e30="


def _other_scanner(value: dict[str, Any]) -> None:
    value["subjects"][0]["trivy"], value["subjects"][0]["grype"] = (
        value["subjects"][0]["grype"],
        value["subjects"][0]["trivy"],
    )


@pytest.mark.parametrize("change", [_drop_findings, _drop_report, _other_layers, _other_report, _other_scanner])
def test_a_forged_file_that_contradicts_itself_or_the_image_is_refused(
    shop: Shop,
    own: Path,
    handed: tuple[str, Path],
    change: Any,  # noqa: ANN401
) -> None:
    reference, file = handed
    file.write_bytes(forged(file.read_bytes(), change))
    with pytest.raises(AttestationError) as refused:
        signed(shop, reference, own, file)
    assert refused.value.code == "ATT_BYTES"


def test_a_file_about_another_child_is_refused(shop: Shop, own: Path, handed: tuple[str, Path]) -> None:
    reference, file = handed

    def other_child(value: dict[str, Any]) -> None:
        value["subjects"][0]["digest"] = str(Digest.of(b"another child"))

    file.write_bytes(forged(file.read_bytes(), other_child))
    assert refusal(shop, reference, own, file) == "ATT_SUBJECT_MISMATCH"


def test_c03_the_scanning_job_has_no_key(shop: Shop, own: Path, tmp_path: Path) -> None:
    options = shop.installed.options(own, registry=shop.options, unsigned_file=tmp_path / "verdict.unsigned")
    with pytest.raises(UsageError) as refused:
        gate.check(shop.reference("clean", "shop/two-jobs"), options)
    assert refused.value.code == "USAGE"


# What hangs on a digest.


def test_show_tells_what_verifies_and_saves_by_digest(shop: Shop, own: Path, tmp_path: Path) -> None:
    reference = shop.reference("clean", "shop/shown")
    gate.check(reference, shop.installed.options(own, registry=shop.options, legacy_attestation=True))
    key = KeySigner(key=shop.installed.public_key())
    saved = tmp_path / "saved"
    found = show_attachments(reference, ShowOptions(signers=(key,), save=saved, registry=shop.options))
    states = {(item.type, item.source, item.state) for item in found.items}
    assert (VERIFICATION_SUMMARY, "referrer", "ok") in states
    assert (VERIFICATION_SUMMARY, "legacy-attestation", "ok") in states
    # The build's signature is by another key than the one that was given.
    assert (SIGNATURE, "referrer", "ID_MISMATCH") in states
    assert {item.says for item in found.items if item.type == VERIFICATION_SUMMARY} == {"PASSED"}
    assert {path.name for path in saved.iterdir()} == {f"sha256-{item.digest.hex}.json" for item in found.items}
    for path in saved.iterdir():
        assert path.name == f"sha256-{Digest.of(path.read_bytes()).hex}.json"
    unchecked = show_attachments(reference, ShowOptions(registry=shop.options))
    assert {item.state for item in unchecked.items} == {"unchecked"}
    assert all(not item.signer for item in unchecked.items)


# What is removed.


@pytest.fixture(params=[True, False], ids=["referrers", "fallback-tag"])
def deleting(request: pytest.FixtureRequest, olareg: StartOlareg) -> RunningRegistry:
    return olareg(referrers=request.param, delete=True)


def judge(installed: Installation, reference: str, own: Path, policy: Path, clock: Clock) -> Decision:
    """Issue a verdict that rests on no scanner, so that the clock may be anywhere."""
    options = installed.options(own, policy=policy, reissue=True)
    return gate.check(reference, options, clock=clock).verdict.decision


def hanging(reference: str) -> list[Attachment]:
    asked = parsed(reference)
    assert asked.digest is not None
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        return list(collect_attachments(RegistrySource(client, asked.repository, asked.digest), asked.digest).items)


@pytest.fixture
def policies(installed: Installation, tmp_path: Path) -> tuple[Path, Path]:
    """Return a policy that the image passes and one that it does not."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_bytes(shop_policy(installed, vulnerabilities=None, secrets=None, image={"user": "non-root"}))
    bad.write_bytes(shop_policy(installed, vulnerabilities=None, secrets=None, image={"ports": {"deny": ["8080"]}}))
    return good, bad


def states(pruned: tuple[PrunedManifest, ...]) -> list[tuple[str, str]]:
    return sorted((item.says, item.state) for item in pruned)


def test_prune_removes_what_is_superseded_and_keeps_the_newest_of_each_result(
    installed: Installation, deleting: RunningRegistry, own: Path, policies: tuple[Path, Path]
) -> None:
    reference = installed.push("clean", deleting.host)
    good, bad = policies
    for hours in (5, 4, 3):
        assert judge(installed, reference, own, good, ago(hours=hours)) is Decision.PASSED
    assert judge(installed, reference, own, bad, ago(hours=2)) is Decision.REFUSED
    before = hanging(reference)
    options = PruneOptions(signers=(KeySigner(key=installed.public_key()),))
    planned = prune_verdicts(reference, PruneOptions(signers=options.signers, dry_run=True))
    expected = [("PASSED", "superseded")] * 2 + [("evidence", "superseded")] * 2
    assert states(planned) == expected
    assert hanging(reference) == before
    assert states(prune_verdicts(reference, options)) == [(says, "removed") for says, _ in expected]
    left = hanging(reference)
    # The build's signature, one PASSED with its evidence, one FAILED with its evidence.
    assert len(before) - len(left) == 4
    assert len(left) == 5
    assert sum(item.media_type == FAILED_VERDICT for item in left) == 2
    assert prune_verdicts(reference, options) == ()
    demands = installed.demands(own, policies=frozenset({Digest.of(good.read_bytes())}))
    assert gate.verify(reference, demands).digest == parsed(reference).digest


def test_prune_touches_nothing_of_others(
    installed: Installation, deleting: RunningRegistry, own: Path, policies: tuple[Path, Path]
) -> None:
    reference = installed.push("clean", deleting.host)
    for hours in (5, 4):
        judge(installed, reference, own, policies[0], ago(hours=hours))
    before = hanging(reference)
    assert prune_verdicts(reference, PruneOptions(signers=(KeySigner(key=installed.public_key("stranger")),))) == ()
    assert hanging(reference) == before


def test_prune_says_what_a_registry_does_not_delete(
    installed: Installation, olareg: StartOlareg, own: Path, policies: tuple[Path, Path]
) -> None:
    reference = installed.push("clean", olareg(delete=False).host)
    for hours in (5, 4):
        judge(installed, reference, own, policies[0], ago(hours=hours))
    before = hanging(reference)
    pruned = prune_verdicts(reference, PruneOptions(signers=(KeySigner(key=installed.public_key()),)))
    assert states(pruned) == [("PASSED", "REG_PUSH"), ("evidence", "REG_PUSH")]
    assert all(item.problem for item in pruned)
    assert hanging(reference) == before


def test_prune_follows_an_index_to_its_children(
    installed: Installation, deleting: RunningRegistry, own: Path, policies: tuple[Path, Path]
) -> None:
    reference = installed.push("index-good", deleting.host)
    for hours in (5, 4):
        judge(installed, reference, own, policies[0], ago(hours=hours))
    pruned = prune_verdicts(reference, PruneOptions(signers=(KeySigner(key=installed.public_key()),)))
    assert len({item.subject for item in pruned}) == 3
    assert {item.state for item in pruned} == {"removed"}
    assert sum(item.says == "PASSED" for item in pruned) == 3


def test_prune_keeps_the_newest_of_each_environment_whatever_its_policy_calls_them(
    installed: Installation, deleting: RunningRegistry, own: Path, tmp_path: Path
) -> None:
    reference = installed.push("clean", deleting.host)
    policy = tmp_path / "own-prefix.yaml"
    attest = {"verifierId": VERIFIER, "extensionPrefix": "https://gate.shop.example/vsa/"}
    sections: dict[str, Any] = {
        "vulnerabilities": None,
        "secrets": None,
        "image": {"user": "non-root"},
        "attest": attest,
    }
    policy.write_bytes(shop_policy(installed, **sections))
    for hours, environments in (
        (5, ("staging",)),
        (4, ("production",)),
        (3, ("staging", "production")),
        (2, ("staging",)),
    ):
        options = installed.options(own, policy=policy, reissue=True, environments=environments)
        assert gate.check(reference, options, clock=ago(hours=hours)).verdict.decision is Decision.PASSED
    pruned = prune_verdicts(reference, PruneOptions(signers=(KeySigner(key=installed.public_key()),)))
    # The one for both is still the newest of production.
    assert states(pruned) == [("PASSED", "removed")] * 2 + [("evidence", "removed")] * 2
