"""The cases of the public TUF conformance suite on keys, delegations and files; `test_tuf_conformance` says what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from tests.support.tuf_simulator import TOP, Client, Simulator


@pytest.fixture
def repo() -> Simulator:
    return Simulator()


@pytest.fixture
def client(repo: Simulator, tmp_path: Path) -> Client:
    return Client(repo, tmp_path / "tuf")


# Rotation of keys: keys, threshold and signers of each version of root, and whether it is taken

ROTATIONS: dict[str, list[tuple[list[int], int, list[int], bool]]] = {
    "1-of-1": [([1], 1, [1], True), ([2], 1, [2, 1], True), ([2], 1, [2], True)],
    "1-of-1-unused-signatures": [([1], 1, [3, 1, 4], True), ([2], 1, [3, 2, 1, 4], True), ([2], 1, [3, 2, 4], True)],
    "3-of-5-other-signers": [([0, 1, 2, 3, 4], 3, [0, 2, 4], True), ([0, 1, 2, 3, 4], 3, [0, 4, 1], True)],
    "3-of-5-one-key": [([0, 1, 2, 3, 4], 3, [0, 2, 4], True), ([0, 1, 3, 4, 5], 3, [0, 4, 1], True)],
    "3-of-5-all-keys": [
        ([0, 1, 2, 3, 4], 3, [0, 2, 4], True), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7], True),
        ([5, 6, 7, 8, 9], 3, [5, 6, 7], True),
    ],
    "threshold-up": [([1, 2, 3], 1, [1], True), ([1, 2, 3], 2, [1, 2], True)],
    "threshold-down": [([1, 2, 3], 2, [1, 2], True), ([1, 2, 3], 1, [1, 2], True), ([1, 2, 3], 1, [1], True)],
    "not-by-the-old-key": [([1], 1, [1], True), ([2], 1, [2, 3, 4], False)],
    "not-by-the-new-key": [([1], 1, [1], True), ([2], 1, [1, 3, 4], False)],
    "not-by-3-new-keys": [([0, 1, 2, 3, 4], 3, [0, 2, 4], True), ([0, 1, 3, 4, 5], 3, [0, 2, 4], False)],
    "not-by-3-old-keys": [([0, 1, 2, 3, 4], 3, [0, 2, 4], True), ([0, 1, 3, 4, 5], 3, [0, 4, 5], False)],
    "new-threshold-not-reached": [([1, 2, 3], 1, [1], True), ([1, 2, 3], 2, [2], False)],
    "old-threshold-not-reached": [([1, 2, 3], 2, [1, 2], True), ([1, 2, 3], 1, [1], False)],
}  # fmt: skip


def key_role(repo: Simulator, role: str, keys: list[int], threshold: int, signers: list[int]) -> None:
    repo.root.roles[role].keyids = []
    repo.root.roles[role].threshold = threshold
    for number in keys:
        repo.root.add_key(KEYS[number].public_key, role)
    repo.signers[role] = [KEYS[number] for number in signers]


KEYS = [CryptoSigner.generate_ed25519() for _ in range(10)]


@pytest.mark.parametrize("versions", ROTATIONS.values(), ids=ROTATIONS.keys())
def test_root_rotation(repo: Simulator, client: Client, versions: list[tuple[list[int], int, list[int], bool]]) -> None:
    repo.forget("root", 0)
    for keys, threshold, signers, _ in versions:
        key_role(repo, "root", keys, threshold, signers)
        repo.publish("root")
    repo.anchor = repo.served["root"][0]
    taken = [good for *_, good in versions]
    assert client.refresh() == ("" if all(taken) else "ROOT_THRESHOLD")
    assert client.version("root") == sum(taken)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize(
    ("keys", "threshold", "signers", "good"),
    [
        ([2], 1, [2], True),
        ([1], 1, [3, 1, 4], True),
        ([2], 1, [1, 3, 4], False),
        ([0, 1, 3, 4, 5], 3, [0, 2, 4], False),
        ([0, 1, 3, 4, 5], 3, [0, 4], False),
        ([0, 1, 2, 3, 4], 3, [0, 4, 1], True),
        ([0, 1, 2, 3, 4], 3, [2, 3, 4], True),
    ],
)
def test_non_root_rotations(
    repo: Simulator, client: Client, role: str, keys: list[int], threshold: int, signers: list[int], *, good: bool
) -> None:
    key_role(repo, role, keys, threshold, signers)
    repo.publish("root", "targets", "snapshot", "timestamp")
    assert client.refresh() == ("" if good else "ROOT_THRESHOLD")
    assert client.version("root") == 2, "a new root is kept at once (5.3.8)"
    assert (client.version(role) == 2) is good


# Delegations

# delegations (by, name, paths, terminating), and the roles that are asked for a path that no one has, in order
GRAPHS: dict[str, tuple[list[tuple[str, str, list[str], bool]], list[str]]] = {
    "none": ([], []),
    "one-level": ([("targets", "A", [], False), ("targets", "B", [], False)], ["A", "B"]),
    "two-levels": (
        [("targets", "A", [], False), ("targets", "B", [], False), ("B", "C", [], False)], ["A", "B", "C"],
    ),
    "depth-first": (
        [("targets", "A", [], False), ("targets", "B", [], False), ("A", "C", [], False)], ["A", "C", "B"],
    ),
    "terminating": ([("targets", "A", [], True), ("targets", "B", [], False)], ["A"]),
    "terminating-below": (
        [("targets", "A", [], False), ("targets", "B", [], False), ("A", "C", [], True), ("C", "D", [], False)],
        ["A", "C", "D"],
    ),
    "paths": ([("targets", "A", ["*.py"], False), ("targets", "B", [], False), ("A", "C", [], False)], ["B"]),
    "circle": (
        [("targets", "A", [], False), ("targets", "B", [], False), ("B", "C", [], False), ("C", "D", [], False),
         ("D", "B", [], False)],
        ["A", "B", "C", "D"],
    ),
}  # fmt: skip


def delegated(repo: Simulator, graph: list[tuple[str, str, list[str], bool]]) -> None:
    for by, name, paths, terminating in graph:
        repo.delegate(by, name, *paths, terminating=terminating)
    repo.publish(*dict.fromkeys(name for _, name, _, _ in graph), "targets", "snapshot", "timestamp")


@pytest.mark.parametrize(("graph", "visited"), GRAPHS.values(), ids=GRAPHS.keys())
def test_graph_traversal(
    repo: Simulator, client: Client, graph: list[tuple[str, str, list[str], bool]], visited: list[str]
) -> None:
    delegated(repo, graph)
    assert client.refresh("missing") == ""
    assert [role for role, _ in repo.asked[4:]] == visited


@pytest.mark.parametrize(
    ("name", "visited", "found"),
    [
        ("file", [], True),
        ("README.md", ["A"], True),
        ("releases/x/x_v1", ["B", "C"], True),
        ("releases/y/y_v1.zip", ["B", "D"], True),
        ("releases/z/z_v1.zip", ["B"], False),
        ("releases/README.md", [], False),
        ("foo-1.tgz", ["A"], True),
        ("foo-alpha.tgz", [], False),
        ("README.MD", [], False),
    ],
)
def test_targetfile_search(repo: Simulator, client: Client, name: str, visited: list[str], *, found: bool) -> None:
    repo.delegate("targets", "A", "*.doc", "*.md", "foo-?.tgz")
    repo.delegate("targets", "B", "releases/*/*")
    repo.delegate("B", "C", "releases/x/*")
    repo.delegate("B", "D", "releases/y/*.zip")
    owners = {
        "file": "targets", "README.md": "A", "releases/README.md": "A", "foo-1.tgz": "A", "foo-alpha.tgz": "A",
        "releases/x/x_v1": "C", "releases/y/y_v1.zip": "D", "releases/z/z_v1.zip": "D",
    }  # fmt: skip
    for target, role in owners.items():
        repo.add_target(target, target.encode(), role)
    repo.publish("A", "B", "C", "D", "targets", "snapshot", "timestamp")
    assert client.refresh(name) == ""
    assert [role for role, _ in repo.asked[4:]] == visited
    assert client.found == ({name: name.encode()} if found else {})


def test_cached_role_is_verified_against_current_delegator(repo: Simulator, client: Client) -> None:
    """python-tuf alone fails this one: a role that it verified for one delegator it takes for another's."""
    repo.delegate("targets", "parent-a", "team-a/*")
    repo.delegate("targets", "parent-b", "team-b/*")
    repo.delegate("parent-a", "release", "team-a/*")
    repo.delegate("parent-b", "release", "team-b/*")
    repo.signers["release"].pop()
    repo.add_target("team-a/root.json", b"trusted", "release")
    repo.add_target("team-b/root.json", b"malicious", "release")
    repo.publish("release", "parent-a", "parent-b", "targets", "snapshot", "timestamp")
    assert client.refresh("team-a/root.json") == ""
    assert client.found == {"team-a/root.json": b"trusted"}
    assert client.refresh("team-a/root.json", "team-b/root.json") == "ROOT_THRESHOLD"
    assert client.found == {}


