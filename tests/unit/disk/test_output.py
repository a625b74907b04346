"""Output files: whole or not at all, with the user's rights, and never in the place of a device."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from gate.disk.output import write_output
from gate.errors import StorageError


def test_a_file_is_written_with_the_rights_of_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    before = os.umask(0o027)
    try:
        write_output(file, b"one")
        write_output(file, b"two")
    finally:
        os.umask(before)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"two", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_output(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"through the pipe")
    reader.join(30)
    assert read == [b"through the pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("place", ["absent/verdict.json", "file/verdict.json", "folder"])
def test_a_place_where_no_file_can_be(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError) as refused:
        write_output(tmp_path / place, b"new")
    assert refused.value.code == "OUT_WRITE"
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_device(tmp_path: Path) -> None:
    link = tmp_path / "verdict.json"
    link.symlink_to("/dev/full")
    with pytest.raises(StorageError) as refused:
        write_output(link, b"new")
    assert refused.value.code == "OUT_WRITE"
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
