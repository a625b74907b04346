"""Trusted roots over TUF, against a repository that rotates, rolls back, freezes, signs twice and names other places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.admin.trust import trust_status, update_trust
from gate.clock import Deadline
from gate.errors import EvidenceError, RegistryError, StorageError, UsageError
from gate.model.digest import Digest
from gate.model.trust import TrustSource
from gate.registry.options import RegistryOptions
from gate.trust.shipped import SIGNING_CONFIG, TRUSTED_ROOT
from gate.trust.store import TrustEntry, TrustStore
from tests.support.file_server import Served, serve_files
from tests.support.signing import NOW
from tests.support.tuf_repository import PAST, TufRepository, signer
from tests.support.virtual_sigstore import VirtualSigstore

ROOT = VirtualSigstore().trusted_root()
NEXT_ROOT = VirtualSigstore(seed=1).trusted_root()


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A repository that is served, and a store that follows it under the name `company`."""

    repository: TufRepository
    url: str
    store: TrustStore

    def update(self, *, anchor: bytes | None = None, url: str | None = "", **options: Any) -> TrustEntry:  # noqa: ANN401 - any option
        return update_trust(
            self.store,
            "company",
            url=self.url if url == "" else url,
            anchor=anchor,
            registry=RegistryOptions(tries=1, **options),
            deadline=Deadline.after(timedelta(seconds=20)),
            now=NOW,
        )

    def follow(self) -> TrustEntry:
        return self.update(anchor=self.repository.anchor)

    def refused(self) -> str:
        with pytest.raises(EvidenceError) as refused:
            self.update()
        return refused.value.code


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    repository = TufRepository(targets={TRUSTED_ROOT: ROOT})
    repository.publish()
    with serve_files(repository.files) as url:
        yield Bench(repository=repository, url=url, store=TrustStore(tmp_path / "trust"))


def test_a_root_is_fetched_kept_by_digest_and_given_offline(bench: Bench) -> None:
    entry = bench.follow()
    assert (entry.source, entry.root, entry.url) == (TrustSource.TUF, Digest.of(ROOT), bench.url)
    bench.repository.files.clear()
    assert bench.store.load("company").root == ROOT
    assert (bench.store.folder.stat().st_mode & 0o077, bench.store.names()) == (0, ("company", "public"))


def test_the_next_update_needs_neither_address_nor_root(bench: Bench) -> None:
    bench.follow()
    bench.repository.targets[TRUSTED_ROOT] = NEXT_ROOT
    bench.repository.publish()
    assert bench.update(url=None).root == Digest.of(NEXT_ROOT)
    assert bench.store.load("company").root == NEXT_ROOT


def test_a_rotation_of_all_root_keys_is_followed(bench: Bench) -> None:
    bench.follow()
    bench.repository.keys |= {"root": [21, 22], "timestamp": [23], "snapshot": [24], "targets": [25]}
    bench.repository.publish(root=True)
    bench.repository.keys["root"] = [31, 32]
    bench.repository.publish(root=True)
    bench.update()
    assert bench.store.load("company").root == ROOT
    bench.repository.keys["root"] = [11, 12]
    bench.repository.publish(root=True)
    bench.update()


def test_a_signing_configuration_comes_along(bench: Bench) -> None:
    window = {"start": "2020-01-01T00:00:00Z"}
    service = {"url": "https://fulcio.example", "majorApiVersion": 1, "validFor": window, "operator": "x"}
    config = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": [service]}
    content = json.dumps(config).encode()
    bench.repository.targets[SIGNING_CONFIG] = content
    bench.repository.publish()
    assert bench.follow().signing == Digest.of(content)
    assert bench.store.load("company").signing == content


def test_status_shows_age_and_end(bench: Bench) -> None:
    bench.follow()
    (status,) = [item for item in trust_status(bench.store, NOW + timedelta(days=3)) if item.name == "company"]
    assert (status.problem, status.age) == (None, timedelta(days=3))
    assert status.expires is not None
    assert status.expires.year == 2099


def test_t02_an_older_timestamp_is_a_rollback(bench: Bench) -> None:
    old = dict(bench.repository.files)
    bench.repository.publish()
    bench.follow()
    bench.repository.files["/timestamp.json"] = old["/timestamp.json"]
    assert bench.refused() == "ROOT_ROLLBACK"


