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


# An option whose meaning is another one than under the same name elsewhere has a variable that says which.
OF_ITS_OWN = {
    "gate attest prune --key": "GATE_VERIFY_KEY",
    "gate attest show --key": "GATE_VERIFY_KEY",
    "gate audit verify --key": "GATE_VERIFY_KEY",
    "gate db import --digest": "GATE_DB_DIGEST",
    "gate requirement init --key": "GATE_VERIFY_KEY",
    "gate sign --key": "GATE_SIGN_KEY",
    "gate trust import --digest": "GATE_TRUST_DIGEST",
    "gate verify --attestation": "GATE_VERIFY_ATTESTATION",
    "gate verify --fail-key": "GATE_VERIFY_FAIL_KEY",
    "gate verify --key": "GATE_VERIFY_KEY",
    "gate verify-bundle --key": "GATE_VERIFY_KEY",
}


def test_every_option_has_one_variable_of_its_own_name() -> None:
    wrong = []
    for words, context in commands():
        for option in context.command.get_params(context):
            if isinstance(option, click.Option) and not {"--help", "--version"} & set(option.opts):
                names = [name for name in option.opts if name.startswith("--")]
                own = {OF_ITS_OWN[f"{words} {name}"] for name in names if f"{words} {name}" in OF_ITS_OWN}
                expected = own or {f"GATE_{name[2:].replace('-', '_').upper()}" for name in names}
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
