"""The key of a kept report: everything that changes a report changes it, and nothing else does."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from gate.model.digest import Digest
from gate.model.evidence import DatabaseIdentity, Distribution, ToolIdentity
from gate.model.finding import PackageKey, Tool
from gate.pipeline.collect import subject
from gate.pipeline.collect.context import CollectContext
from gate.scanners.scanning import ScanTarget
from gate.scanners.tool_pins import PinnedTool
from tests.support.evidence import LIBC, REQUESTS
from tests.support.signing import NOW

ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
TARGET: Final = ScanTarget(layout=Path("/one"), manifest=ONE, config=ONE, diff_ids=(ONE,))
# For each field of a target a value that differs from the one above; a field without one is a field nobody thought of.
OTHERS: Final[dict[str, Any]] = {
    "manifest": OTHER,
    "config": OTHER,
    "diff_ids": (ONE, OTHER),
    "distribution": Distribution(id="debian", version_id="12"),
    "ecosystems": frozenset({"npm"}),
    "unversioned": frozenset({replace(REQUESTS.key, version="")}),
    "claims": frozenset({("srv/x", ("libc6", "2.36-9", "amd64"))}),
}
PINNED: Final = PinnedTool(path=Path("/tool"), identity=ToolIdentity(name="trivy", version="1", digest=ONE))


def context(changed: str) -> CollectContext:
    def database(name: str) -> SimpleNamespace:
        digest = OTHER if name == changed else ONE
        return SimpleNamespace(identity=DatabaseIdentity(name="x", digest=digest, built_at=NOW, schema="2"))

    databases = SimpleNamespace(**{name: database(name) for name in ("trivy", "java", "grype")})
    return cast("CollectContext", SimpleNamespace(databases=databases))


def key(
    tool: Tool = Tool.TRIVY,
    target: ScanTarget = TARGET,
    pinned: PinnedTool = PINNED,
    changed: str = "",
    *,
    secrets: bool = False,
) -> str:
    return repr(subject._scan_key(tool, pinned, target, context(changed), secrets=secrets))


def test_each_field_of_a_target_has_another_value_here() -> None:
    assert set(OTHERS) == {field.name for field in dataclasses.fields(ScanTarget)} - {"layout"}


@pytest.mark.parametrize("name", OTHERS)
def test_what_the_gate_reads_of_an_image_is_in_the_key(name: str) -> None:
    assert key(target=replace(TARGET, **{name: OTHERS[name]})) != key()


def test_where_the_layout_lies_and_the_order_of_a_set_is_not() -> None:
    assert key(target=replace(TARGET, layout=Path("/other"))) == key()
    keys: list[PackageKey] = [LIBC.key, REQUESTS.key]
    there, back = (replace(TARGET, unversioned=frozenset(found)) for found in (keys, keys[::-1]))
    assert key(target=there) == key(target=back)


@pytest.mark.parametrize(("tool", "own"), [(Tool.TRIVY, {"trivy", "java"}), (Tool.GRYPE, {"grype"})])
def test_a_scanners_own_databases_are_in_its_key(tool: Tool, own: set[str]) -> None:
    assert {name for name in ("trivy", "java", "grype") if key(tool, changed=name) != key(tool)} == own


def test_the_binary_is_in_the_key() -> None:
    assert key(pinned=replace(PINNED, identity=replace(PINNED.identity, digest=OTHER))) != key()


@pytest.mark.parametrize(("tool", "name"), [(Tool.TRIVY, "trivy_settings"), (Tool.GRYPE, "grype_settings")])
def test_flags_and_configuration_of_a_scanner_are_in_its_key(
    tool: Tool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(tool)
    honest = getattr(subject, name)
    monkeypatch.setattr(subject, name, lambda **options: (*honest(**options), "--another-flag"))
    assert key(tool) != before


def test_a_report_without_trivys_search_for_secrets_does_not_stand_for_one_with_it() -> None:
    assert key(Tool.TRIVY, secrets=True) != key(Tool.TRIVY)
    assert key(Tool.GRYPE, secrets=True) == key(Tool.GRYPE)
