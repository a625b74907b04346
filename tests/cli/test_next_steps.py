"""Every next step names only commands and options that exist: advice that cannot be followed is worse than none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

import gate
from gate.cli.main import cli
from gate.model.reasons import REASONS

_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
_COMMAND: Final = re.compile(r"`gate ((?:[a-z-]+ ?)+)")
# Options of other programs that a next step may name.
_OTHERS: Final = frozenset({"--all", "--mount", "--platform", "--tlog-upload"})


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _commands(below, (*words, name))


COMMANDS: Final = dict(_commands(cli))
OPTIONS: Final = {
    opt for command in COMMANDS.values() for item in command.params for opt in (*item.opts, *item.secondary_opts)
}


def _in_code() -> Iterator[str]:
    for file in sorted(Path(gate.__file__).parent.rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        named = {ast.unparse(item.target): item.value for item in module.body if isinstance(item, ast.AnnAssign)}
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "next_step":
                value = named.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
                parts = [part.value for part in ast.walk(value or node.value) if isinstance(part, ast.Constant)]
                yield "".join(part for part in parts if isinstance(part, str))


STEPS: Final = sorted({*(reason.next_step for reason in REASONS.values()), *_in_code()} - {""})


@pytest.mark.parametrize("step", STEPS)
def test_a_next_step_names_what_exists(step: str) -> None:
    assert set(_OPTION.findall(step)) <= {*OPTIONS, "--help", *_OTHERS}
    for found in _COMMAND.findall(step):
        words = tuple(found.split())
        assert words[:1] in COMMANDS, found
        group = COMMANDS[words[:1]]
        if isinstance(group, click.Group) and len(words) > 1:
            assert words[:2] in COMMANDS, found


def test_enough_next_steps_are_read() -> None:
    assert len(STEPS) > 100
    assert any("--record" in step for step in STEPS)