def test_t02_an_older_snapshot_under_a_new_timestamp_is_a_rollback(bench: Bench) -> None:
    bench.repository.publish()
    bench.follow()
    bench.repository.versions["timestamp"] += 1

    def roll_back(signed: dict[str, Any]) -> None:
        signed |= {"version": bench.repository.versions["timestamp"], "meta": {"snapshot.json": {"version": 1}}}

    bench.repository.resign("timestamp", roll_back)
    assert bench.refused() == "ROOT_ROLLBACK"


def test_t02_a_root_that_the_old_keys_did_not_sign_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.keys["root"] = [21, 22]
    bench.repository._before = []
    bench.repository.publish(root=True)
    assert bench.refused() == "ROOT_THRESHOLD"


def test_t02_a_root_that_skips_a_version_is_a_rollback(bench: Bench) -> None:
    bench.follow()
    bench.repository.publish(root=True)
    bench.repository.resign("root", lambda signed: signed.update(version=1))
    assert bench.refused() == "ROOT_ROLLBACK"


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_freeze_is_seen_by_the_end_of_the_metadata(bench: Bench, role: str) -> None:
    bench.follow()
    bench.repository.expires[role] = PAST
    bench.repository.publish(root=role == "root")
    assert bench.refused() == "ROOT_EXPIRED"


def test_t05_metadata_that_ended_in_the_cache_is_refused_offline(bench: Bench) -> None:
    bench.follow()
    cached = bench.store.tuf_folder("company") / "metadata" / "timestamp.json"
    bench.repository.expires["timestamp"] = PAST
    bench.repository.publish()
    bench.repository.resign(
        "timestamp", lambda signed: signed.update(meta={"snapshot.json": {"version": 1}}, version=1)
    )
    cached.write_bytes(bench.repository.files["/timestamp.json"].body)
    with pytest.raises(EvidenceError) as refused:
        bench.store.load("company")
    assert refused.value.code == "ROOT_EXPIRED"


def test_t05_a_cached_root_that_was_changed_is_refused(bench: Bench) -> None:
    entry = bench.follow()
    path = bench.store.folder / "roots" / f"{entry.root.hex}.json"
    path.write_bytes(NEXT_ROOT)
    with pytest.raises(EvidenceError) as refused:
        bench.store.load("company")
    assert refused.value.code == "ROOT_DIGEST"


def test_t05_a_cached_root_that_the_metadata_does_not_name_is_refused(bench: Bench) -> None:
    """The attacker changes the file and the entry that names its digest; the signed metadata still names the other."""
    bench.follow()
    (bench.store.folder / "roots" / f"{Digest.of(NEXT_ROOT).hex}.json").write_bytes(NEXT_ROOT)
    entry = bench.store.folder / "names" / "company.json"
    entry.write_text(entry.read_text().replace(Digest.of(ROOT).hex, Digest.of(NEXT_ROOT).hex))
    with pytest.raises(EvidenceError) as refused:
        bench.store.load("company")
    assert refused.value.code == "ROOT_DIGEST"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_t05_cached_metadata_that_was_changed_is_refused(bench: Bench, role: str) -> None:
    bench.follow()
    path = bench.store.tuf_folder("company") / "metadata" / f"{role}.json"
    document = json.loads(path.read_bytes())
    document["signed"]["expires"] = "2098-01-01T00:00:00Z"
    path.write_text(json.dumps(document))
    with pytest.raises(EvidenceError) as refused:
        bench.store.load("company")
    assert refused.value.code == "ROOT_THRESHOLD"


def test_t03_one_key_that_signs_twice_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.publish(root=True)

    def twice(document: dict[str, Any]) -> None:
        document["signatures"] = [document["signatures"][0]] * 2

    bench.repository.forge("root", twice)
    assert bench.refused() == "ROOT_THRESHOLD"


def test_t03_one_signature_of_two_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.publish(root=True)
    bench.repository.forge("root", lambda document: document["signatures"].pop())
    assert bench.refused() == "ROOT_THRESHOLD"


def test_t03_a_threshold_of_nobody_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.publish(root=True)
    bench.repository.forge("root", lambda document: document["signed"]["roles"]["targets"].update(threshold=0))
    assert bench.refused() == "ROOT_THRESHOLD"


