"""Run one hostile program to its end, within limits, and give what it wrote.

A scanner reads what an attacker made, so it is treated as taken over: it gets an environment that is written here name
by name, private directories, limits on time, processor, memory, files, output and processes, no network where the
system allows it, and it dies, with all that it started, when it is done, when it is too much, and when the gate dies.
Both pipes are read at once: a program that fills one while the other is read would hang for ever.

It refuses to start a shell, to inherit a variable or a descriptor, and to start a file by a name: it starts the open
descriptor whose content was hashed (attack V14). It does not judge what the program wrote.

Memory is bounded by adding up the resident sizes of the group, not by RLIMIT_AS, under which Go programs do not start.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, Self

from gate.errors import ScannerError
from gate.model.evidence import Isolation
from gate.sandbox import isolation

_SAMPLE_SECONDS: Final = 0.1
_READ_BYTES: Final = 65536
_STDERR_TAIL_BYTES: Final = 65536
_FAREWELL_SECONDS: Final = 5.0  # how long the launcher may take to kill everything before it is killed itself
# Nothing listens on port 9 (discard): a program that asks for a proxy gets a refusal at once instead of a way out.
DEAD_PROXY: Final = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What a program may use. `output_bytes` bounds each of its two streams, `file_bytes` each file that it writes."""

    wall_time: timedelta
    cpu_time: timedelta = timedelta(minutes=30)
    memory_bytes: int = 4 << 30
    file_bytes: int = 8 << 30
    open_files: int = 4096
    output_bytes: int = 16 << 20
    processes: int = 64


class Stopped(StrEnum):
    """Why a program was killed before it ended by itself."""

    WALL_TIME = "wall-time"
    CPU_TIME = "cpu-time"
    MEMORY = "memory"
    OUTPUT = "output"
    PROCESSES = "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """How a program ended.

    `return_code` is negative for a signal. `stdout` is whole unless `stopped`; `stderr` are its last 64 KiB. Both are
    foreign bytes. `stopped` is None for a program that ended by itself.
    """

    return_code: int
    stdout: bytes
    stderr: bytes
    stopped: Stopped | None
    duration: timedelta
    peak_memory_bytes: int
    isolation: Isolation


@dataclass(frozen=True, slots=True)
class PrivateDirectories:
    """Fresh directories of one run, readable by nobody else; `work` is the working directory and begins empty."""

    root: Path

    @property
    def home(self) -> Path:
        """Return the directory that the program takes for the user's home."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """Return the directory for temporary files."""
        return self.root / "tmp"

    @property
    def work(self) -> Path:
        """Return the working directory."""
        return self.root / "work"

    @property
    def output(self) -> Path:
        """Return the directory for the program's reports."""
        return self.root / "out"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a program, written name by name; nothing of the gate's own is in it (V09)."""
        home = str(self.home)
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), DEAD_PROXY)
        return {
            "PATH": str(self.root / "bin"),
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/.cache",
            "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_DATA_HOME": f"{home}/.local/share",
            "XDG_STATE_HOME": f"{home}/.local/state",
            "XDG_RUNTIME_DIR": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **proxies,
        }


@contextlib.contextmanager
def private_directories(parent: Path | None = None) -> Iterator[PrivateDirectories]:
    """Make the directories of one run under `parent` (default: the system's); remove them with all their content."""
    with tempfile.TemporaryDirectory(prefix="gate-run-", dir=parent, ignore_cleanup_errors=True) as root:
        made = PrivateDirectories(Path(root).resolve())
        for directory in (made.home, made.temporary, made.work, made.output, made.root / "bin"):
            directory.mkdir(mode=0o700)
        yield made


