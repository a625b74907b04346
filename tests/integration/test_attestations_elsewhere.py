"""Attestations in a repository of their own: what is issued there is found, and what stands with the image still counts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gate
from gate.clock import Clock, Deadline
from gate.codec.requirement.document import parse_requirement
from gate.errors import GateError, RegistryError
from gate.images.attachments import collect_attachments, collect_everywhere
from gate.images.registry_source import RegistrySource
from gate.model.decision import Decision
from gate.model.policy_signers import KeySigner
from gate.model.reference import Repository, parse_repository
from gate.pipeline.attest_prune import PruneOptions, prune_verdicts
from gate.pipeline.attest_show import ShowOptions, show_attachments
from gate.pipeline.sign import sign
from gate.pipeline.verify_options import VerifyOptions
from gate.registry.client import RegistryClient
from gate.registry.options import HostSettings, RegistryOptions
from gate.settings.policy_folder import PolicyFolder
from tests.integration.conftest import Shop
from tests.support.installation import SHOP, VERIFIER
from tests.support.policies import as_bytes, requirement_document

if TYPE_CHECKING:
    from gate.model.digest import Digest

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]


@pytest.fixture(params=["shop", "fallback_shop"])
def any_shop(request: pytest.FixtureRequest) -> Shop:
    """Return a registry with referrers, and one without."""
    given: Shop = request.getfixturevalue(request.param)
    return given


def verdicts_of(shop: Shop) -> Repository:
    return parse_repository(f"{shop.registry.host}/verdicts/{shop.registry.host.rpartition(':')[2]}")


def with_verdicts_elsewhere(shop: Shop, place: Repository) -> RegistryOptions:
    hosts = {shop.registry.host: HostSettings(attestations_in=place)}
    return dataclasses.replace(shop.options, hosts=hosts)


def code_of(reference: str, options: VerifyOptions) -> str:
    with pytest.raises(GateError) as refused:
        gate.verify(reference, options)
    return refused.value.code


def attached_in(repository: Repository, digest: Digest) -> int:
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(minutes=1))) as client:
        return len(collect_attachments(RegistrySource(client, repository, digest), digest).items)


def test_a_verdict_goes_to_the_named_repository_and_is_found_by_who_looks_there(any_shop: Shop, own: Path) -> None:
    reference = any_shop.reference("clean", "elsewhere/web")
    repository = parse_repository(reference.partition("@")[0])
    digest, place = any_shop.installed.digests["clean"], verdicts_of(any_shop)
    before = attached_in(repository, digest)
    run = gate.check(reference, any_shop.installed.options(own, registry=any_shop.options, attach_to=place))
    assert run.verdict.decision is Decision.PASSED
    assert {item.place for item in run.attestations} == {str(place)}
    assert attached_in(repository, digest) == before
    assert attached_in(place, digest) == len(run.attestations)
    assert code_of(reference, any_shop.installed.demands(own, registry=any_shop.options)) == "ATT_MISSING"
    there = with_verdicts_elsewhere(any_shop, place)
    assert gate.verify(reference, any_shop.installed.demands(own, registry=there)).digest == digest


def test_the_configured_repository_takes_the_verdict_and_a_failed_one_counts_wherever_it_stands(
    any_shop: Shop, own: Path
) -> None:
    reference = any_shop.reference("clean", "elsewhere/both")
    installed, there = any_shop.installed, with_verdicts_elsewhere(any_shop, verdicts_of(any_shop))
    demands = installed.demands(own, registry=there)
    assert gate.check(reference, installed.options(own, registry=there)).verdict.decision is Decision.PASSED
    assert gate.verify(reference, demands).verifier_id == VERIFIER
    assert gate.check(reference, installed.options(own, registry=there)).reused
    bad = any_shop.reference("root-user", "elsewhere/bad")
    assert gate.check(bad, installed.options(own, registry=any_shop.options)).verdict.decision is Decision.REFUSED
    assert code_of(bad, demands) == "ATT_VERDICT_FAIL"
    other = any_shop.reference("exposed-ssh", "elsewhere/bad-there")
    assert gate.check(other, installed.options(own, registry=there)).verdict.decision is Decision.REFUSED
    assert code_of(other, demands) == "ATT_VERDICT_FAIL"
    assert code_of(other, installed.demands(own, registry=any_shop.options)) == "ATT_MISSING"


def test_a_requirement_names_the_repository(shop: Shop, own: Path) -> None:
    reference, place = shop.reference("clean", "elsewhere/demanded"), verdicts_of(shop)
    gate.check(reference, shop.installed.options(own, registry=shop.options, attach_to=place))
    entry = {
        "match": f"{shop.registry.host}/elsewhere/**",
        "verdict": {
            "signedBy": [{"key": {"file": "keys/gate.pub"}, "verifierId": VERIFIER}],
            "policies": [{"file": "policy.yaml"}],
            "environment": "production",
        },
    }

    def demanded(**more: str) -> VerifyOptions:
        document = as_bytes(requirement_document({**entry, **more}))
        read = parse_requirement(document, name="requirement.yaml", files=PolicyFolder(shop.installed.root))
        return VerifyOptions(places=shop.installed.places(own), requirement=read, registry=shop.options)

    assert code_of(reference, demanded()) == "ATT_MISSING"
    assert gate.verify(reference, demanded(attestationsIn=str(place))).digest == shop.installed.digests["clean"]


def test_a_layout_may_be_attested_in_a_registry(shop: Shop, own: Path, tmp_path: Path) -> None:
    layout, place = shop.installed.copy("clean", tmp_path / "image"), verdicts_of(shop)
    untouched = (layout / "index.json").read_bytes()
    options = shop.installed.options(own, registry=shop.options, name=parse_repository(f"{SHOP}/web"), attach_to=place)
    run = gate.check(f"oci:{layout}", options)
    assert {item.place for item in run.attestations} == {str(place)}
    assert (layout / "index.json").read_bytes() == untouched


def test_signatures_and_what_is_shown_and_pruned_follow_the_setting(shop: Shop, own: Path) -> None:
    reference = shop.reference("unsigned", "elsewhere/signed", signed=False)
    place = verdicts_of(shop)
    there = with_verdicts_elsewhere(shop, place)
    signer = shop.installed.options(own).signer
    assert signer is not None
    assert sign(reference, signer=signer, annotations={}, registry=there).place == str(place)
    assert not show_attachments(reference, ShowOptions(registry=shop.options)).items
    shown = show_attachments(reference, ShowOptions(registry=there))
    assert len(shown.items) == 1
    named = show_attachments(reference, ShowOptions(registry=shop.options, attestations_in=place))
    assert [item.digest for item in named.items] == [item.digest for item in shown.items]
    judged = shop.reference("clean", "elsewhere/pruned")
    for hours in (0, 1):
        moment = datetime.now(UTC) + timedelta(hours=hours)
        again = shop.installed.options(own, registry=there, reissue=True)
        gate.check(judged, again, clock=Clock(now=lambda moment=moment: moment))  # type: ignore[misc]
    options = PruneOptions(signers=(KeySigner(key=shop.installed.public_key()),), dry_run=True, registry=there)
    assert prune_verdicts(judged, options)
    assert not prune_verdicts(judged, dataclasses.replace(options, registry=shop.options))


def test_a_repository_that_does_not_answer_is_an_error_and_no_pass(shop: Shop, own: Path) -> None:
    reference = shop.reference("clean", "elsewhere/silent")
    assert gate.check(reference, shop.installed.options(own, registry=shop.options)).verdict.decision is Decision.PASSED
    digest = shop.installed.digests["clean"]
    repository = parse_repository(reference.partition("@")[0])
    assert gate.verify(reference, shop.installed.demands(own, registry=shop.options)).digest == digest
    closed = with_verdicts_elsewhere(shop, parse_repository("127.0.0.1:1/verdicts"))
    demands = shop.installed.demands(own, registry=closed)
    with pytest.raises(RegistryError) as failed:
        gate.verify(reference, demands)
    assert failed.value.code == "REG_UNREACHABLE"
    with RegistryClient(shop.options, Deadline.after(timedelta(minutes=1))) as client:
        once = RegistrySource(client, repository, digest)
        one, two = collect_attachments(once, digest), collect_everywhere([once, once], digest)
    assert len(one.items) == len(two.items) > 0
