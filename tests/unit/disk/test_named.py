"""Files that a user names: whole, bounded, within a time, and never shown."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from gate.disk.named import open_regular_file, read_named, waiting_at_most
from gate.errors import KeyFileError, UsageError

CONTENT = b"a secret " * 10_000


def test_a_file_is_read_to_its_end_and_one_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert read_named(path, "the file", limit_bytes=len(CONTENT)) == CONTENT
    with pytest.raises(UsageError) as refused:
        read_named(path, "the file", limit_bytes=len(CONTENT) - 1)
    assert "secret" not in str(refused.value)


def test_a_pipe_gives_what_its_writer_writes_in_pieces(tmp_path: Path) -> None:
    """As a shell's `<(command)` does."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb") as stream:
            for start in range(0, len(CONTENT), 30_000):
                stream.write(CONTENT[start : start + 30_000])
                stream.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_named(pipe, "the key", limit_bytes=len(CONTENT)) == CONTENT
    writer.join()


@pytest.mark.parametrize("has_writer", [False, True])
def test_a_pipe_that_stays_silent_is_given_up(has_writer: bool, tmp_path: Path) -> None:  # noqa: FBT001
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR) if has_writer else -1
    started = time.monotonic()
    with waiting_at_most(0.2), pytest.raises(KeyFileError) as refused:
        read_named(pipe, "the key", fault=KeyFileError, code="KEY_PASSWORD")
    assert time.monotonic() - started < 2
    assert (refused.value.code, refused.value.seen) == ("KEY_PASSWORD", "nothing to read")
    if has_writer:
        os.close(writer)


@pytest.mark.parametrize("name", ["missing", "directory", "/dev/zero", "/dev/null", "a\0b"])
def test_what_is_neither_file_nor_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(UsageError) as refused:
        read_named(tmp_path / name, "the file")
    assert refused.value.code == "USAGE"


def test_what_is_read_in_place_is_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    os.close(open_regular_file(tmp_path / "file"))
    os.mkfifo(tmp_path / "pipe")
    for other in ("pipe", ".", "missing"):
        with pytest.raises(OSError, match=r"regular|directory|No such"):
            open_regular_file(tmp_path / other)
