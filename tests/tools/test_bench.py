"""Benchmarks compare what ran side by side, and say where an aim was missed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measures import Line
from bench.page import render, text_of
from bench.pull import pull
from bench.timing import BenchError, Contestant, Cost, Scene, Times, take_turns
from gate.model.reference import Repository
from tests.conftest import StartOlareg
from tests.support.scanners import debian_files, write_image
from tools.images.push import push_layout

ROOT = Path(__file__).parents[2]


def times(*seconds: float) -> Times:
    return Times(tuple(Cost(seconds=value, processor=value) for value in seconds))


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The second round ran on a busy machine; the medians alone would say 2.0.
    assert times(2.0, 30.0, 2.0).ratio_to(times(1.0, 10.0, 4.0)) == 2.0
    assert times(1.0, 2.0).plus(times(3.0, 4.0)).seconds == (4.0, 6.0)


def test_contestants_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def contestant(name: str) -> Contestant:
        def run() -> Cost:
            order.append(name)
            return Cost(seconds=float(len(order)), processor=0.0)

        return run

    found = take_turns({name: contestant(name) for name in ("a", "b")}, rounds=2)
    assert "".join(order) == "baabba"
    assert found["a"].seconds == (3.0, 6.0)


def test_a_program_that_fails_is_not_measured(tmp_path: Path) -> None:
    scene = Scene(directory=tmp_path, environment={"PATH": os.environ["PATH"]})
    assert scene.timed(["sh", "-c", "exit 0"]).seconds > 0
    with pytest.raises(BenchError, match=r"ended with 7:\nwhy"):
        scene.timed(["sh", "-c", "echo why; exit 7"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line(what="w", seen=1.234, aim=1.03), ("w", "1.23", "at most 1.03, missed")),
        (Line(what="w", seen=0.5, unit="s", aim=0.6), ("w", "0.50 s", "at most 0.60 s")),
        (Line(what="w", seen=101.4, unit="MB"), ("w", "101 MB", "")),
    ],
)
def test_a_missed_aim_is_said(line: Line, words: tuple[str, str, str]) -> None:
    assert text_of(line) == words


def test_the_page_names_the_machine_and_ends_with_remarks() -> None:
    page = render({"One": [Line(what="w", seen=1.0)]}, rounds=3)
    assert "cores" in page
    assert "3 rounds" in page
    assert "| w | 1.00 |  |" in page
    assert page.index("## One") < page.index("## What the numbers do not say")


def test_memory_is_that_of_this_process() -> None:
    # In a process of its own: the peak of one that ran other tests may be anywhere above.
    program = (
        "from bench.memory import peak_kib; before = peak_kib(); held = bytearray(b'x') * (64 << 20);"
        "print(peak_kib() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(grown.stdout) > 32 << 10


@pytest.mark.real_tools
def test_the_plain_pull_writes_the_layout_and_refuses_other_bytes(tmp_path: Path, olareg: StartOlareg) -> None:
    registry = olareg()
    layout = tmp_path / "layout"
    write_image(layout, debian_files())
    repository = Repository(registry.host, "shop/small")
    digest = str(push_layout(layout, repository))
    pull(registry.host, "shop/small", digest, tmp_path / "pulled")
    for blob in (tmp_path / "pulled/blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert json.loads((tmp_path / "pulled/index.json").read_bytes())["manifests"][0]["digest"] == digest
    with pytest.raises(ValueError, match="answered 404"):
        pull(registry.host, "shop/small", "sha256:" + "0" * 64, tmp_path / "other")
