"""Every row of the table of known attacks has a test of its name, and the project's own supply chain is held to it too.

The table itself is a reference that stands outside of the checkout; its rows are told here by letter and number. Rows of
admission (K) and of the audit store (U) belong to parts that are not built.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from tests.support.sources import ROOT, parse, python_files, relative, tracked_files
from tools.docs import commands

ROWS: Final = {
    "S": 28, "I": 9, "T": 8, "A": 19, "D": 14, "L": 14, "V": 15, "X": 12, "R": 11, "P": 9, "O": 6, "C": 5,
    "Y": 6, "Z": 10,
}  # fmt: skip
ROW: Final = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]\d\d)(?![A-Za-z0-9])")


def told(path: Path) -> str:
    """Return the words of a test file in which a row counts: its docstring, the names of its tests, the ids of their cases."""
    tree = parse(path)
    names = [
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return " ".join([ast.get_docstring(tree) or "", *names, *(text for text in texts if ROW.match(text))])


def test_every_row_has_a_test_of_its_name() -> None:
    named = {row.upper() for path in python_files("tests") for row in ROW.findall(told(path))}
    for path in (ROOT / "fixtures" / "checks").rglob("*.yaml"):
        named |= set(yaml.safe_load(path.read_text(encoding="utf-8")).get("attacks", ()))
    wanted = {f"{letter}{number:02}" for letter, count in ROWS.items() for number in range(1, count + 1)}
    assert sorted(wanted - named) == []


# What a page, a workflow or a Dockerfile may name only by digest: an action, a base, an image that is started.
USES: Final = re.compile(r"^\s*(?:- )?uses:\s*[\"']?(?P<name>[^\s\"'#]+)", re.MULTILINE)
FROM: Final = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(?P<name>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.MULTILINE)
STARTED: Final = re.compile(r"^\s*\$?\s*(?:docker|podman|nerdctl)\s+(?:run|pull)\s(?P<words>.*)$", re.MULTILINE)
PIP: Final = re.compile(r"\bpip3? (?:install|download)\b.*(?:\\\n.*)*")
READ: Final = {".md", ".yml", ".yaml", ".sh", ".toml", ".tf", ""}
PINNED_ACTION: Final = re.compile(r"\./.*|[\w.-]+/[\w./-]+@[0-9a-f]{40}|docker://.+@sha256:[0-9a-f]{64}")


def unpinned(text: str) -> list[str]:
    """Return what a text takes by a name that somebody can move."""
    actions = [found["name"] for found in USES.finditer(text) if not PINNED_ACTION.fullmatch(found["name"])]
    stages = {found["stage"] for found in FROM.finditer(text)} | {"scratch"}
    bases = [
        found["name"]
        for found in FROM.finditer(text)
        if found["name"] not in stages and "@sha256:" not in found["name"]
    ]
    started = [found["words"] for found in STARTED.finditer(text) if "@sha256:" not in found["words"]]
    return [*actions, *bases, *started]


def test_c01_what_the_project_uses_and_shows_is_pinned() -> None:
    files = [path for path in tracked_files() if path.suffix in READ and path.parts[len(ROOT.parts)] != "fixtures"]
    assert {relative(path): found for path in files if (found := unpinned(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("      - uses: actions/checkout@v6", f"      - uses: actions/checkout@{'a' * 40} # v6"),
        ("  uses: shop/ci/.github/workflows/x.yml@main", f"  uses: shop/ci/.github/workflows/x.yml@{'0' * 40}"),
        ("FROM debian:12 AS build", f"FROM debian:12@sha256:{'0' * 64} AS build\nFROM build"),
        ("FROM --platform=linux/amd64 debian", "FROM scratch"),
        ("$ docker run --rm anchore/grype:latest", f"docker run --rm anchore/grype@sha256:{'0' * 64}"),
    ],
)
def test_c01_a_name_that_somebody_can_move_is_found(wrong: str, right: str) -> None:
    assert unpinned(wrong) != []
    assert unpinned(right) == []


def test_c04_what_is_installed_is_compared_with_its_hash() -> None:
    # The peers that benchmarks are measured against are installed apart, by version, and make nothing of the gate.
    files = [path for path in tracked_files() if not path.is_relative_to(ROOT / "bench")]
    places = [path for path in files if path.suffix == ".sh" or path.name == "Makefile"]
    installs = [found for path in places for found in PIP.findall(path.read_text(encoding="utf-8"))]
    assert installs
    # This checkout itself has no hash; it brings nothing with it.
    assert [found for found in installs if "--require-hashes" not in found and "--no-deps" not in found] == []


def test_c05_sigstore_is_new_enough_not_to_sign_for_somebody_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (bound,) = [needed for needed in project["dependencies"] if needed.startswith("sigstore")]
    # Before 4.2 its login had no state, so that a page could make a victim sign as the attacker (GHSA-hm8f-75xx-w2vr).
    assert re.match(r"sigstore>=4\.[2-9]", bound)


def test_p07_no_option_takes_a_check_away() -> None:
    names = {
        option
        for _, context in commands()
        for parameter in context.command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    weakening = {name for name in names if re.search(r"skip|insecure|ignore|allow|no-verify|force|disable", name)}
    # Only without a policy, and such a run signs nothing (docs/cli.md).
    assert weakening == {"--ignore-unfixed"}
