"""Which releases a database covers, and what a canary is planted from: both read from the databases alone."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.errors import DatabaseError, ScannerError
from gate.model.digest import Digest
from gate.model.evidence import Canary, DatabaseIdentity, Distribution, Unavailable
from gate.scanners.advisory_coverage import coverage_list, covers
from gate.scanners.canary import CanaryPlan, canary_of, plan_grype_canary, plan_trivy_canary
from gate.scanners.canary_layout import Planted, write_canary
from gate.scanners.database_store import Database, DatabaseKind
from gate.scanners.scanning import ScanSettings, ScanTarget
from tools.advisories.bolt import bolt_file

BUILT = datetime(2026, 1, 31, tzinfo=UTC)
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
SCHEMA = """
CREATE TABLE operating_systems (id INTEGER PRIMARY KEY, name, release_id, major_version, minor_version,
  label_version, codename);
CREATE TABLE affected_package_handles (vulnerability_id, operating_system_id, package_id, blob_id);
CREATE TABLE operating_system_specifier_overrides (alias, version, version_pattern, replacement);
CREATE TABLE packages (id INTEGER PRIMARY KEY, ecosystem, name);
CREATE TABLE vulnerability_handles (id INTEGER PRIMARY KEY, name, status);
CREATE TABLE blobs (id INTEGER PRIMARY KEY, value);
"""


def database(place: Path, kind: DatabaseKind) -> Database:
    identity = DatabaseIdentity(name=kind.value, digest=Digest.of(str(place).encode()), built_at=BUILT, schema="2")
    return Database(kind=kind, entry=Digest.of(b""), directory=place, identity=identity, files=())


@pytest.fixture
def trivy(tmp_path: Path) -> Database:
    (tmp_path / "db").mkdir()
    fixed, entries = b'{"FixedVersion": "1.2-3"}', b'{"Entries": [{"FixedVersion": "3.0", "Arches": ["x86_64"]}]}'
    names = ["debian 12", "ubuntu 24.04", "alpine 3.22", "wolfi", "alma 9", "amazon linux 2023", "Oracle Linux 9"]
    tree = {name.encode(): {b"openssl": {b"CVE-2020-0001": fixed}} for name in names}
    tree[b"rocky 9"] = {b"openssl": {b"CVE-2020-0002": entries}}
    tree[b"debian 11"] = {
        b"a": {b"CVE-2020-0003": b"{}", b"CVE-2020-0004": b'{"FixedVersion": "0"}'},
        b"b": {b"CVE-2020-0005": b"no JSON", b"CVE-2020-0006": b'{"FixedVersion": "2:1"}'},
    }
    tree[b"pip::x"] = {
        b"a": {b"CVE-2020-0007": b'{"VulnerableVersions": [">=1, <2", "<0.0.1", "<=0"]}'},
        b"b": {b"CVE-2020-0008": b'{"VulnerableVersions": [">=3", "< 2.0"]}'},
    }
    (tmp_path / "db/trivy.db").write_bytes(bolt_file({**tree, b"vulnerability": {b"x": b"{}"}}))
    return database(tmp_path, DatabaseKind.TRIVY)


@pytest.fixture
def grype(tmp_path: Path) -> Database:
    (tmp_path / "6").mkdir()
    rows = [
        (1, "debian", "debian", "12", "", "bookworm"),
        (2, "ubuntu", "ubuntu", "22", "4", "jammy"),
        (3, "redhat", "rhel", "9", "", ""),
        (4, "alpine", "alpine", "3", "22", ""),
        (5, "wolfi", "wolfi", "", "", ""),
        (6, "debian", "debian", "13", "", "trixie"),  # a release without any affected package
    ]
    with sqlite3.connect(tmp_path / "6/vulnerability.db") as connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO operating_systems VALUES (?, ?, ?, ?, ?, NULL, ?)", rows)
        connection.execute("INSERT INTO operating_system_specifier_overrides VALUES ('rockylinux', '', NULL, 'rhel')")
        connection.execute("INSERT INTO operating_system_specifier_overrides VALUES ('centos', '8', NULL, 'rhel')")
        constraints = [(1, "deb"), (2, "deb"), (3, "rpm"), (4, "apk"), (5, "apk"), (None, "python")]
        for number, (system, ecosystem) in enumerate(constraints, start=1):
            blob = '{"ranges": [{"version": {"constraint": "< 2.0"}}]}'
            connection.execute("INSERT INTO packages VALUES (?, ?, ?)", (number, ecosystem, f"package{number}"))
            connection.execute("INSERT INTO vulnerability_handles VALUES (?, ?, 'active')", (number, f"CVE-1-{number}"))
            connection.execute("INSERT INTO blobs VALUES (?, ?)", (number, blob))
            row = (number, system, number, number)
            connection.execute("INSERT INTO affected_package_handles VALUES (?, ?, ?, ?)", row)
    connection.close()
    return database(tmp_path, DatabaseKind.GRYPE)


def system(name: str, version: str, codename: str = "") -> Distribution:
    return Distribution(id=name, version_id=version, codename=codename)


def target(distribution: Distribution | None, *ecosystems: str) -> ScanTarget:
    nothing = Digest.of(b"")
    return ScanTarget(
        layout=Path("nowhere"), manifest=nothing, config=nothing, diff_ids=(), distribution=distribution,
        ecosystems=frozenset(ecosystems),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (system("debian", "12", "bookworm"), True),
        (system("debian", "13"), False),
        (system("ubuntu", "24.04"), True),
        (system("ubuntu", "24.10"), False),
        (system("alpine", "3.22.1"), True),
        (system("alpine", "3.2"), False),
        (system("wolfi", "20230201"), True),
        (system("rocky", "9.4"), True),
        (system("rocky", "8.9"), False),
        (system("almalinux", "9.4"), True),
        (system("amzn", "2023"), True),
        (system("ol", "9.4"), True),
        (system("rhel", "9.4"), False),
        (system("fedora", "41"), False),
        (system("", ""), False),
    ],
)
def test_trivys_buckets_name_the_releases(trivy: Database, distribution: Distribution, expected: bool) -> None:  # noqa: FBT001
    assert covers(DatabaseKind.TRIVY, coverage_list(trivy, None), distribution) is expected


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (system("debian", "12", "bookworm"), True),
        (system("debian", "12"), True),
        (system("debian", "12", "trixie"), False),
        (system("debian", "13", "trixie"), False),
        (system("ubuntu", "22.04", "jammy"), True),
        (system("ubuntu", "22.10", "jammy"), False),
        (system("alpine", "3.22.1"), True),
        (system("alpine", "3.99.0"), False),
        (system("rhel", "9.4"), True),
        (system("rocky", "9.4"), True),
        (system("rocky", "8.4"), False),
        (system("centos", "9"), False),
        (system("wolfi", "20230201"), True),
        (system("fedora", "41"), False),
    ],
)
def test_grypes_table_names_the_releases(grype: Database, distribution: Distribution, expected: bool) -> None:  # noqa: FBT001
    assert covers(DatabaseKind.GRYPE, coverage_list(grype, None), distribution) is expected


def test_a_list_is_kept_by_the_databases_digest_and_a_damaged_one_is_computed_again(
    trivy: Database, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = coverage_list(trivy, cache)
    (kept,) = cache.iterdir()
    assert trivy.identity.digest.hex in kept.name
    trivy.main_file.unlink()
    assert coverage_list(trivy, cache) == first
    kept.write_bytes(b"{")
    with pytest.raises(DatabaseError) as raised:
        coverage_list(trivy, cache)
    assert raised.value.code == "DB_MISSING"


@pytest.mark.parametrize("planted", ["writable", "linked"])
def test_v15_a_list_that_somebody_else_could_have_written_says_nothing(
    trivy: Database, tmp_path: Path, planted: str
) -> None:
    cache = tmp_path / "cache"
    honest = coverage_list(trivy, cache)
    (kept,) = cache.iterdir()
    kept.write_text('{"releases": ["debian 99"]}')
    # What is ours alone is believed, which is why the cache is private.
    assert coverage_list(trivy, cache).releases == {"debian 99"}
    make_foreign(kept, planted)
    assert coverage_list(trivy, cache) == honest


def make_foreign(kept: Path, planted: str) -> None:
    """Make a kept file one that another user of the machine could have written."""
    if planted == "writable":
        kept.chmod(0o666)
    else:
        elsewhere = kept.rename(kept.parent.parent / "elsewhere")
        kept.symlink_to(elsewhere)


def test_trivys_canary_is_the_first_advisory_that_is_fixed(trivy: Database) -> None:
    expected = {
        system("debian", "12"): Planted("deb", "openssl", "CVE-2020-0001"),
        system("debian", "11"): Planted("deb", "b", "CVE-2020-0006"),
        system("rocky", "9.4"): Planted("rpm", "openssl", "CVE-2020-0002"),
    }
    python = Planted("pypi", "b", "CVE-2020-0008")
    for distribution, package in expected.items():
        assert plan_trivy_canary(trivy.main_file, target(distribution)).planted == {package, python}
    assert plan_trivy_canary(trivy.main_file, target(None)).planted == {python}
    assert plan_trivy_canary(trivy.main_file, target(system("debian", "99"), "npm")).planted == {python}


def test_grypes_canary_is_of_the_very_release(grype: Database) -> None:
    expected = {
        system("debian", "12", "bookworm"): Planted("deb", "package1", "CVE-1-1"),
        system("ubuntu", "22.04", "jammy"): Planted("deb", "package2", "CVE-1-2"),
        system("rocky", "9.4"): Planted("rpm", "package3", "CVE-1-3"),
        system("alpine", "3.22.0"): Planted("apk", "package4", "CVE-1-4"),
    }
    python = Planted("pypi", "package6", "CVE-1-6")
    for distribution, package in expected.items():
        assert plan_grype_canary(grype.main_file, target(distribution)).planted == {package, python}
    assert plan_grype_canary(grype.main_file, target(system("debian", "12", "trixie"))).planted == {python}


PLAN = CanaryPlan(frozenset({Planted("pypi", "flask", "CVE-2020-0001")}))


def test_a_found_canary_counts_for_an_hour_and_a_lost_one_is_never_kept(tmp_path: Path) -> None:
    settings = ScanSettings(scratch=tmp_path, cache=tmp_path / "cache")
    answers = [frozenset[str](), PLAN.expected, frozenset[str]()]

    def ask(now: datetime) -> Canary | Unavailable:
        def scan(plan: CanaryPlan, layout: ScanTarget) -> frozenset[str]:
            assert (layout.layout / "index.json").exists()
            assert plan == PLAN
            return answers.pop(0)

        return canary_of(lambda: PLAN, scan, settings=settings, key=("k",), target=target(None), now=now)

    assert ask(NOW) == Canary(expected=PLAN.expected, found=frozenset())
    assert ask(NOW) == Canary(expected=PLAN.expected, found=PLAN.expected)
    assert ask(NOW + timedelta(minutes=59)) == Canary(expected=PLAN.expected, found=PLAN.expected)
    assert len(answers) == 1
    assert ask(NOW + timedelta(minutes=60)) == Canary(expected=PLAN.expected, found=frozenset())


def test_a_canary_from_the_future_does_not_count(tmp_path: Path) -> None:
    settings = ScanSettings(scratch=tmp_path, cache=tmp_path / "cache")

    def ask(now: datetime, found: frozenset[str]) -> Canary | Unavailable:
        return canary_of(
            lambda: PLAN, lambda _plan, _layout: found, settings=settings, key=("k",), target=target(None), now=now
        )

    ask(NOW, PLAN.expected)
    assert ask(NOW - timedelta(seconds=1), frozenset()) == Canary(expected=PLAN.expected, found=frozenset())


def test_another_binary_database_or_release_is_another_canary(tmp_path: Path) -> None:
    settings = ScanSettings(scratch=tmp_path, cache=tmp_path / "cache")
    runs = []

    def ask(key: str, distribution: Distribution | None) -> None:
        def scan(plan: CanaryPlan, _layout: ScanTarget) -> frozenset[str]:
            runs.append((key, distribution))
            return plan.expected

        canary_of(lambda: PLAN, scan, settings=settings, key=(key,), target=target(distribution), now=NOW)

    for key, distribution in (("a", None), ("b", None), ("a", system("debian", "12")), ("a", None)):
        ask(key, distribution)
    assert len(runs) == 3


@pytest.mark.parametrize("planted", ["writable", "linked"])
def test_v15_a_canary_that_somebody_else_could_have_written_is_looked_for_again(tmp_path: Path, planted: str) -> None:
    settings = ScanSettings(cache=tmp_path / "cache", scratch=tmp_path)
    seen = [PLAN.expected, frozenset[str]()]

    def ask() -> Canary | Unavailable:
        def scan(_plan: CanaryPlan, _layout: ScanTarget) -> frozenset[str]:
            return seen.pop(0)

        return canary_of(lambda: PLAN, scan, settings=settings, key=(), target=target(None), now=NOW)

    found = Canary(expected=PLAN.expected, found=PLAN.expected)
    assert ask() == ask() == found
    (kept,) = (tmp_path / "cache").iterdir()
    make_foreign(kept, planted)
    assert ask() == Canary(expected=PLAN.expected, found=frozenset())


def test_a_scan_of_the_canary_that_fails_is_unobtained(tmp_path: Path) -> None:
    def scan(_plan: CanaryPlan, _layout: ScanTarget) -> frozenset[str]:
        raise ScannerError("it hangs", code="SCAN_TIMEOUT")

    seen = canary_of(lambda: PLAN, scan, settings=ScanSettings(scratch=tmp_path), key=(), target=target(None), now=NOW)
    assert isinstance(seen, Unavailable)
    assert seen.code == "SCAN_TIMEOUT"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "x\nPackage: y", "-rf", "", "é"])
def test_a_name_that_is_none_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseError) as raised:
        write_canary(tmp_path, [Planted("npm", name, "CVE-2020-0001")], None)
    assert raised.value.code == "DB_MALFORMED"
    assert list(tmp_path.iterdir()) == []
