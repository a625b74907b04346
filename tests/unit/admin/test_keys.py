"""`gate keys generate`: whole pairs, for their owner alone, never over anything."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gate.admin import keys
from gate.admin.keys import generate_key_pair, write_public_key
from gate.codec.keys import parse_public_key
from gate.errors import GateError, StorageError
from gate.signers.uri import signer_for


def test_a_pair_belongs_together_and_opens_with_its_password_alone(tmp_path: Path) -> None:
    pair = generate_key_pair(tmp_path, b"secret")
    assert (pair.private_path.name, pair.public_path.name) == ("gate.key", "gate.pub")
    assert signer_for(str(pair.private_path), lambda: b"secret").public_key == pair.public_key
    assert parse_public_key(pair.public_path.read_bytes()) == pair.public_key
    assert stat.S_IMODE(pair.private_path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate.key", "gate.pub"]


def test_two_pairs_differ(tmp_path: Path) -> None:
    one, two = generate_key_pair(tmp_path, b""), generate_key_pair(tmp_path, b"", name="second")
    assert one.public_key != two.public_key


@pytest.mark.parametrize("name", ["gate.key", "gate.pub"])
@pytest.mark.parametrize("dangling", [False, True])
def test_nothing_is_overwritten(tmp_path: Path, name: str, *, dangling: bool) -> None:
    place = tmp_path / name
    if dangling:
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.write_text("mine", encoding="utf-8")
    with pytest.raises(GateError) as refused:
        generate_key_pair(tmp_path, b"")
    assert refused.value.code == "KEY_EXISTS"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert dangling or place.read_text(encoding="utf-8") == "mine"


def test_a_file_that_appears_meanwhile_is_not_overwritten_and_no_half_pair_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appear(*arguments: object) -> bytes:
        del arguments
        (tmp_path / "gate.pub").write_text("mine", encoding="utf-8")
        return b"public key"

    monkeypatch.setattr(keys, "render_public_key", appear)
    with pytest.raises(GateError) as refused:
        generate_key_pair(tmp_path, b"")
    assert refused.value.code == "KEY_EXISTS"
    assert [path.name for path in tmp_path.iterdir()] == ["gate.pub"]
    assert (tmp_path / "gate.pub").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_not_there_is_made_and_one_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    generate_key_pair(tmp_path / "absent", b"")
    assert stat.S_IMODE((tmp_path / "absent").stat().st_mode) == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as refused:
        generate_key_pair(tmp_path / "file" / "keys", b"")
    assert refused.value.code == "OUT_WRITE"


def test_the_public_half_of_any_key_is_written_once(tmp_path: Path) -> None:
    key = generate_key_pair(tmp_path, b"").public_key
    copy = tmp_path / "copy.pub"
    write_public_key(copy, key)
    assert copy.read_bytes() == (tmp_path / "gate.pub").read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o644
    with pytest.raises(GateError) as refused:
        write_public_key(copy, key)
    assert refused.value.code == "KEY_EXISTS"
    with pytest.raises(StorageError):
        write_public_key(tmp_path / "absent" / "copy.pub", key)
