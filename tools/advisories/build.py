"""Build all databases into one folder, deterministic for one time of build.

::

    OUT/DEMONSTRATION                          what this is; also marked inside each database
    OUT/trivy/db/{trivy.db,metadata.json}      a cache directory for `trivy --cache-dir OUT/trivy`
    OUT/trivy/java-db/{trivy-java.db,metadata.json}
    OUT/grype/vulnerability.db                 for `grype db import`
    OUT/grype/cache/6/...                      only where a Grype was given: the imported database
    OUT/artifacts/{trivy-db,trivy-java-db}/    OCI layouts, as a registry holds them
    OUT/artifacts/grype/v6/{latest.json,*.tar.gz}
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.advisories import artifacts, java_db, trivy_db
from tools.advisories.catalog import load_advisories
from tools.advisories.grype_db import write_grype_database
from tools.advisories.model import DEMONSTRATION_NOTICE, Scanner
from tools.advisories.records import records


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDatabases:
    """Where everything was written; a part that was not asked for is None."""

    out: Path
    built: datetime
    trivy_cache: Path | None
    trivy_artifact: Path | None
    trivy_java_artifact: Path | None
    grype_database: Path | None
    grype_mirror: Path | None
    grype_cache: Path | None


def build_databases(
    out: Path, built: datetime, grype: Path | None = None, *, scanners: frozenset[Scanner] = frozenset(Scanner)
) -> BuiltDatabases:
    """Write the databases of the scanners into `out`; what stood there from an earlier build is replaced.

    `built` becomes the build time of every database, in whole seconds of UTC. With `grype` (an executable) its database
    is imported too. Raises `ValueError` for a time without a zone, `subprocess.CalledProcessError` when the import fails.
    """
    if built.tzinfo is None:
        raise ValueError("the time of build needs a time zone")
    moment = built.astimezone(UTC).replace(microsecond=0)
    out.mkdir(parents=True, exist_ok=True)
    (out / "DEMONSTRATION").write_text(DEMONSTRATION_NOTICE + "\n", encoding="utf-8")
    with_trivy, with_grype = Scanner.TRIVY in scanners, Scanner.GRYPE in scanners
    if with_trivy:
        _build_trivy(out, moment)
    if with_grype:
        _build_grype(out, moment, grype)
    return BuiltDatabases(
        out=out,
        built=moment,
        trivy_cache=out / "trivy" if with_trivy else None,
        trivy_artifact=out / "artifacts" / "trivy-db" if with_trivy else None,
        trivy_java_artifact=out / "artifacts" / "trivy-java-db" if with_trivy else None,
        grype_database=out / "grype" / "vulnerability.db" if with_grype else None,
        grype_mirror=out / "artifacts" / "grype" if with_grype else None,
        grype_cache=out / "grype" / "cache" if with_grype and grype else None,
    )


def _build_trivy(out: Path, built: datetime) -> None:
    folder = _fresh(out / "trivy" / "db")
    (folder / "trivy.db").write_bytes(trivy_db.trivy_database(records(Scanner.TRIVY, load_advisories())))
    (folder / "metadata.json").write_bytes(trivy_db.metadata(built))
    java = _fresh(out / "trivy" / "java-db")
    java_db.write_java_database(java / "trivy-java.db")
    (java / "metadata.json").write_bytes(trivy_db.metadata(built, schema=java_db.SCHEMA))
    artifacts.write_trivy_artifact(
        _fresh(out / "artifacts" / "trivy-db"),
        (folder / "trivy.db", folder / "metadata.json"),
        layer_type=artifacts.DATABASE_LAYER_TYPE,
        tag=str(trivy_db.SCHEMA),
    )
    artifacts.write_trivy_artifact(
        _fresh(out / "artifacts" / "trivy-java-db"),
        (java / "trivy-java.db", java / "metadata.json"),
        layer_type=artifacts.JAVA_LAYER_TYPE,
        tag=str(java_db.SCHEMA),
    )


def _build_grype(out: Path, built: datetime, grype: Path | None) -> None:
    folder = _fresh(out / "grype")
    database = folder / "vulnerability.db"
    advisories = load_advisories()
    write_grype_database(database, records(Scanner.GRYPE, advisories), advisories, built)
    artifacts.write_grype_archive(_fresh(out / "artifacts" / "grype" / "v6"), database, built)
    if grype:
        import_grype_database(grype, database, folder / "cache")


def import_grype_database(grype: Path, database: Path, cache: Path) -> None:
    """Let Grype import the bare file into its cache directory, with nothing but our settings in its environment."""
    settings = {
        "GRYPE_DB_CACHE_DIR": str(cache),
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
        # The build time may be of any year: age is judged when a scan asks for it.
        "GRYPE_DB_VALIDATE_AGE": "false",
        "HOME": str(cache.parent),
        "PATH": "/usr/bin:/bin",
    }
    command = [str(grype), "db", "import", str(database)]
    subprocess.run(command, check=True, env=settings, cwd=cache.parent, capture_output=True)


def _fresh(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
