"""`gate check` a second time, without a key, from archives: what is given again, what is kept, what is nowhere to be found."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

import gate
from gate.codec.strict_json import canonical_json
from gate.errors import PolicyError, UsageError
from gate.model.decision import Decision
from gate.model.reference import parse_repository
from gate.model.severity import Severity
from gate.pipeline.options import AdHoc
from gate.store.compression import decompress
from gate.store.record import open_record
from tests.integration.conftest import Shop
from tests.support.command import places_of, run_gate
from tests.support.installation import SHOP, Installation, shop_policy
from tests.support.runs import all_kinds, attached, codes, kinds
from tests.support.sources import ROOT
from tools.images import planted

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

PASSED, REFUSED = Decision.PASSED, Decision.REFUSED


def test_nothing_changed_gives_the_verdict_again_and_pushes_nothing(
    shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference("clean", "again/web")
    options = installed.options(own)
    first = gate.check(reference, options)
    count = attached(reference)
    again = gate.check(reference, options)
    assert again.reused
    assert not first.reused
    assert (again.verdict, again.attestations) == (first.verdict, first.attestations)
    assert (attached(reference), kinds(options)) == (count, ["verdict", "intent", "published"])
    sealed = ["verdict", "intent", "policy", "published", "checkpoint", "given-again", "checkpoint"]
    assert all_kinds(options) == sealed
    forced = gate.check(reference, dataclasses.replace(options, reissue=True))
    assert not forced.reused
    assert kinds(options) == ["verdict", "intent", "published"] * 2
    # The same second gives the same bytes (signatures are deterministic): then there is nothing to add.
    assert attached(reference) == len({item.manifest for item in (*first.attestations, *forced.attestations)}) + 1


def test_a_verdict_is_not_given_again_once_a_signature_came(shop: Shop, installed: Installation, own: Path) -> None:
    reference = shop.reference("unsigned", "signed-later/web", signed=False)
    options = installed.options(own)
    assert codes(gate.check(reference, options)) == {"SIG_MISSING"}
    assert gate.check(reference, options).reused
    installed.sign(reference)
    run = gate.check(reference, options)
    assert (run.verdict.decision, run.reused) == (PASSED, False)


def test_a_verdict_that_the_registry_lost_is_published_again_from_the_record(
    shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference("clean", "lost/web")
    options = installed.options(own)
    first = gate.check(reference, options)
    shutil.rmtree(shop.registry.directory / "lost")
    installed.push("clean", shop.registry.host, repository="lost/web")
    again = gate.check(reference, options)
    assert again.reused
    assert again.attestations == first.attestations
    assert "published again" in again.notices[0]
    assert gate.verify(reference, installed.demands(own)).attachment in {item.manifest for item in first.attestations}


def test_settings_that_no_digest_covers_give_no_verdict_again(shop: Shop, installed: Installation, own: Path) -> None:
    folder = own / "policies"
    folder.mkdir()
    key = folder / "build.pub"
    key.write_bytes(installed.public_key_file("build").read_bytes())
    policy = folder / "policy.yaml"
    policy.write_bytes(shop_policy(installed, signature=[{"images": "**", "anyOf": [{"key": {"file": "build.pub"}}]}]))
    options = installed.options(own, policy=policy, signer=None)
    reference = shop.reference("clean", "unpinned/web")
    assert gate.check(reference, options).verdict.decision is PASSED
    key.write_bytes(installed.public_key_file("stranger").read_bytes())
    assert codes(gate.check(reference, options)) == {"SIG_INVALID"}
    with pytest.raises(PolicyError) as refused:
        gate.check(reference, dataclasses.replace(options, signer=installed.signer()))
    assert refused.value.code == "POL_UNPINNED"


def test_without_a_key_the_verdict_is_recorded_and_nothing_attached(
    shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference("clean", "judged-only/web")
    options = installed.options(own, signer=None)
    before = attached(reference)
    run = gate.check(reference, options)
    assert (run.verdict.decision, run.attestations) == (PASSED, ())
    assert run.notices == ("no attestation was made: give --key to sign the verdict",)
    assert (attached(reference), kinds(options)) == (before, ["verdict"])
    assert gate.check(reference, options).reused
    assert all_kinds(options) == ["verdict", "policy", "checkpoint", "given-again", "checkpoint"]
    with pytest.raises(UsageError):
        gate.check(reference, dataclasses.replace(options, attestation_file=own / "verdict.json"))


def test_p07_settings_on_the_command_line_change_the_verdict_and_sign_nothing(
    shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference("vulnerable-maven", "ad-hoc/web")
    baseline = installed.options(own, policy=None, signer=None)
    assert codes(gate.check(reference, baseline)) == {"VULN_FOUND"}
    critical = dataclasses.replace(baseline, ad_hoc=AdHoc(signature_key=installed.public_key_file("stranger")))
    assert codes(gate.check(reference, critical)) == {"VULN_FOUND", "SIG_INVALID"}
    clean = shop.reference("clean", "ad-hoc/clean")
    low = AdHoc(fail_on=Severity.LOW)
    judged = gate.check(clean, dataclasses.replace(baseline, ad_hoc=low))
    assert (judged.verdict.decision, judged.verdict.policy.name) == (PASSED, "baseline+command-line")
    with pytest.raises(PolicyError) as refused:
        gate.check(clean, dataclasses.replace(baseline, ad_hoc=low, signer=installed.signer()))
    assert refused.value.code == "USAGE"
    with pytest.raises(PolicyError) as mixed:
        gate.check(clean, installed.options(own, ad_hoc=low, signer=None))
    assert mixed.value.code == "USAGE"
    # The shipped baseline itself is pinned, so a verdict under it may be signed.
    assert gate.check(clean, dataclasses.replace(baseline, signer=installed.signer())).attestations


def test_an_image_archive_is_attested_into_a_file(installed: Installation, own: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(installed.layout("clean"), arcname=".")
    name, file = parse_repository(f"{SHOP}/web"), tmp_path / "verdict.json"
    reference = f"archive:{archive}"
    options = installed.options(own, name=name, attestation_file=file)
    run = gate.check(reference, options)
    assert (run.verdict.decision, codes(run)) == (PASSED, set())
    digest = f"{name}@{installed.digests['clean']}"
    assert gate.verify(digest, installed.demands(own, attestation_file=file, offline=True)).digest == run.verdict.digest
    signed = file.read_bytes()
    file.unlink()
    assert gate.check(reference, options).reused
    assert file.read_bytes() == signed
    with pytest.raises(UsageError):
        gate.check(reference, dataclasses.replace(options, attestation_file=None))
    with pytest.raises(UsageError) as unnamed:
        gate.check(reference, dataclasses.replace(options, name=None))
    assert unnamed.value.code == "REF_NAME"


def docker_save(layout: Path, target: Path) -> None:
    """Write what `docker save` writes of an image, made from its layout."""
    blobs = layout / "blobs" / "sha256"
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].removeprefix("sha256:")).read_bytes())
    config = manifest["config"]["digest"].removeprefix("sha256:")
    layers = [layer["digest"].removeprefix("sha256:") for layer in manifest["layers"]]
    listing = [
        {"Config": f"{config}.json", "RepoTags": ["shop/web:1"], "Layers": [f"{name}/layer.tar" for name in layers]}
    ]
    members = [("manifest.json", json.dumps(listing).encode()), (f"{config}.json", (blobs / config).read_bytes())]
    members += [(f"{name}/layer.tar", (blobs / name).read_bytes()) for name in layers]
    with tarfile.open(target, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(("name", "found"), [("clean", set()), ("secret-deleted", {"SECRET_LAYER"})])
def test_a_docker_archive_is_judged_and_never_attested(
    name: str, found: set[str], installed: Installation, own: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "saved.tar"
    docker_save(installed.layout(name), archive)
    policy = own / "policy.yaml"
    policy.write_bytes(shop_policy(installed, signature=None))
    options = installed.options(own, policy=policy, signer=None, name=parse_repository(f"{SHOP}/web"))
    assert codes(gate.check(f"archive:{archive}", options)) == found
    with pytest.raises(UsageError) as refused:
        gate.check(f"archive:{archive}", dataclasses.replace(options, signer=installed.signer()))
    assert refused.value.code == "REF_NAME"


@pytest.mark.parametrize("name", ["secret-deleted", "secret-env", "secret-history"])
def test_a_found_secret_stands_nowhere_in_what_the_gate_keeps_or_says(
    name: str, shop: Shop, installed: Installation, own: Path
) -> None:
    reference = shop.reference(name, f"canary/{name}")
    arguments = ["check", reference, "-p", str(installed.policy), "--key", str(installed.private_key())]
    arguments += ["--attestation", str(own / "verdict.json"), f"--cache-dir={own / 'cache'}", "--reissue"]
    arguments += places_of(installed, own)[1:]
    said = []
    for form in ("table", "json"):
        done = run_gate(*arguments, "--debug", "-f", form, cwd=own)
        assert done.returncode == 1, done.stderr
        said.append(done.stdout + done.stderr)
    values = secret_values(name)
    for value in values:
        assert not any(value in text for text in said)
        kept = [path for path in own.rglob("*") if path.is_file() and not in_blobs(path, own)]
        assert {path.name for path in kept} >= {"record.db", "verdict.json"}
        assert [path for path in kept if value.encode() in opened(path)] == []
        referrers = shop.registry.directory / "canary" / name
        pushed = [
            path for path in referrers.rglob("*") if path.is_file() and path.name not in image_blobs(installed, name)
        ]
        assert pushed
        assert [path for path in pushed if value.encode() in path.read_bytes()] == []
    with closing(sqlite3.connect(own / "record.db")) as database:
        rows = database.execute("select content from gate_rows").fetchall()
    assert rows
    assert not any(value.encode() in content for value in values for (content,) in rows)


def opened(path: Path) -> bytes:
    """Return what a file holds, decompressed where it is kept so."""
    content = path.read_bytes()
    return decompress(content) or content if path.suffix == ".zst" else content


def secret_values(name: str) -> list[str]:
    """Return what must not be seen: the token, or the values of the planted file."""
    if name == "secret-deleted":
        return [line.partition("=")[2] for line in planted.dotenv(name).splitlines()]
    return [planted.github_token(name)]


def image_blobs(installed: Installation, name: str) -> set[str]:
    return {path.name for path in (installed.layout(name) / "blobs" / "sha256").iterdir()}


def in_blobs(path: Path, own: Path) -> bool:
    """Say whether a file is a blob of the image itself, which is as it was pushed."""
    return path.is_relative_to(own / "cache" / "images")


def test_the_record_holds_canonical_rows(shop: Shop, installed: Installation, own: Path) -> None:
    gate.check(shop.reference("clean", "rows/web"), installed.options(own))
    record = open_record(str(own / "record.db"), installed.places(own).evidence)
    rows = tuple(record.rows())
    record.close()
    schema = json.loads((ROOT / "schemas" / "record-row.schema.json").read_text(encoding="utf-8"))
    for row in rows:
        jsonschema.Draft202012Validator(schema).validate(json.loads(row.content))
    assert {row.kind for row in rows} == {"verdict", "intent", "policy", "published", "checkpoint"}
    assert [row.content for row in rows] == [canonical_json(json.loads(row.content)) for row in rows]


def test_what_was_pulled_once_is_judged_offline_and_nothing_else(
    shop: Shop, installed: Installation, own: Path
) -> None:
    options = dataclasses.replace(installed.options(own, cold=True), policy=None, signer=None, fail_signer=None)
    known, other = shop.reference("index-good", "offline/web"), shop.reference("clean", "offline/other")
    assert gate.check(known, options).verdict.decision is PASSED
    offline = dataclasses.replace(options, offline=True, reissue=True)
    assert gate.check(known, offline).verdict.decision is PASSED
    never = gate.check(other, offline)
    assert (never.verdict.decision, codes(never)) == (Decision.ERROR, {"REG_OFFLINE"})
