"""The command: `python -m tools.demo [--picture FILE]`; ends with 1 where anything is not as expected."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.build import BuildError
from tools.demo.preparation import (
    prepare_images,
    prepare_keys,
    prepare_policy,
    prepare_repository,
    prepare_tools,
    sign_images,
)
from tools.demo.registry import RegistryStartError, running_registry
from tools.demo.screen import Screen
from tools.demo.story import Chapter, Shop, Step, chapters
from tools.demo.workspace import EXPORTS, FOLDER, DemoError, Workspace, built_programs, scanners_dir
from tools.images.parts import PartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.demo.workspace import Answer


_AT_ONCE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; give 0 where every command answered as expected, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also write the README's picture, an SVG")
    options = parser.parse_args(arguments)
    screen = Screen()
    started = time.monotonic()
    try:
        wrong = _run(Workspace(), screen)
    except (BuildError, DemoError, PartError, RegistryStartError) as error:
        screen.line(f"demo: {error}", "bold red")
        return 1
    if options.picture is not None:
        screen.save_picture(options.picture)
    screen.chapter(f"The demo took {time.monotonic() - started:.0f} s")
    screen.line(f"Everything it made is in {FOLDER}: outputs, JSON reports, the record, the verdict's file.")
    for fault in wrong:
        screen.line(f"demo: NOT AS EXPECTED: {fault}", "bold red")
    if not wrong:
        screen.line("Every command ended with the exit code and the reason codes that were expected.", "bold green")
    return int(bool(wrong))


def _run(workspace: Workspace, screen: Screen) -> list[str]:
    """Prepare, then tell the whole story; give what was not as expected."""
    programs = built_programs(("olareg", "cosign"))
    workspace.recreate()
    workspace.link_programs(programs["cosign"])
    with running_registry(programs["olareg"], workspace.root / "registry") as host:
        shop = _prepare(workspace, screen, host)
        wrong: list[str] = []
        for chapter in chapters(shop):
            screen.chapter(chapter.title)
            wrong += _tell(chapter, workspace, screen)
        return wrong


def _tell(chapter: Chapter, workspace: Workspace, screen: Screen) -> list[str]:
    """Run the steps of a chapter and show them in their order, each as soon as it and those before it have ended."""
    steps = list(chapter.steps)
    with ThreadPoolExecutor(_AT_ONCE if chapter.together else 1) as pool:
        # A proof looks at what stands after its own step: where steps wait for each other, the next one has not begun.
        answers = (
            pool.map(lambda step: workspace.run(*step.command), steps)
            if chapter.together
            else (workspace.run(*step.command) for step in steps)
        )
        return [fault for step, answer in zip(steps, answers, strict=True) for fault in _show(step, answer, screen)]


def _prepare(workspace: Workspace, screen: Screen, host: str) -> Shop:
    def show(title: str, answer: Answer) -> None:
        screen.step(title)
        screen.answer(answer, lines=6)

    screen.chapter("0  What a shop sets up once")
    screen.line(f"In .demo, with a registry (olareg) on {host}:", "bright_black")
    screen.line(f"  export GATE_TOOLS_DIR={scanners_dir()}", "bright_black")
    screen.line("  export " + " ".join(f"{name}={value}" for name, value in EXPORTS.items()), "bright_black")
    prepare_keys(workspace, show)
    prepare_tools(workspace, show)
    prepare_policy(workspace, host, show)
    prepare_repository(workspace, host)
    shop = prepare_images(workspace, host)
    screen.step(f"{len(shop.digests)} small images, built just now from real packages, pushed to {host}/shop/...")
    sign_images(workspace, shop, show)
    return shop


def _show(step: Step, answer: Answer, screen: Screen) -> list[str]:
    if step.title:
        screen.step(step.title)
    if not step.brief:
        screen.answer(answer, lines=step.lines, picture=step.picture)
    faults = step.faults(answer)
    screen.verdict(answer, faults, brief=step.brief)
    return [f"{' '.join(step.command)}: {fault}" for fault in faults]


if __name__ == "__main__":
    sys.exit(main())
