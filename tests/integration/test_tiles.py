"""The record as tlog-tiles: a foreign program, Tessera's fsck, accepts it, and refuses it after one byte was changed."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from gate.audit.export import export_tiles
from gate.store.checkpoint_key import open_checkpoint_key
from gate.store.checkpoints import append_checkpoint
from gate.store.record import Entry, open_record
from tests.support.programs import built_program
from tests.support.signing import NOW

pytestmark = pytest.mark.real_tools


def tiles(tmp_path: Path, count: int) -> tuple[Path, Path]:
    """Write a log of `count` rows as tiles; return the folder and the file of the verifier key."""
    with closing(open_record(str(tmp_path / "record.db"), tmp_path / "evidence")) as record:
        record.append(
            *(
                Entry(kind="verdict", content={"at": "2026-12-01T00:00:00Z", "n": n}, subject=f"a@{n}")
                for n in range(count)
            )
        )
        row = append_checkpoint(record, open_checkpoint_key(tmp_path / "checkpoint.key"), NOW)
        assert row is not None
        assert export_tiles(record, tmp_path / "log", lambda: None) == count
        key = tmp_path / "log.key"
        key.write_text(row.view().text("key") + "\n", encoding="utf-8")
    return tmp_path / "log", key


def fsck(folder: Path, key: Path, *, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the program; of some damage it says nothing and never ends, which accepts nothing either."""
    arguments = [
        str(built_program("tessera-fsck")),
        f"--storage_url=file://{folder}/",
        f"--public_key={key}",
        "--ui=false",
    ]
    try:
        return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, -1, "", "did not end")


def accepted(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether it says so: of a checkpoint that does not verify it complains, and ends with 0 all the same."""
    return done.returncode == 0 and "Successfully fsck'd" in done.stderr


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1000])
def test_a_foreign_program_accepts_the_tiles(count: int, tmp_path: Path) -> None:
    done = fsck(*tiles(tmp_path, count))
    assert accepted(done), done.stderr
    assert f"size {count}" in done.stderr


@pytest.mark.slow
def test_a_log_of_two_levels_of_whole_tiles(tmp_path: Path) -> None:
    done = fsck(*tiles(tmp_path, 66_000))
    assert accepted(done), done.stderr


def test_it_refuses_them_after_one_byte_was_changed(tmp_path: Path) -> None:
    folder, key = tiles(tmp_path, 300)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 6
    for path in files:
        whole = path.read_bytes()
        place = len(whole) // 2
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not accepted(fsck(folder, key, seconds=5)), path
        path.write_bytes(whole)
    assert accepted(fsck(folder, key))