def test_delegation_not_in_snapshot(repo: Simulator, client: Client) -> None:
    repo.delegate("targets", "delegated", "delegatedpath/*")
    repo.publish("delegated", "targets")
    del repo.snapshot.meta["delegated.json"]
    repo.publish("snapshot", "timestamp")
    assert client.refresh() == ""
    assert client.refresh("delegatedpath/foo") in {"ROOT_METADATA", "ROOT_SOURCE"}
    assert client.version("delegated") is None
    assert "delegated" not in {role for role, _ in repo.asked}


# Files


@pytest.mark.parametrize("name", ["root.json", "folder/root.json"])
def test_client_downloads_expected_file_and_in_sub_dir(repo: Simulator, client: Client, name: str) -> None:
    repo.add_target(name, b"content")
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh(name) == ""
    assert client.found == {name: b"content"}


def test_repository_substitutes_target_file_and_multiple_changes_to_target(repo: Simulator, client: Client) -> None:
    for number in range(11):
        content = b"content %d" % number
        repo.add_target("root.json", content)
        repo.publish("targets", "snapshot", "timestamp")
        if number % 5 == 0:
            assert client.refresh("root.json") == ""
            assert client.found == {"root.json": content}
            repo.contents["root.json"] = b"malicious"[: len(content)]
            assert client.refresh("root.json") == "ROOT_DIGEST"
            assert client.found == {}


