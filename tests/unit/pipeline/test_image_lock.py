"""Turns and scratch folders: one at a time, freed however a run ends, and what dead runs left is swept."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from gate.clock import Clock, Deadline
from gate.errors import GateError
from gate.pipeline.image_lock import image_lock, scratch_folder, sweep_scratch

LONG = timedelta(minutes=1)


def hurried(seconds: float) -> Deadline:
    """Return a deadline on a clock that only waiting moves."""
    passed = [0.0]
    clock = Clock(monotonic=lambda: passed[0], sleep=lambda pause: passed.__setitem__(0, passed[0] + pause))
    return Deadline.after(timedelta(seconds=seconds), clock)


def test_a_second_run_on_one_image_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with image_lock(tmp_path, "image", Deadline.after(LONG)):
            inside.set()
            leave.wait(30)
            order.append("first")

    def second() -> None:
        with image_lock(tmp_path, "image", Deadline.after(LONG)):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    with pytest.raises(GateError) as refused, image_lock(tmp_path, "image", hurried(0.2)):
        order.append("never")
    assert refused.value.code == "REG_TIMEOUT"
    leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"]


def test_runs_on_other_images_do_not_wait(tmp_path: Path) -> None:
    with image_lock(tmp_path, "one image", hurried(0.2)), image_lock(tmp_path, "another image", hurried(0.2)):
        assert len(list(tmp_path.iterdir())) == 2


def test_a_turn_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), image_lock(tmp_path, "image", hurried(0.2)):
        raise KeyError
    with image_lock(tmp_path, "image", hurried(0.2)):
        assert True


def test_a_scratch_folder_lasts_as_long_as_its_run(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as first:
        (first / "layout").mkdir()
        with scratch_folder(tmp_path) as second:
            # The other run is alive: its folder stays.
            assert (first / "layout").is_dir()
            assert second != first
        assert not second.exists()
    assert not first.exists()


def test_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    for name in ("run-with-lock", "run-without"):
        (tmp_path / name / "layout").mkdir(parents=True)
    (tmp_path / "run-with-lock" / "lock").touch()
    (tmp_path / "something-else").mkdir()
    with scratch_folder(tmp_path) as folder:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", folder.name, "something-else"]


@pytest.mark.parametrize("name", ["", "below"])
def test_a_folder_that_cannot_be_made(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(GateError) as unlocked, image_lock(file / name, "image", hurried(1)):
        pass
    assert unlocked.value.code == "STORE_UNAVAILABLE"
    with pytest.raises(GateError) as unmade, scratch_folder(file / name):
        pass
    assert unmade.value.code == "CACHE_UNAVAILABLE"


def test_what_a_killed_run_left_is_swept_and_what_is_in_use_stays(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    assert sweep_scratch(root) == (0, 0)
    assert not root.exists()
    with scratch_folder(root) as used:
        left = root / "run-left"
        closed = left / "layout" / "read-only"
        closed.mkdir(parents=True)
        (left / "lock").touch()
        (closed / "blob").write_bytes(b"12345")
        outside = tmp_path / "outside"
        outside.mkdir(mode=0o500)
        (left / "link").symlink_to(outside)
        closed.chmod(0o500)
        (left / "layout").chmod(0)
        assert sweep_scratch(root) == (1, 5 if os.geteuid() == 0 else 0)
        assert not left.exists()
        assert used.is_dir()
        assert outside.stat().st_mode & 0o777 == 0o500
    assert sweep_scratch(root) == (0, 0)
