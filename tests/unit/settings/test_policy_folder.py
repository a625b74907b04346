"""What a policy points to is read from its own folder, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gate.errors import PolicyError
from gate.settings import policy_folder
from gate.settings.policy_folder import PolicyFolder, read_document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "policies"
    (place / "keys").mkdir(parents=True)
    (place / "policy.yaml").write_bytes(b"policy")
    (place / "keys" / "a.pub").write_bytes(b"key")
    (tmp_path / "outside").write_bytes(b"outside")
    return place


def refused(folder: Path, path: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        PolicyFolder.of(folder / "policy.yaml").read(path)
    assert caught.value.code == "POL_FILE"
    return caught.value


def test_a_file_of_the_folder_is_read(folder: Path) -> None:
    assert PolicyFolder.of(folder / "policy.yaml").read("keys/a.pub") == b"key"


def test_the_folder_of_a_relative_policy_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    policy = PolicyFolder.of(Path("policy.yaml"))
    monkeypatch.chdir("/")
    assert policy.read("keys/a.pub") == b"key"


@pytest.mark.parametrize("path", ["../outside", "keys/../../outside", "/etc/hostname", "gone", "keys", "a\0b", ""])
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, path: str) -> None:
    refused(folder, path)


@pytest.mark.parametrize("target", ["../../outside", "/etc/passwd", "self", "/dev/zero"])
def test_a_link_that_leads_elsewhere_is_refused(folder: Path, target: str) -> None:
    (folder / "keys" / "self").symlink_to(target)
    refused(folder, "keys/self")


def test_twin_a_link_within_the_folder_is_followed_as_in_a_mounted_volume(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "..2026" / "b.pub").write_bytes(b"mounted")
    (folder / "..data").symlink_to("..2026")
    (folder / "b.pub").symlink_to("..data/b.pub")
    assert PolicyFolder.of(folder / "policy.yaml").read("b.pub") == b"mounted"


def test_a_pipe_does_not_hold_the_gate(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "plain file" in refused(folder, "pipe").seen


def test_a_file_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_folder, "MAX_FILE_BYTES", 2)
    assert "bytes" in refused(folder, "keys/a.pub").seen


def test_a_document_that_the_user_names_is_read_wherever_it_is(folder: Path) -> None:
    link = folder.parent / "link.yaml"
    link.symlink_to(folder / "policy.yaml")
    assert read_document(link) == b"policy"


@pytest.mark.parametrize("name", ["gone.yaml", "keys", "a\0b"])
def test_a_document_that_cannot_be_read_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_document(folder / name)
    assert caught.value.code in {"POL_MALFORMED", "POL_FILE"}
