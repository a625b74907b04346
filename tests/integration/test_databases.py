"""Databases from a real registry, a mirror, a layout, a file and the air gap, with the real Grype; and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate.admin.database_archive import LIST_NAME
from gate.admin.databases import (
    DatabaseSources,
    database_status,
    download_options,
    export_databases,
    import_databases,
    update_databases,
)
from gate.clock import Deadline
from gate.disk.content import DigestMemo
from gate.errors import GateError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import Unavailable
from gate.model.image import OCI_MANIFEST, Descriptor
from gate.model.reference import Repository, parse_repository
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.scanners.database_store import FILES, Database, DatabaseKind, load_databases
from gate.scanners.tool_pins import PinnedTool
from tests.support.file_server import Served, serve_files
from tests.support.programs import Tools
from tests.support.registries import RunningRegistry, run_olareg
from tests.support.scan_bench import BUILT
from tests.support.scanners import copy_store, pin, store_of
from tools.advisories import BuiltDatabases, build_databases

pytestmark = pytest.mark.real_tools

NOW = BUILT + timedelta(hours=5)


def deadline() -> Deadline:
    return Deadline.after(timedelta(minutes=2))


@pytest.fixture(scope="module")
def grype(tools: Tools) -> PinnedTool:
    return pin(tools.grype)


@pytest.fixture(scope="module")
def store(built: BuiltDatabases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("store")
    store_of(directory, built)
    return directory


@pytest.fixture(scope="module")
def registry(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with run_olareg(
        tools.olareg, tmp_path_factory.mktemp("olareg"), referrers=True, tls=False, rate_limit=0, delete=False,
        read_only=False,
    ) as running:  # fmt: skip
        yield running


def push(layout: Path, client: RegistryClient, repository: Repository, tag: str) -> Digest:
    """Push the one artifact of a layout."""
    root = Digest(json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"])
    content = (layout / "blobs/sha256" / root.hex).read_bytes()
    manifest = json.loads(content)
    for described in (manifest["config"], *manifest["layers"]):
        digest = Digest(described["digest"])
        client.push_blob(repository, digest, layout / "blobs/sha256" / digest.hex)
    return client.push_manifest(repository, content, OCI_MANIFEST, tag)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(GateError) as raised:
        action()
    return raised.value.code


def kinds(databases: tuple[Database, ...]) -> list[str]:
    return [database.kind.value for database in databases]


def grype_mirror(built: BuiltDatabases) -> dict[str, Served]:
    assert built.grype_mirror is not None
    return {f"/v6/{path.name}": Served(path.read_bytes()) for path in (built.grype_mirror / "v6").iterdir()}


def test_an_update_takes_all_three_from_a_registry_and_a_mirror(
    built: BuiltDatabases, grype: PinnedTool, registry: RunningRegistry, tmp_path: Path
) -> None:
    assert built.trivy_artifact is not None
    assert built.trivy_java_artifact is not None
    with serve_files(grype_mirror(built)) as mirror, RegistryClient(RegistryOptions(), deadline()) as client:
        names = {kind: parse_repository(f"{registry.host}/mirror/{kind}") for kind in ("trivy-db", "trivy-java-db")}
        digest = push(built.trivy_artifact, client, names["trivy-db"], "2")
        push(built.trivy_java_artifact, client, names["trivy-java-db"], "1")
        sources = DatabaseSources(
            trivy=f"{names['trivy-db']}@{digest}",
            java=f"{names['trivy-java-db']}:1",
            grype=f"{mirror}/v6/latest.json",
        )
        added = update_databases(
            tmp_path, sources, client=client, grype=grype, options=download_options(), deadline=deadline()
        )
    assert kinds(added) == ["trivy", "java", "grype"]
    assert added[0].identity.source == f"{names['trivy-db']}@{digest}"
    for status in database_status(tmp_path, NOW):
        assert status.identity is not None
        assert status.problem is None
        assert (status.age, status.identity.demonstration) == (timedelta(hours=5), True)
    assert (tmp_path / "current.json").stat().st_mode & 0o077 == 0


def test_an_update_that_fails_in_the_middle_switches_nothing(
    built: BuiltDatabases, grype: PinnedTool, registry: RunningRegistry, tmp_path: Path
) -> None:
    assert built.trivy_artifact is not None
    with RegistryClient(RegistryOptions(), deadline()) as client:
        name = parse_repository(f"{registry.host}/half/trivy-db")
        push(built.trivy_artifact, client, name, "2")
        for java, grype_url in ((f"{registry.host}/half/absent:1", ""), ("", "http://127.0.0.1:9/latest.json")):
            sources = DatabaseSources(trivy=f"{name}:2", java=java, grype=grype_url)
            code = refusal(
                lambda sources=sources: update_databases(  # type: ignore[misc]
                    tmp_path, sources, client=client, grype=grype, options=download_options(), deadline=deadline()
                )
            )
            assert code in {"REG_NOT_FOUND", "DB_SOURCE"}
            assert isinstance(load_databases(tmp_path).trivy, Unavailable)


@pytest.mark.parametrize("reference", ["{host}/image/web:1", "{host}/image/web"])
def test_an_image_is_no_database(
    built: BuiltDatabases, grype: PinnedTool, registry: RunningRegistry, tmp_path: Path, reference: str
) -> None:
    del built
    with RegistryClient(RegistryOptions(), deadline()) as client:
        name = parse_repository(f"{registry.host}/image/web")
        config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        client.push_blob(name, Digest.of(config), config)
        media_type = "application/vnd.oci.image.config.v1+json"
        described = Descriptor(media_type=media_type, digest=Digest.of(config), size=len(config))
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": media_type, "digest": described.digest.text, "size": described.size},
            "layers": [{"mediaType": "application/x", "digest": described.digest.text, "size": described.size}],
        }
        client.push_manifest(name, json.dumps(manifest).encode(), OCI_MANIFEST, "1")
        sources = DatabaseSources(trivy=reference.format(host=registry.host), java="", grype="")
        code = refusal(
            lambda: update_databases(
                tmp_path, sources, client=client, grype=grype, options=download_options(), deadline=deadline()
            )
        )
    assert code == "DB_SOURCE"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"checksum": ""}, "DB_SOURCE"),
        ({"checksum": None}, "DB_SOURCE"),
        ({"checksum": "md5:00"}, "DB_SOURCE"),
        ({"checksum": "sha256:" + "0" * 64}, "DB_DIGEST"),
        ({"path": "absent.tar.gz"}, "DB_SOURCE"),
        ({"path": "https://127.0.0.1:9/other.tar.gz"}, "DB_SOURCE"),
        ({"path": "latest.json"}, "DB_SOURCE"),
        ({"schemaVersion": "v5.0.0"}, "DB_SOURCE"),
        ({"status": "deprecated"}, "DB_SOURCE"),
    ],
)
def test_grypes_archive_counts_only_by_its_checksum(
    built: BuiltDatabases, grype: PinnedTool, tmp_path: Path, change: dict[str, object], code: str
) -> None:
    answers = grype_mirror(built)
    listing = {**json.loads(answers["/v6/latest.json"].body), **change}
    answers["/v6/latest.json"] = Served(json.dumps(listing).encode())
    with serve_files(answers) as mirror, RegistryClient(RegistryOptions(), deadline()) as client:
        sources = DatabaseSources(trivy="", java="", grype=f"{mirror}/v6/latest.json")
        seen = refusal(
            lambda: update_databases(
                tmp_path, sources, client=client, grype=grype, options=download_options(), deadline=deadline()
            )
        )
    assert seen == code
    assert isinstance(load_databases(tmp_path).grype, Unavailable)


def test_every_form_of_file_can_be_imported(built: BuiltDatabases, grype: PinnedTool, tmp_path: Path) -> None:
    assert built.grype_database is not None
    assert built.grype_mirror is not None
    for source, expected in (
        (built.trivy_cache, ["trivy", "java"]),
        (built.trivy_artifact, ["trivy"]),
        (built.trivy_java_artifact, ["java"]),
        (built.grype_database, ["grype"]),
        (built.grype_mirror / "v6/vulnerability-db.tar.gz", ["grype"]),
    ):
        assert source is not None
        added = import_databases(tmp_path, source, digest=None, grype=grype, deadline=deadline())
        assert kinds(added) == expected
        for database in added:
            database.verify(DigestMemo())
            assert database.identity.built_at == BUILT


def test_the_same_database_is_the_same_entry_and_another_build_time_another(
    tools: Tools, built: BuiltDatabases, tmp_path: Path
) -> None:
    later = build_databases(tmp_path / "later", BUILT + timedelta(days=1), tools.grype)
    assert built.trivy_cache is not None
    assert later.trivy_cache is not None
    found = []
    for cache in (built.trivy_cache, built.trivy_cache, later.trivy_cache):
        added = import_databases(tmp_path / "store", cache, digest=None, grype=None, deadline=deadline())
        found.append(added[0])
    assert found[0] == found[1]
    assert found[0].identity.digest == found[2].identity.digest
    assert found[2].identity.built_at - found[0].identity.built_at == timedelta(days=1)
    assert load_databases(tmp_path / "store").trivy == found[2]
    found[0].verify(DigestMemo())  # a run that began with the older one goes on with it


def test_grypes_file_without_grype_or_under_another_digest_is_refused(
    built: BuiltDatabases, grype: PinnedTool, tmp_path: Path
) -> None:
    source = built.grype_database
    assert source is not None
    with pytest.raises(UsageError):
        import_databases(tmp_path, source, digest=None, grype=None, deadline=deadline())
    other = Digest.of(b"other")
    code = refusal(lambda: import_databases(tmp_path, source, digest=other, grype=grype, deadline=deadline()))
    assert code == "DB_DIGEST"
    right = Digest.of(source.read_bytes())
    assert import_databases(tmp_path, source, digest=right, grype=grype, deadline=deadline())


@pytest.mark.parametrize("name", ["broken.db", "broken.tar.gz", "broken.txt"])
def test_a_file_that_is_no_database_is_refused(grype: PinnedTool, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(b"no database" * 1000)
    code = refusal(lambda: import_databases(tmp_path / "s", source, digest=None, grype=grype, deadline=deadline()))
    assert code == ("DB_SOURCE" if name.endswith("txt") else "DB_MALFORMED")


def test_a_place_without_a_database_is_refused(tmp_path: Path) -> None:
    for source, expected in ((tmp_path, "DB_SOURCE"), (tmp_path / "absent", "REF_PATH")):
        code = refusal(
            lambda source=source: import_databases(  # type: ignore[misc]
                tmp_path / "s", source, digest=None, grype=None, deadline=deadline()
            )
        )
        assert code == expected


def test_a_damaged_layout_is_refused(built: BuiltDatabases, tmp_path: Path) -> None:
    assert built.trivy_artifact is not None
    for number, keep in enumerate((0.5, 0.0)):
        layout = copy_store(built.trivy_artifact, tmp_path / f"layout{number}")
        largest = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[: int(largest.stat().st_size * keep)])
        code = refusal(
            lambda layout=layout: import_databases(  # type: ignore[misc]
                tmp_path / "s", layout, digest=None, grype=None, deadline=deadline()
            )
        )
        assert code == "DB_DIGEST"


def test_the_air_gap_is_crossed_by_one_file(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "databases.tar"
    digest = export_databases(store, target)
    assert Digest.of(target.read_bytes()) == digest
    added = import_databases(tmp_path / "s", target, digest=digest, grype=None, deadline=deadline())
    assert kinds(added) == ["trivy", "java", "grype"]
    before, after = load_databases(store), load_databases(tmp_path / "s")
    for kind in DatabaseKind:
        assert replace(before.demand(kind).identity) == after.demand(kind).identity
        after.demand(kind).verify(DigestMemo())


def test_an_export_of_altered_or_missing_databases_is_refused(store: Path, tmp_path: Path) -> None:
    damaged = copy_store(store, tmp_path / "damaged")
    path = next((damaged / "store/java").glob(f"*/{FILES[DatabaseKind.JAVA][0]}"))
    path.write_bytes(path.read_bytes() + b"x")
    assert refusal(lambda: export_databases(damaged, tmp_path / "a.tar")) == "DB_DIGEST"
    assert refusal(lambda: export_databases(tmp_path / "nothing", tmp_path / "b.tar")) == "DB_MISSING"
    taken = tmp_path / "taken.tar"
    taken.write_bytes(b"")
    assert refusal(lambda: export_databases(store, taken)) == "DB_SOURCE"


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """Return a tar with each member changed, or left out."""
    buffer = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=buffer, mode="w") as target:
        for member in source:
            content = source.extractfile(member)
            assert content is not None
            kept = change(member.name, content.read())
            if kept is not None:
                entry = tarfile.TarInfo(kept[0])
                entry.size = len(kept[1])
                target.addfile(entry, io.BytesIO(kept[1]))
    return buffer.getvalue()


def flipped(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content if name != "trivy/db/trivy.db" else content[:-1] + bytes([content[-1] ^ 1])


def without_java(name: str, content: bytes) -> tuple[str, bytes] | None:
    return None if name.startswith("java/java-db/trivy") else (name, content)


def escaping(name: str, content: bytes) -> tuple[str, bytes]:
    return ("../../escaped" if name == "java/java-db/trivy-java.db" else name), content


def relisted(name: str, content: bytes) -> tuple[str, bytes]:
    if name != LIST_NAME:
        return name, content
    document = json.loads(content)
    document["databases"][0]["digest"] = "sha256:" + "0" * 64
    return name, json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [(flipped, "DB_DIGEST"), (without_java, "DB_MALFORMED"), (escaping, "DB_MALFORMED"), (relisted, "DB_DIGEST")],
)
def test_c04_an_altered_archive_is_refused(
    store: Path, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], code: str
) -> None:
    good, bad = tmp_path / "good.tar", tmp_path / "bad.tar"
    export_databases(store, good)
    bad.write_bytes(rewritten(good, change))
    target = tmp_path / "s/deep"
    seen = refusal(lambda: import_databases(target, bad, digest=None, grype=None, deadline=deadline()))
    assert seen == code
    assert not (tmp_path / "escaped").exists()
    assert not (target / "current.json").exists()


def test_c04_a_cut_archive_is_refused(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "databases.tar"
    export_databases(store, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code = refusal(lambda: import_databases(tmp_path / "s", path, digest=None, grype=None, deadline=deadline()))
    assert code == "DB_MALFORMED"


def test_the_status_names_what_is_wrong(store: Path, tmp_path: Path) -> None:
    damaged = copy_store(store, tmp_path / "damaged")
    path = next((damaged / "store/grype").glob(f"*/{FILES[DatabaseKind.GRYPE][1]}"))
    path.write_bytes(b"{}")
    problems = {status.kind: status.problem for status in database_status(damaged, NOW)}
    assert problems[DatabaseKind.TRIVY] is None
    found = problems[DatabaseKind.GRYPE]
    assert found is not None
    assert found.code == "DB_DIGEST"
    for status in database_status(tmp_path / "nothing", NOW):
        assert status.problem is not None
        assert status.problem.code == "DB_MISSING"


def test_a_damaged_entry_is_replaced_by_the_next_import(built: BuiltDatabases, tmp_path: Path) -> None:
    assert built.trivy_cache is not None
    first = import_databases(tmp_path, built.trivy_cache, digest=None, grype=None, deadline=deadline())[0]
    first.main_file.chmod(0o600)
    first.main_file.write_bytes(b"")
    assert isinstance(load_databases(tmp_path).trivy, Unavailable)
    again = import_databases(tmp_path, built.trivy_cache, digest=None, grype=None, deadline=deadline())[0]
    assert again == first
    again.verify(DigestMemo())
