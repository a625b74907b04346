"""Take turns: run contestants alternately, and compare those that ran next to each other."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took: seconds on the clock, and processor seconds of it and all its descendants."""

    seconds: float
    processor: float


Contestant = Callable[[], Cost]
_MOST_SECONDS: Final = 900.0


class BenchError(Exception):
    """A contestant did not do what is measured; the text has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where programs are started, and with which environment."""

    directory: Path
    environment: Mapping[str, str]

    def timed(
        self, command: Sequence[str], *, settings: Mapping[str, str] | None = None, codes: Collection[int] = (0,)
    ) -> Cost:
        """Run a command to its end and give what it took; raises BenchError where it ends with none of `codes`."""
        before = _processor_seconds()
        started = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**self.environment, **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_MOST_SECONDS,
        )
        seconds = time.perf_counter() - started
        if done.returncode not in codes:
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{said[-2000:]}")
        return Cost(seconds=seconds, processor=_processor_seconds() - before)


@dataclass(frozen=True, slots=True)
class Times:
    """What the rounds of one contestant took, in their order."""

    costs: tuple[Cost, ...]

    @property
    def seconds(self) -> tuple[float, ...]:
        """Return the seconds on the clock of each round."""
        return tuple(cost.seconds for cost in self.costs)

    @property
    def processor(self) -> float:
        """Return the median of the processor seconds."""
        return statistics.median(cost.processor for cost in self.costs)

    @property
    def median(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.seconds)

    def ratio_to(self, others: Times) -> float:
        """Return the median of the ratios of each round: what disturbs the machine disturbs both sides of a pair."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.seconds, others.seconds, strict=True))

    def plus(self, others: Times) -> Times:
        """Return round by round what both take one after the other."""
        pairs = zip(self.costs, others.costs, strict=True)
        return Times(tuple(Cost(seconds=a.seconds + b.seconds, processor=a.processor + b.processor) for a, b in pairs))


def take_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, Times]:
    """Run each contestant once a round, each round beginning with another one; give name → times.

    One round before the first is not counted: it fills the page cache and writes byte code.
    """
    names = list(contestants)
    found: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(-1, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            cost = contestants[name]()
            if number >= 0:
                found[name].append(cost)
    return {name: Times(tuple(costs)) for name, costs in found.items()}


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and what it starts on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def inside(work: Callable[[], None]) -> Contestant:
    """Return a contestant that works in this process."""

    def run() -> Cost:
        started, busy = time.perf_counter(), time.process_time()
        work()
        return Cost(seconds=time.perf_counter() - started, processor=time.process_time() - busy)

    return run
