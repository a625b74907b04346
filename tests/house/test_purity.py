"""What decides knows no clock, file, environment or randomness (DESIGN rule 1).

The import contracts keep out the modules; this keeps out what the allowed ones and the built-ins can do.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.support.sources import calls, parse, python_files, relative

PURE = (
    "gate/decide.py",
    "gate/checks",
    "gate/findings",
    "gate/verification",
    "gate/codec",
    "gate/model",
    "gate/errors.py",
    "gate/pipeline/demand.py",
)
# The clock, files and streams, the terminal, code from text. `compile` is also re.compile, so it is not here.
IMPURE_CALLS = frozenset(
    {
        "__import__",
        "breakpoint",
        "eval",
        "exec",
        "input",
        "now",
        "open",
        "print",
        "read_bytes",
        "read_text",
        "today",
        "utcnow",
        "write_bytes",
        "write_text",
    }
)


def imported(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), level=0):
                names.append(module)
            case _:
                continue
    return names


def is_broad(handler: ast.ExceptHandler) -> bool:
    named = {name.id for name in ast.walk(handler.type or ast.Name("Exception")) if isinstance(name, ast.Name)}
    return bool(named & {"BaseException", "Exception"})


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Tell a handler that only cleans up: it ends by raising the same again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize("path", python_files(*PURE), ids=relative)
def test_a_pure_file_calls_nothing_that_touches_the_world(path: Path) -> None:
    assert [f"line {call.lineno}: {name}" for name, call in calls(parse(path)) if name in IMPURE_CALLS] == []


@pytest.mark.parametrize("path", python_files("gate/model", "gate/errors.py"), ids=relative)
def test_the_model_uses_the_standard_library_only(path: Path) -> None:
    foreign = [
        name
        for name in imported(parse(path))
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(("gate.model", "gate.errors"))
    ]
    assert foreign == []


@pytest.mark.parametrize("path", python_files("gate"), ids=relative)
def test_a_broad_except_stands_at_the_outermost_edge_only(path: Path) -> None:
    handlers = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ExceptHandler)]
    broad = [handler.lineno for handler in handlers if is_broad(handler) and not passes_on(handler)]
    # The command line's edge, and that of a server, which answers the next request.
    edges = {"gate/cli/main.py", "gate/webhook/service.py"}
    assert len(broad) <= (1 if relative(path) in edges else 0), broad
