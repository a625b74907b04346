"""Every reference in the files of `fixtures/refs` is found where it stands, and none is invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.model.found_reference import FoundReference
from gate.pipeline.refs import find_references
from tests.support.sources import ROOT

FOLDERS = sorted(path.parent for path in (ROOT / "fixtures" / "refs").glob("*/expected.txt"))


def line(found: FoundReference, folder: Path) -> str:
    path = Path(found.path).relative_to(folder)
    state = "warning" if found.advisory else found.state.value
    return f"{path}:{found.span.line}:{found.span.column} {state} {found.kind.value} {found.value}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_every_reference_is_found_and_none_is_invented(folder: Path) -> None:
    result = find_references([folder], check_deadline=lambda: None)
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert [line(found, folder) for found in result.references] == expected
    assert result.faults == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_the_bytes_at_each_place_are_the_reference(folder: Path) -> None:
    for found in find_references([folder], check_deadline=lambda: None).references:
        data = Path(found.path).read_bytes()
        assert data[found.span.start : found.span.end].decode() == found.text
        before = data[: found.span.start].decode().removeprefix("\ufeff")
        assert before.count("\n") + 1 == found.span.line
        assert len(before) - (before.rfind("\n") + 1) + 1 == found.span.column
        if found.fixable and found.value != found.text:
            assert "$" in found.text or found.value.endswith(f":{found.text}")


def test_what_refuses_has_a_code_and_what_is_accepted_has_none() -> None:
    for folder in FOLDERS:
        for found in find_references([folder], check_deadline=lambda: None).references:
            assert (found.state.value in {"pinned", "exempt"}) == (not found.code)
