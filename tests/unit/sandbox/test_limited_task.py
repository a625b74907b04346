"""A task runs under limits, gets its request and nothing else, and is killed when its time is over."""

from __future__ import annotations

import resource
import runpy
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate.sandbox import limited_task, task_start
from gate.sandbox.limited_task import EndedTask, TaskLimits, run_task

LIMITS = TaskLimits(time=timedelta(seconds=60), memory_bytes=256 << 20, output_bytes=4096)
ECHO = "import sys; sys.stdout.write(sys.stdin.read())"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a task; it is looked for beside the file that starts it."""
    start = Path(task_start.__file__)
    (tmp_path / start.name).write_bytes(start.read_bytes())
    monkeypatch.setattr(limited_task, "_START", tmp_path / start.name)
    return tmp_path / "task.py"


def run(task: Path, code: str, limits: TaskLimits = LIMITS, request: bytes = b"") -> EndedTask:
    task.write_text(code, encoding="utf-8")
    return run_task(task.name, request, limits)


def test_a_task_answers_its_request(task: Path) -> None:
    assert run(task, ECHO, request=b"asked") == EndedTask(output=b"asked", exit_code=0)


def test_a_task_gets_no_environment_and_no_folder_of_the_user(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_KEY_PASSWORD", "hunter2")
    told = run(task, "import os, sys; print(sorted(os.environ), os.getcwd(), '' in sys.path, sys.flags.isolated)")
    # LC_CTYPE is set by Python itself (PEP 538).
    assert told.output.decode().replace(", 'LC_CTYPE'", "") == "['LANG'] / False 1\n"


def test_a_task_that_does_not_end_is_killed_and_what_it_wrote_counts(task: Path) -> None:
    endless = "import time\nprint('first', flush=True)\nwhile True: time.sleep(60)"
    ended = run(task, endless, replace(LIMITS, time=timedelta(seconds=2)))
    assert ended == EndedTask(output=b"first\n", exit_code=None)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("bytes(1 << 30)", id="memory"),
        pytest.param("print('x' * 8192, flush=True)", id="output"),
    ],
)
def test_a_task_cannot_use_more_than_it_may(task: Path, code: str) -> None:
    ended = run(task, f"{code}\nprint('done')")
    assert ended.exit_code not in {0, None}
    assert b"done" not in ended.output


def test_twin_a_task_within_its_limits_ends_well(task: Path) -> None:
    ended = run(task, "bytes(1 << 20)\nprint('x' * 2048, flush=True)\nprint('done')")
    assert (ended.exit_code, ended.output.endswith(b"done\n")) == (0, True)


def test_a_child_that_cannot_start_is_said(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(FileNotFoundError):
        run(task, ECHO)


def test_limits_hold_before_the_task_is_looked_at(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: dict[int, tuple[int, int]] = {}

    def record(kind: int, limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("as on macOS")
        wanted[kind] = limits

    monkeypatch.setattr(resource, "setrlimit", record)
    started: list[str] = []
    monkeypatch.setattr(runpy, "run_path", lambda path, run_name: started.append(f"{path} {run_name}"))
    monkeypatch.setattr(sys, "argv", ["task_start.py", str(task), "3", str(1 << 30), "4096"])
    task_start.main()
    assert started == [f"{task} __main__"]
    assert wanted[resource.RLIMIT_CPU] == (3, 3)
    assert wanted[resource.RLIMIT_CORE] == (0, 0)
    assert wanted[resource.RLIMIT_FSIZE] == (4096, 4096)