@pytest.mark.parametrize("hashes", [("sha256",), ("sha512",), ("sha256", "sha512")])
def test_download_with_hash_algorithms(repo: Simulator, client: Client, hashes: tuple[str, ...]) -> None:
    repo.add_target("root.json", b"content", hashes=hashes)
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh("root.json") == ""
    assert client.found == {"root.json": b"content"}


def test_download_with_unknown_hash_algorithm(repo: Simulator, client: Client) -> None:
    repo.add_target("root.json", b"content", hashes=("sha512",))
    target = repo.targets().targets["root.json"]
    target.hashes = {"unknown-hash": target.hashes["sha512"]}
    repo.publish("targets", "snapshot", "timestamp")
    assert client.refresh("root.json") == "ROOT_DIGEST"
    assert client.found == {}


# Quoting: different on purpose


@pytest.mark.parametrize("role", ["?", "#", "/delegatedrole", "../delegatedrole"])
def test_unusual_role_name(repo: Simulator, client: Client, role: str) -> None:
    repo.delegate("targets", role)
    repo.publish(role, "targets", "snapshot", "timestamp")
    assert client.refresh("nothing") == "ROOT_PATH"
    assert {asked for asked, _ in repo.asked} <= set(TOP)
    assert {path.name for path in client.folder.parent.iterdir()} == {"tuf"}
