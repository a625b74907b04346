"""A check is one file, one test file, one folder of fixtures and one page (DESIGN rule 6)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import gate.checks
from tests.support.sources import GATE, ROOT, parse, python_files, relative

TESTS = ROOT / "tests" / "checks"
FIXTURES = ROOT / "fixtures" / "checks"
PAGES = ROOT / "docs" / "checks"
# The fixed form of a page: what it asks, why, what to do, what the policy can set, what it does not see.
SECTIONS = ("What it checks", "Why", "What to do", "Policy", "Not covered")


def defines_check(path: Path) -> bool:
    names = [
        target
        for node in parse(path).body
        for target in (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
    ]
    return any(isinstance(name, ast.Name) and name.id == "CHECK" for name in names)


def identifiers(paths: list[Path], prefix: str = "") -> list[str]:
    return sorted(path.stem.removeprefix(prefix).replace("_", "-") for path in paths)


FILES = identifiers([path for path in python_files("gate/checks") if defines_check(path)])


def test_every_file_with_a_check_is_registered_under_its_own_name() -> None:
    assert FILES
    assert sorted(str(check.id) for check in gate.checks.CHECKS) == FILES


def test_a_file_beside_the_checks_is_shared_by_several_of_them() -> None:
    checks = [path for path in python_files("gate/checks") if defines_check(path)]
    beside = [path for path in python_files("gate/checks") if path not in checks and path.name != "__init__.py"]
    for shared in beside:
        users = [path for path in checks if f"gate.checks.{shared.stem} import" in path.read_text(encoding="utf-8")]
        assert len(users) > 1, f"{relative(shared)} belongs into the one check that uses it"


def test_every_check_has_one_test_file() -> None:
    assert identifiers(list(TESTS.glob("test_*.py")), "test_") == FILES


def test_every_check_has_one_folder_of_fixtures() -> None:
    folders = [path for path in FIXTURES.iterdir() if path.is_dir()]
    assert sorted(folder.name for folder in folders) == FILES
    assert [relative(folder) for folder in folders if not any(folder.iterdir())] == []


def test_every_check_has_one_page_in_the_fixed_form() -> None:
    pages = sorted(PAGES.glob("*.md"))
    assert [page.stem for page in pages] == FILES
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# `{page.stem}`"), f"{relative(page)} does not begin with its check's id"
        assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS, relative(page)


def test_every_folder_of_recorded_bytes_says_how_it_was_made() -> None:
    folders = [path for path in (ROOT / "fixtures").iterdir() if path.is_dir()]
    assert [relative(folder) for folder in folders if not (folder / "README.md").is_file()] == []


def test_no_check_is_registered_outside_its_package() -> None:
    elsewhere = [path for path in python_files("gate") if path.parent != GATE / "checks" and defines_check(path)]
    assert [relative(path) for path in elsewhere] == []
