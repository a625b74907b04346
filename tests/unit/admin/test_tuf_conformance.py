"""The cases of the public TUF conformance suite, made again under its names against the gate's own client; T01 to T03, T05.

What the suite asserts of a client is asserted here: the result, and which versions are kept after it. Not made again, with the
reason:

- `test_artifact_cache`: the suite calls it optional. A target of a trust root is some kilobytes, and is fetched and compared
  with its metadata at every update.
- `test_faketime`: it tests the suite's own way to set the clock; here the clock of python-tuf is replaced.
- `test_static_repository`: recorded repositories of others, nothing of which is kept here; `gate trust update` is run against
  the public instance's metadata wherever that is fresh.
- the two of `test_repository_simulator`: they test the suite's own simulator.

Different on purpose: `test_unusual_role_name`. Roles are names of files and parts of addresses; no repository of a trust root
has one of `?`, `#`, `/x` or `../x`, and the gate refuses them before anything is asked or written (`ROOT_PATH`).

Source: github.com/theupdateframework/tuf-conformance (the cases; none of its text or code), TUF specification 1.0.34.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from tests.support.tuf_simulator import TOP, Client, Simulator

PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def repo() -> Simulator:
    return Simulator()


@pytest.fixture
def client(repo: Simulator, tmp_path: Path) -> Client:
    return Client(repo, tmp_path / "tuf")


def edited(alter: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        document = json.loads(data)
        alter(document)
        return json.dumps(document).encode()

    return change


# Basic


def test_basic_refresh_requests(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    assert repo.asked == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]


def test_basic_refresh_trusted_data(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    for role in TOP:
        assert (client.folder / "state" / f"{role}.json").read_bytes() == repo.served[role][-1]


def test_implicit_refresh(client: Client) -> None:
    assert client.refresh("nothing") == ""
    assert client.found == {}
    assert client.versions() == [1, 1, 1, 1]


@pytest.mark.parametrize("part", ["version", "signature"])
def test_invalid_initial_root_and_unsigned_initial_root(repo: Simulator, client: Client, part: str) -> None:
    def spoil(document: dict[str, Any]) -> None:
        if part == "version":
            del document["signed"]["version"]
        else:
            document["signatures"][0]["sig"] = "00" * 64

    repo.anchor = edited(spoil)(repo.anchor)
    assert client.refresh() in {"ROOT_METADATA", "ROOT_THRESHOLD"}
    assert repo.asked == []


@pytest.mark.parametrize(
    ("role", "trusted"),
    [
        ("root", [1, None, None, None]),
        ("timestamp", [2, None, None, None]),
        ("snapshot", [2, 2, None, None]),
        ("targets", [2, 2, 2, None]),
    ],
)
def test_unsigned_metadata(repo: Simulator, client: Client, role: str, trusted: list[int | None]) -> None:
    repo.signers[role] = []
    repo.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == "ROOT_THRESHOLD"
    assert client.versions() == trusted


@pytest.mark.parametrize(
    ("role", "trusted"),
    [("root", [1, None, None, None]), ("snapshot", [2, 2, None, None]), ("targets", [2, 2, 2, None])],
)
def test_url_and_metadata_version_mismatch(
    repo: Simulator, client: Client, role: str, trusted: list[int | None]
) -> None:
    repo.publish("root", "targets", "snapshot", "timestamp")
    repo.signed[role].version += 1
    repo.publish(role, keep_version=True)
    forged = repo.served[role].pop()
    repo.served[role][-1] = forged
    repo.signed[role].version -= 1
    if role == "targets":
        repo.snapshot.meta["targets.json"].version = 2
    assert client.refresh() == "ROOT_ROLLBACK"
    assert client.versions() == trusted


def test_timestamp_content_changes(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.timestamp.snapshot_meta.version = 100
    repo.publish("timestamp", keep_version=True)
    assert client.refresh() == ""
    assert repo.asked[-1] == ("timestamp", None)
    assert json.loads((client.folder / "state/timestamp.json").read_bytes())["signed"]["meta"] == {
        "snapshot.json": {"version": 1}
    }


def test_basic_metadata_hash_support(repo: Simulator, client: Client) -> None:
    repo.hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    assert client.versions() == [1, 2, 2, 2]


def test_targets_hash_mismatch(repo: Simulator, client: Client) -> None:
    repo.hashes = True
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    repo.publish("targets")
    repo.snapshot.meta["targets.json"].hashes = {"sha256": "0" * 64}
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == "ROOT_DIGEST"
    assert client.versions() == [1, 3, 3, 2]


def test_snapshot_hash_mismatch(repo: Simulator, client: Client) -> None:
    repo.hashes = True
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == ""
    repo.publish("snapshot")
    repo.timestamp.snapshot_meta.hashes = {"sha256": "0" * 64}
    repo.publish("timestamp")
    assert client.refresh() == "ROOT_DIGEST"
    assert client.versions() == [1, 3, 2, 1]


def test_metadata_bytes_match(repo: Simulator, client: Client) -> None:
    repo.change("timestamp", lambda data: data + b" ")
    assert client.refresh() == ""
    assert (client.folder / "state/timestamp.json").read_bytes() == repo.served["timestamp"][-1]


def test_custom_fields(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.root.unrecognized_fields["custom"] = "value"
    repo.root.roles["root"].unrecognized_fields["another"] = {"a": 1}
    repo.add_key("root")
    repo.publish("root")
    assert client.refresh() == ""
    assert client.version("root") == 2


def test_deprecated_keyid_hash_algorithms(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.rotate_keys("snapshot")
    for key in repo.root.keys.values():
        key.unrecognized_fields["keyid_hash_algorithms"] = "md5"
    repo.publish("root", "snapshot", "timestamp")
    assert client.refresh() == ""
    assert client.versions() == [2, 2, 2, 1]


def test_snapshot_404(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.timestamp.snapshot_meta.version += 1
    repo.publish("timestamp")
    assert client.refresh() == "ROOT_SOURCE"
    assert repo.asked[-1] == ("snapshot", 2)
    assert client.versions() == [1, 2, 1, 1]


def test_targets_404(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.snapshot.meta["targets.json"].version += 1
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == "ROOT_SOURCE"
    assert repo.asked[-1] == ("targets", 2)
    assert client.versions() == [1, 2, 2, 1]


def test_timestamp_404(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.served["timestamp"] = []
    assert client.refresh() == "ROOT_SOURCE"
    assert repo.asked[-1] == ("timestamp", None)


def test_incorrect_metadata_type(repo: Simulator, client: Client) -> None:
    assert client.refresh() == ""
    repo.add_key("snapshot", repo.signers["timestamp"][0])
    repo.snapshot.meta = dict(repo.timestamp.to_dict()["meta"]) and {"snapshot.json": repo.timestamp.snapshot_meta}
    repo.publish("root", "snapshot")
    repo.served["timestamp"].append(repo.served["snapshot"].pop())
    assert client.refresh() == "ROOT_METADATA"
    # The timestamp that is kept was trusted under the same keys.
    assert client.versions() == [2, 1, 1, 1]


# Ends


@pytest.mark.parametrize(
    ("role", "trusted"),
    [("root", [2, 1, 1, 1]), ("timestamp", [1, 1, 1, 1]), ("snapshot", [1, 2, 1, 1]), ("targets", [1, 2, 2, 1])],
)
def test_root_timestamp_snapshot_and_targets_expired(
    repo: Simulator, client: Client, role: str, trusted: list[int | None]
) -> None:
    assert client.refresh() == ""
    repo.signed[role].expires = PAST
    repo.publish(*(["root"] if role == "root" else []), "targets", "snapshot", "timestamp")
    assert client.refresh() == "ROOT_EXPIRED"
    assert client.versions() == trusted


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:  # noqa: ANN401
            return moment.astimezone(tz)

    monkeypatch.setattr("tuf.ngclient._internal.trusted_metadata_set.datetime.datetime", Clock)


@pytest.mark.parametrize("role", ["root", "timestamp"])
def test_expired_local_root_and_expired_local_timestamp(
    repo: Simulator, client: Client, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    repo.signed[role].expires = now + timedelta(days=7)
    repo.publish(role)
    assert client.refresh() == ""
    at(monkeypatch, now + timedelta(days=18))
    assert client.refresh() == "ROOT_EXPIRED", "the twin: nothing newer is there"
    repo.signed[role].expires = now + timedelta(days=21)
    repo.publish(*(["root"] if role == "root" else []), "targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    assert client.versions() == ([3, 2, 2, 2] if role == "root" else [1, 3, 2, 2])


# Keys


def test_snapshot_does_not_meet_threshold(repo: Simulator, client: Client) -> None:
    repo.root.roles["snapshot"].threshold = 3
    for _ in range(2):
        repo.add_key("snapshot")
    repo.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    repo.signers["snapshot"].pop()
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == "ROOT_THRESHOLD"
    assert client.version("snapshot") == 2


def test_snapshot_has_too_few_keys(repo: Simulator, client: Client) -> None:
    for _ in range(4):
        repo.add_key("snapshot")
    repo.root.roles["snapshot"].threshold = 6
    repo.publish("root", "snapshot", "timestamp")
    assert client.refresh() == "ROOT_THRESHOLD"
    assert client.versions() == [2, 2, None, None]


def test_duplicate_keys_and_duplicate_sig_keyids(repo: Simulator, client: Client) -> None:
    repo.root.roles["snapshot"].threshold = 2
    repo.publish("root", "snapshot", "timestamp")
    repo.change("snapshot", edited(lambda document: document["signatures"].append(document["signatures"][0])))
    assert client.refresh() == "ROOT_THRESHOLD"
    assert client.version("snapshot") is None


@pytest.mark.parametrize("make", ["generate_rsa", "generate_ecdsa", "generate_ed25519"])
def test_keytype_and_scheme(repo: Simulator, client: Client, make: str) -> None:
    signer = getattr(CryptoSigner, make)()
    repo.add_key("root", signer)
    repo.root.roles["root"].threshold = 2
    repo.publish("root")
    assert client.refresh() == ""
    repo.publish("root")

    def spoil(document: dict[str, Any]) -> None:
        for signature in document["signatures"]:
            if signature["keyid"] == signer.public_key.keyid:
                signature["sig"] = f"{signature['sig'][:-4]}0000"

    repo.change("root", edited(spoil))
    assert client.refresh() == "ROOT_THRESHOLD"
    assert client.version("root") == 2


@pytest.mark.parametrize("bad", ["00" * 64, ""])
def test_invalid_sig_in_valid_metadata(repo: Simulator, client: Client, bad: str) -> None:
    repo.add_key("timestamp")
    repo.publish("root", "timestamp")
    repo.change("timestamp", edited(lambda document: document["signatures"][0].update(sig=bad)))
    assert client.refresh() == ""
    assert client.version("timestamp") == 2


# Rollback


def test_new_timestamp_version_rollback(repo: Simulator, client: Client) -> None:
    repo.publish("timestamp")
    assert client.refresh() == ""
    repo.forget("timestamp", 0)
    repo.publish("timestamp")
    assert client.refresh() == "ROOT_ROLLBACK"
    assert client.version("timestamp") == 2


@pytest.mark.parametrize("hashes", [False, True])
def test_snapshot_rollback(repo: Simulator, client: Client, *, hashes: bool) -> None:
    repo.hashes = hashes
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == ""
    repo.forget("snapshot", 0)
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == "ROOT_ROLLBACK"
    assert client.versions() == [1, 2, 2, 1]
    assert repo.asked[-1] == ("timestamp", None)


@pytest.mark.parametrize("hashes", [False, True])
def test_targets_rollback(repo: Simulator, client: Client, *, hashes: bool) -> None:
    repo.hashes = hashes
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    repo.forget("targets", 0)
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh() == "ROOT_ROLLBACK"
    assert client.versions() == [1, 3, 2, 2]


def test_targets_role_removal(repo: Simulator, client: Client) -> None:
    repo.delegate("targets", "delegated")
    repo.publish("delegated", "targets", "snapshot", "timestamp")
    assert client.refresh() == ""
    del repo.snapshot.meta["delegated.json"]
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == "ROOT_METADATA"
    assert client.version("snapshot") == 2


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_fast_forward_recovery_of_targets_snapshot_and_timestamp(repo: Simulator, client: Client, role: str) -> None:
    repo.signed[role].version = 98
    repo.served[role] = []
    order = ["targets", "snapshot", "timestamp"]
    repo.publish(*order[order.index(role) :])
    assert client.refresh() == ""
    assert client.version(role) == 99
    # Whoever names the role gets new keys, and the role begins again.
    for rotated in {"targets": ["snapshot"], "snapshot": ["snapshot", "timestamp"], "timestamp": ["timestamp"]}[role]:
        repo.rotate_keys(rotated)
    repo.forget(role, 0)
    repo.publish("root", *order)
    assert client.refresh() == ""
    assert client.version(role) == 1
