"""Every command that a page shows exists, takes the options that it is shown with, and parses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from gate.cli.main import cli
from gate.model.reasons import REASONS
from tests.support.sources import ROOT, relative, tracked_files

GENERATED = {"cli.md", "reasons.md"}
PAGES = [path for path in tracked_files() if path.suffix == ".md" and path.name not in GENERATED]
FENCE = re.compile(r"^```(?:console|sh|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([A-Z]{2,6}_[A-Z0-9_]+)`")
AREAS = {code.partition("_")[0] for code in REASONS}
# SLSA levels and environment variables look like reason codes.
OTHER_WORDS = re.compile(r"GATE_|SLSA_")
DIGEST = "sha256:" + "a" * 64


def shown_commands(page: str) -> Iterator[list[str]]:
    """Return the words of each command of the gate in the blocks of a page, without prompts and comments."""
    for block in FENCE.findall(page):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").strip()
            if words.startswith("gate "):
                yield shlex.split(words.replace("…", "..."), comments=True)


def examples() -> list[tuple[str, list[str]]]:
    return [(relative(path), words) for path in PAGES for words in shown_commands(path.read_text(encoding="utf-8"))]


EXAMPLES = examples()


def parse(words: Sequence[str]) -> None:
    """Parse a command to its leaf as the command line would, without running it."""
    command: click.Command = cli
    context = click.Context(cli, info_name="gate")
    rest = list(words[1:])
    if {rest[0]} <= {name for option in cli.get_params(context) for name in option.opts}:
        return
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"no such command: {' '.join(words)}"
        command, rest = found, rest[1:]
    with command.make_context(command.name, [whole(word) for word in rest], obj=None):
        pass


def whole(word: str) -> str:
    """Return a word of an example with the digest that its reader fills in, where a page shortens it."""
    return re.sub(r"sha256:(?:[0-9a-f]*\.\.\.|HEX|<[^>]*>)", DIGEST, word)


@pytest.mark.parametrize(
    ("page", "words"), EXAMPLES, ids=[f"{page} {' '.join(words)[:60]}" for page, words in EXAMPLES]
)
def test_a_shown_command_parses(page: str, words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        parse(words)
    except click.UsageError as error:
        pytest.fail(f"{page}: {' '.join(words)}: {error.format_message()}")


def test_the_readme_shows_the_whole_way() -> None:
    shown = {" ".join(words[:3]) if words[1] in {"keys", "policy", "tools", "db"} else " ".join(words[:2])
             for words in shown_commands((ROOT / "README.md").read_text(encoding="utf-8"))}  # fmt: skip
    assert {"gate check", "gate verify", "gate tools install", "gate db update", "gate keys generate"} <= shown


def test_a_wrong_example_is_found() -> None:
    block = "```\n$ gate check oci:./image --kye x\ngate chekc x\n```\n"
    wrong_option, wrong_command = shown_commands(block)
    with pytest.raises(click.NoSuchOption):
        parse(wrong_option)
    with pytest.raises(AssertionError, match="no such command"):
        parse(wrong_command)


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_a_named_reason_code_is_declared(path: Path) -> None:
    named = {code for code in CODE.findall(path.read_text(encoding="utf-8")) if code.partition("_")[0] in AREAS}
    assert {code for code in named if not OTHER_WORDS.match(code)} - set(REASONS) == set()
