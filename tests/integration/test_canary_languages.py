"""Each language that has advisories has a canary, which both real scanners find; one whose advisories are lost is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gate.model.evidence import Canary
from gate.scanners.advised import ECOSYSTEMS
from gate.scanners.canary_layout import LANGUAGE_FILES
from tests.support.scan_bench import Bench, grype_store, trivy_store
from tests.support.scanners import write_image
from tools.advisories import BuiltDatabases
from tools.advisories.bolt import Tree
from tools.images.archive import file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

# A name as each ecosystem has it, and the range in which a database calls it vulnerable.
NAMES: Final = {
    "pypi": "gate-canary",
    "npm": "@gate/canary",
    "maven": "org.gate:canary",
    "gem": "gate-canary",
    "composer": "gate/canary",
    "nuget": "gate.canary",
    "golang": "gate.example/x/canary",
    "cargo": "gate-canary",
}
BUCKETS: Final = {kind: prefix + b"GitHub Security Advisory" for kind, (prefix, _) in ECOSYSTEMS.items()}


def trivy_tree(kinds: set[str]) -> Tree:
    advisory = b'{"VulnerableVersions": ["< 0.9.0"], "PatchedVersions": ["0.9.0"]}'
    return {
        b"vulnerability": {f"CVE-2099-{kind}".encode(): b"{}" for kind in kinds},
        **{BUCKETS[kind]: {NAMES[kind].encode(): {f"CVE-2099-{kind}".encode(): advisory}} for kind in kinds},
    }


ROWS: Final = """
INSERT INTO packages(id, ecosystem, name) VALUES (NUMBER, 'ECOSYSTEM', 'NAME');
INSERT INTO blobs(id, value) VALUES (NUMBER, '{"id": "CVE-2099-KIND", "severities": []}');
INSERT INTO blobs(id, value) VALUES
  (NUMBER000, '{"ranges": [{"version": {"type": "VERSION", "constraint": "< 0.9.0"}}]}');
INSERT INTO vulnerability_handles(id, name, status, provider_id, blob_id)
  SELECT NUMBER, 'CVE-2099-KIND', 'active', id, NUMBER FROM providers LIMIT 1;
INSERT INTO affected_package_handles(vulnerability_id, operating_system_id, package_id, blob_id)
  VALUES (NUMBER, NULL, NUMBER, NUMBER000);
"""
VERSIONS: Final = {"golang": "go", "maven": "maven", "gem": "gem", "pypi": "python"}


def grype_rows(kinds: set[str]) -> str:
    """Return the statements that leave a database with one advisory a language."""
    statements = "DELETE FROM affected_package_handles; DELETE FROM packages;"
    for number, kind in enumerate(sorted(kinds), start=700_000):
        words = {"NUMBER": str(number), "ECOSYSTEM": ECOSYSTEMS[kind][1], "NAME": NAMES[kind], "KIND": kind,
                 "VERSION": VERSIONS.get(kind, "semver")}  # fmt: skip
        rows = ROWS
        for word, value in words.items():
            rows = rows.replace(word, value)
        statements += rows
    return statements


@pytest.fixture
def languages(bench: Bench, tmp_path: Path) -> Bench:
    """Return the bench with an image that holds a package of each language, as the canary's own writers write it."""
    entries = [file(*write(NAMES[kind]), mode=0o755) for kind, write in LANGUAGE_FILES.items()]
    target = write_image(tmp_path / "image", entries, distribution=None)
    return replace(bench, target=replace(target, ecosystems=frozenset(LANGUAGE_FILES)))


def test_every_ecosystem_with_advisories_has_a_canary() -> None:
    assert LANGUAGE_FILES.keys() == ECOSYSTEMS.keys() == NAMES.keys()


@pytest.mark.parametrize("name", ["trivy", "grype"])
def test_a_canary_of_each_language_is_found(languages: Bench, built: BuiltDatabases, name: str, tmp_path: Path) -> None:
    databases = (
        trivy_store(languages, tmp_path, trivy_tree(set(NAMES)))
        if name == "trivy"
        else grype_store(languages, built, tmp_path, grype_rows(set(NAMES)))
    )
    report = languages.scan(name, databases=databases)
    everything = frozenset(f"CVE-2099-{kind}" for kind in NAMES)
    assert report.canary == Canary(expected=everything, found=everything)
    assert report.uncovered == frozenset()


@pytest.mark.parametrize("lost", sorted(NAMES))
def test_z09_a_database_without_the_advisories_of_a_language_is_noticed_for_each(
    languages: Bench, lost: str, tmp_path: Path
) -> None:
    databases = trivy_store(languages, tmp_path, trivy_tree(set(NAMES) - {lost}))
    assert languages.scan("trivy", databases=databases).uncovered == {lost}
