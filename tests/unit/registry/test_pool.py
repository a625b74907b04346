"""What outlives a request: bounded, aged, and no registry or repository waits for another."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from gate.clock import Clock, Deadline
from gate.errors import RegistryError
from gate.registry.addresses import Origin
from gate.registry.options import RegistryOptions
from gate.registry.pool import PoolLimits, Recent, RegistryPool, Turns
from gate.registry.watchdog import Watchdog

ORIGINS = [Origin("https", f"r{number}.example", 443) for number in range(5)]


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.seconds)


def pool_of(moving: Moving, **limits: float) -> RegistryPool:
    return RegistryPool(RegistryOptions(), limits=PoolLimits(**limits), clock=moving.clock)  # type: ignore[arg-type]


def test_a_registry_is_kept_between_requests() -> None:
    pool = pool_of(Moving())
    assert pool.registry(ORIGINS[0]) is pool.registry(ORIGINS[0])
    assert pool.registry(ORIGINS[0]) is not pool.registry(ORIGINS[1])


def test_the_registry_that_was_used_longest_ago_goes_where_there_are_too_many() -> None:
    pool = pool_of(Moving(), registries=2)
    first, second = pool.registry(ORIGINS[0]), pool.registry(ORIGINS[1])
    assert pool.registry(ORIGINS[0]) is first
    pool.registry(ORIGINS[2])
    assert len(pool) == 2
    assert pool.registry(ORIGINS[0]) is first
    assert pool.registry(ORIGINS[1]) is not second


@pytest.mark.parametrize(
    ("steps", "kept"), [([299], True), ([301], False), ([290, 290, 290], True), ([290] * 4, False)]
)
def test_a_registry_ends_when_nobody_asks_it_or_when_it_is_old(steps: list[int], kept: bool) -> None:  # noqa: FBT001
    moving = Moving()
    pool = pool_of(moving)
    first = pool.registry(ORIGINS[0])
    found = first
    for seconds in steps:
        moving.seconds += seconds
        found = pool.registry(ORIGINS[0])
    assert (found is first) is kept


def test_names_that_others_choose_do_not_grow_what_is_kept() -> None:
    recent: Recent[str, int] = Recent(100)
    for number in range(10_000):
        recent.put(f"shop/{number}", number)
    assert len(recent) == 100
    assert recent.get("shop/9999") == 9999
    assert recent.get("shop/0") is None


def test_a_turn_is_for_one_key_alone_and_ends_with_its_waiters() -> None:
    turns: Turns[str] = Turns()
    deadline = Deadline.after(timedelta(seconds=30))
    with turns.take("slow", deadline, "waiting"):
        with turns.take("fast", deadline, "waiting"):
            assert len(turns) == 2
        with (
            pytest.raises(RegistryError) as late,
            turns.take("slow", Deadline.after(timedelta(milliseconds=20)), "waiting for a token"),
        ):
            pass
    assert late.value.code == "REG_TIMEOUT"
    assert len(turns) == 0


def test_the_watchdog_cuts_what_is_late_and_nothing_else_by_one_thread() -> None:
    dog, cut = Watchdog(), threading.Event()
    wrong: list[int] = []
    before = threading.active_count()
    for number in range(2000):
        dog.release(dog.watch(30.0, lambda number=number: wrong.append(number)))  # type: ignore[misc]
    late = dog.watch(0.02, cut.set)
    assert cut.wait(10)
    assert threading.active_count() <= before + 1
    assert len(dog) <= 512
    dog.release(late)
    assert wrong == []


def test_an_earlier_end_is_not_missed_behind_a_later_one() -> None:
    dog, cut = Watchdog(), threading.Event()
    dog.watch(60.0, lambda: None)
    dog.watch(0.02, cut.set)
    assert cut.wait(10)


def test_a_cut_that_fails_does_not_end_the_watch() -> None:
    dog, cut = Watchdog(), threading.Event()

    def fails() -> None:
        raise OSError

    dog.watch(0.01, fails)
    dog.watch(0.03, cut.set)
    assert cut.wait(10)