@pytest.mark.parametrize("name", ["../../escape", "a/../../b", "/etc/passwd", ".hidden", "a%2f..%2fb", "a\\b"])
def test_t01_a_delegated_role_that_leaves_the_cache_is_refused(bench: Bench, name: str) -> None:
    bench.follow()
    key = signer(13).public_key
    role = {"name": name, "keyids": [key.keyid], "threshold": 1, "terminating": False, "paths": ["*"]}

    def delegate(signed: dict[str, Any]) -> None:
        signed["delegations"] = {"keys": {key.keyid: key.to_dict()}, "roles": [role]}

    bench.repository.targets.clear()
    bench.repository.publish()
    bench.repository.resign("targets", delegate)
    assert bench.refused() == "ROOT_PATH"
    assert not list(bench.store.folder.parent.rglob("*escape*"))


def test_t01_a_target_that_leaves_the_cache_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.targets["../trusted_root.json"] = ROOT
    bench.repository.publish()
    assert bench.refused() == "ROOT_PATH"


@pytest.mark.parametrize("name", ["../public", "Public", "", "a/b", "a" * 64])
def test_t01_a_name_of_the_store_that_is_no_file_name_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        bench.store.tuf_folder(name)
    assert refused.value.code == "USAGE"


def test_a_target_with_other_bytes_is_refused(bench: Bench) -> None:
    bench.follow()
    bench.repository.targets[TRUSTED_ROOT] = NEXT_ROOT
    bench.repository.publish()
    path = next(path for path in bench.repository.files if path.endswith(f"{Digest.of(NEXT_ROOT).hex}.{TRUSTED_ROOT}"))
    bench.repository.files[path] = Served(NEXT_ROOT.replace(b"virtual", b"another"))
    assert bench.refused() == "ROOT_DIGEST"
    assert bench.store.load("company").root == ROOT


def test_t06_a_signed_root_that_cannot_be_read_is_not_kept(bench: Bench) -> None:
    bench.follow()
    bench.repository.targets[TRUSTED_ROOT] = b"{}"
    bench.repository.publish()
    with pytest.raises(UsageError) as refused:
        bench.update()
    assert refused.value.code == "ROOT_MALFORMED"
    assert bench.store.entry("company").root == Digest.of(ROOT)


@pytest.mark.parametrize("answer", [Served(status=500), Served(b"", 302, {"Location": "http://10.0.0.1/"})])
def test_a_repository_that_does_not_serve_is_no_evidence(bench: Bench, answer: Served) -> None:
    bench.follow()
    bench.repository.files["/timestamp.json"] = answer
    assert bench.refused() == "ROOT_SOURCE"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"signed":{},"signed":{}}', b'{"signatures":[],"signed":{}}'])
def test_metadata_that_cannot_be_read_is_refused(bench: Bench, body: bytes) -> None:
    bench.follow()
    bench.repository.files["/timestamp.json"] = Served(body)
    assert bench.refused() == "ROOT_METADATA"


def test_offline_nothing_is_asked(bench: Bench) -> None:
    bench.follow()
    with pytest.raises(EvidenceError) as refused:
        bench.update(offline=True)
    assert refused.value.code == "ROOT_SOURCE"
    assert isinstance(refused.value.__cause__, RegistryError)
    assert refused.value.__cause__.code == "REG_OFFLINE"


def test_the_repository_never_says_itself_what_to_trust_first(bench: Bench) -> None:
    with pytest.raises(UsageError, match="which root metadata"):
        bench.update()
    with pytest.raises(UsageError, match="not said where"):
        bench.update(url=None)


def test_another_root_than_the_trusted_one_is_refused(bench: Bench) -> None:
    stranger = TufRepository(keys={"root": [41, 42], "timestamp": [43], "snapshot": [43], "targets": [43]})
    stranger.publish()
    with pytest.raises(EvidenceError) as refused:
        bench.update(anchor=stranger.anchor)
    assert refused.value.code == "ROOT_THRESHOLD"


def test_t01_a_folder_that_others_may_write_is_not_used(bench: Bench) -> None:
    bench.follow()
    bench.store.folder.chmod(0o777)
    with pytest.raises(StorageError) as refused:
        bench.store.load("company")
    assert refused.value.code == "STORE_UNAVAILABLE"
