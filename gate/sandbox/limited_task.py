"""Run a task of this package in a child process that limits itself before it reads anything, and that can be killed.

For work on what somebody else wrote, in a library that has no cost limit of its own: expressions of a policy, documents of a
build. A child gets its request and nothing else: no environment, no descriptor but its three streams.

Refuses to say what an answer means: what stands in the output when the child ended is given with how it ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

_START: Final = Path(__file__).with_name("task_start.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """What a task may use: time by the parent's clock, bytes of address space, bytes that it writes."""

    time: timedelta
    memory_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """What a task wrote before it ended: `exit_code` is None where it was killed because its time was over."""

    output: bytes
    exit_code: int | None


def run_task(task: str, request: bytes, limits: TaskLimits) -> EndedTask:
    """Run a file beside this one with the request as its standard input.

    Request and answer are files, not pipes: neither side can block the other, and the kernel bounds the answer's size.

    Raises:
        OSError: no child could be started.
    """
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        question.write(request)
        question.seek(0)
        exit_code = _wait(_start(task, limits, question, answer), limits.time)
        answer.seek(0)
        return EndedTask(output=answer.read(), exit_code=exit_code)


def _start(task: str, limits: TaskLimits, question: IO[bytes], answer: IO[bytes]) -> subprocess.Popen[bytes]:
    # The kernel counts whole seconds; the parent's clock is the exact limit.
    numbers = (int(limits.time.total_seconds()) + 1, limits.memory_bytes, limits.output_bytes)
    # -I: neither the working directory nor PYTHONPATH nor the user's site can slip a module in.
    return subprocess.Popen(  # noqa: S603 - the interpreter that runs this, and files of this package
        [sys.executable, "-I", "-B", str(_START), str(_START.with_name(task)), *map(str, numbers)],
        stdin=question,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )


def _wait(child: subprocess.Popen[bytes], time_limit: timedelta) -> int | None:
    try:
        return child.wait(time_limit.total_seconds())
    except subprocess.TimeoutExpired:
        return None
    finally:
        child.kill()
        child.wait()
