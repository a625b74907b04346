"""Commands of the pages, run in their order as written: all that need neither scanners nor a registry end with 0.

What judges or demands an image needs both; that each parses is held by `tests/house/test_examples.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.house.test_examples import shown_commands
from tests.support.sources import ROOT

PAGES = ("README.md", "docs/quickstart.md")
NEEDS_NOTHING = re.compile(r"gate (?:--version|keys|policy|requirement|explain|completion|version)\b")
INSTALLED = re.compile(r"pip install [^\n]*supply-chain-gate")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_from_top_to_bottom(run: Run, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = [words for words in shown_commands(text) if NEEDS_NOTHING.match(" ".join(words))]
    assert {words[1] for words in commands} >= {"keys", "policy", "requirement"}
    for words in commands:
        result = run(*words[1:], env={"GATE_KEY_PASSWORD": "secret"})
        assert result.exit_code == 0, f"{' '.join(words)}: {result.stderr}"
    named = {match for words in shown_commands(text) for match in re.findall(r"keys/\S+\.(?:key|pub)", " ".join(words))}
    assert named
    assert [place for place in named if not Path(place).exists()] == []


def test_no_page_and_no_message_installs_what_is_not_published() -> None:
    places = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "gate").rglob("*.py"))
    assert [path.name for path in places if INSTALLED.search(path.read_text(encoding="utf-8"))] == []