def run_child(
    descriptor: int,
    arguments: Sequence[str],
    *,
    directories: PrivateDirectories,
    limits: ChildLimits,
    environment: Mapping[str, str] | None = None,
) -> ChildResult:
    """Run the program that `descriptor` is open on, with `arguments` (the first is the name it is told), to its end.

    `environment` is added to that of `directories`. Both are trusted; the program is not.

    Raises:
        ScannerError: `SCAN_FAILED`, the program could not be started. How it ended is in the result.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as open_things:
        status, status_writer = _pipe(open_things)
        life, life_writer = _pipe(open_things)
        program = _program_of(descriptor, directories)
        command = _launcher_command(status_writer, life, limits, program, arguments)
        launcher = subprocess.Popen(  # noqa: S603  argv list, no shell, environment written by us
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directories.work,
            env={**directories.environment(), **(environment or {})},
            pass_fds=(status_writer.fileno(), life.fileno(), *([descriptor] if program.startswith("fd:") else [])),
            start_new_session=True,
        )
        open_things.callback(_end, launcher)
        for ours in (status_writer, life):
            ours.close()
        watch = _Watch(launcher, life_writer, limits, started)
        watch.until_ended(status)
    return watch.result()


def _pipe(open_things: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return (
        open_things.enter_context(open(reader, "rb", buffering=0)),  # noqa: PTH123
        open_things.enter_context(open(writer, "wb", buffering=0)),  # noqa: PTH123
    )


def _program_of(descriptor: int, directories: PrivateDirectories) -> str:
    """Say how the launcher starts it: from the descriptor, or (macOS) from a private copy of what it is open on."""
    if os.execve in os.supports_fd:
        return f"fd:{descriptor}"
    copy = directories.root / "program"
    with open(descriptor, "rb", closefd=False) as source, copy.open("xb") as target:
        source.seek(0)
        while block := source.read(1 << 20):
            target.write(block)
    copy.chmod(0o500)
    return f"path:{copy}"


def _launcher_command(
    status: IO[bytes], life: IO[bytes], limits: ChildLimits, program: str, arguments: Sequence[str]
) -> list[str]:
    numbers = (
        status.fileno(),
        life.fileno(),
        int(limits.cpu_time.total_seconds()),
        limits.file_bytes,
        limits.open_files,
    )
    return [sys.executable, "-I", "-S", isolation.__file__, *map(str, numbers), program, *arguments]


def _end(launcher: subprocess.Popen[bytes]) -> None:
    """Make sure that the launcher is gone and reaped; on Linux what it started dies with it."""
    try:
        launcher.wait(timeout=_FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    for stream in (launcher.stdout, launcher.stderr):
        if stream is not None:
            stream.close()


@dataclass(slots=True)
class _Stream:
    """One pipe being read: what is kept of it, and how much came in all."""

    keep_bytes: int
    kept: bytearray = field(default_factory=bytearray)
    total_bytes: int = 0

    def add(self, block: bytes) -> None:
        self.total_bytes += len(block)
        self.kept += block
        if len(self.kept) > 2 * self.keep_bytes:
            del self.kept[: -self.keep_bytes]

    def tail(self) -> bytes:
        return bytes(self.kept[-self.keep_bytes :])


class _Watch:
    """Reads the three pipes of one launcher, samples its group and lets it go when a limit is passed."""

    def __init__(self, launcher: subprocess.Popen[bytes], life: IO[bytes], limits: ChildLimits, started: float) -> None:
        self._launcher, self._life, self._limits, self._started = launcher, life, limits, started
        self._stdout = _Stream(limits.output_bytes)
        self._stderr = _Stream(_STDERR_TAIL_BYTES)
        self._status = _Stream(4096)
        self._stopped: Stopped | None = None
        self._peak_bytes = 0
        self._ended = started

    def until_ended(self, status: IO[bytes]) -> Self:
        """Read until all pipes are closed, or, after a stop, until the farewell is over."""
        with selectors.DefaultSelector() as selector:
            pipes = (
                (self._launcher.stdout, self._stdout),
                (self._launcher.stderr, self._stderr),
                (status, self._status),
            )
            for pipe, stream in pipes:
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, stream)
            next_sample = 0.0
            while selector.get_map() and not self._farewell_is_over():
                for key, _ in selector.select(_SAMPLE_SECONDS):
                    block = os.read(key.fd, _READ_BYTES)
                    key.data.add(block)
                    if not block:
                        selector.unregister(key.fileobj)
                if time.monotonic() >= next_sample:
                    next_sample = self._sample()
        self._ended = time.monotonic()
        return self

    def _sample(self) -> float:
        """Compare with the limits and give when to look again: at most a tenth of the time goes into looking."""
        before = time.monotonic()
        if self._stopped is None and (reason := self._passed_limit(before)):
            self._stopped = reason
            self._life.close()  # the launcher kills the program and all that it started
            self._ended = before
        now = time.monotonic()
        return now + max(_SAMPLE_SECONDS, 10 * (now - before))

    def _passed_limit(self, now: float) -> Stopped | None:
        if now - self._started > self._limits.wall_time.total_seconds():
            return Stopped.WALL_TIME
        if max(self._stdout.total_bytes, self._stderr.total_bytes) > self._limits.output_bytes:
            return Stopped.OUTPUT
        table = isolation.process_table() or _table_of_ps()
        group = isolation.descendants(self._launcher.pid, table)
        used = sum(table[process][1] for process in group)
        self._peak_bytes = max(self._peak_bytes, used)
        if len(group) > self._limits.processes:
            return Stopped.PROCESSES
        return Stopped.MEMORY if used > self._limits.memory_bytes else None

    def _farewell_is_over(self) -> bool:
        return self._stopped is not None and time.monotonic() - self._ended > _FAREWELL_SECONDS

    def result(self) -> ChildResult:
        """Return the result from the launcher's report; a launcher that reported no end was killed with its program."""
        report = dict(
            line.split(" ", 1) for line in self._status.tail().decode("ascii", "replace").splitlines() if line
        )
        if "exec" in report:
            raise _not_started(os.strerror(int(report["exec"])))
        if "isolation" not in report:
            raise _not_started("the launcher died")
        code, peak, used_seconds = (int(number) for number in report.get("ended", "-9 0 0").split())
        if self._stdout.total_bytes > self._limits.output_bytes or self._stderr.total_bytes > self._limits.output_bytes:
            self._stopped = self._stopped or Stopped.OUTPUT
        used_up = used_seconds >= self._limits.cpu_time.total_seconds()
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used_up):
            self._stopped = self._stopped or Stopped.CPU_TIME
        return ChildResult(
            return_code=code,
            stdout=self._stdout.tail(),
            stderr=self._stderr.tail(),
            stopped=self._stopped,
            duration=timedelta(seconds=self._ended - self._started),
            peak_memory_bytes=max(peak, self._peak_bytes),
            isolation=Isolation.NAMESPACE if report["isolation"] == "namespace" else Isolation.FLAGS,
        )


def _table_of_ps() -> dict[int, tuple[int, int]]:
    """Return the process table where there is no /proc (macOS), by ps: best effort, empty when it does not answer."""
    try:
        answer = subprocess.run(
            ["/bin/ps", "-axo", "pid=,ppid=,rss="], capture_output=True, check=True, timeout=5, env={}
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.split() for line in answer.splitlines())
    return {int(row[0]): (int(row[1]), int(row[2]) * 1024) for row in rows if len(row) == 3}


def _not_started(reason: str) -> ScannerError:
    return ScannerError(
        "a program could not be started",
        code="SCAN_FAILED",
        expected="a program for this machine",
        seen=reason,
        next_step="run `gate tools verify`",
    )
