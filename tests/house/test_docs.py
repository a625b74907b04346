"""Generated pages are as the code is, every option says what it does, and no page names a file that is gone."""

from __future__ import annotations

import re

import click
import pytest

from tests.support.sources import ROOT, relative, tracked_files
from tools.docs import PAGES, commands

LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_as_the_code_is(name: str) -> None:
    path, render = PAGES[name]
    assert path.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_command_and_option_says_what_it_does() -> None:
    silent = []
    for words, context in commands():
        if not context.command.help:
            silent.append(words)
        silent += [
            f"{words} {option.opts[0]}"
            for option in context.command.get_params(context)
            if isinstance(option, click.Option) and not option.help
        ]
    assert silent == []


# One name means one thing: what verifies is another key than what signs, and both are called --key (DESIGN, section 3).
VERIFYING = {"verify", "verify-bundle", "attest show", "attest prune"}
VERIFYING_NAMES = {"GATE_KEY": "GATE_VERIFY_KEY", "GATE_FAIL_KEY": "GATE_VERIFY_FAIL_KEY"}


def test_every_option_has_one_variable_of_its_own_name() -> None:
    wrong = []
    for words, context in commands():
        for option in context.command.get_params(context):
            if isinstance(option, click.Option) and not {"--help", "--version"} & set(option.opts):
                names = [name for name in option.opts if name.startswith("--")]
                expected = {f"GATE_{name[2:].replace('-', '_').upper()}" for name in names}
                if words.removeprefix("gate ") in VERIFYING:
                    expected = {VERIFYING_NAMES.get(name, name) for name in expected}
                if not expected & {option.envvar}:
                    wrong.append(f"{words} {names}: {option.envvar}")
    assert wrong == []


def test_no_page_names_a_file_that_is_gone() -> None:
    pages = [path for path in tracked_files() if path.suffix == ".md" and "fixtures" not in path.parts]
    gone = [
        f"{relative(page)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert gone == []


def test_the_readme_names_only_targets_that_can_be_made() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets
