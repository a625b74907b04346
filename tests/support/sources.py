"""The project's own files, as the house tests read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATE = ROOT / "gate"


def python_files(*parts: str) -> list[Path]:
    """Return the Python files under these folders or files of the checkout, sorted."""
    found: set[Path] = set()
    for part in parts:
        path = ROOT / part
        found |= {path} if path.is_file() else set(path.rglob("*.py"))
    return sorted(found)


def tracked_files() -> list[Path]:
    """Return every file that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Return each call with the last name of what is called: `now` for `datetime.now(UTC)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node
                case _:
                    continue


def relative(path: Path) -> str:
    """Return the path as it is written in the project: from its root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()
