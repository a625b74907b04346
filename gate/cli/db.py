"""`gate db`: the scanners' vulnerability databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from gate.admin.databases import (
    GRYPE_ADDRESS,
    JAVA_ADDRESS,
    TRIVY_ADDRESS,
    DatabaseSources,
    DatabaseStatus,
    database_status,
    download_options,
    export_databases,
    import_databases,
    update_databases,
)
from gate.cli.commands import Group
from gate.cli.common import (
    Common,
    common_options,
    db_dir_option,
    registry_options,
    tools_dir_option,
    with_options,
)
from gate.cli.environment import download_authority
from gate.cli.environment import registry_options as registry_settings
from gate.cli.types import DIGEST, PLACE
from gate.disk.content import DigestMemo
from gate.errors import ScannerError
from gate.model.digest import Digest
from gate.pipeline.collect.context import tool_places
from gate.registry.client import RegistryClient
from gate.report.content import Cell, Listing
from gate.report.lines import duration
from gate.scanners.database_store import Database
from gate.scanners.tool_pins import PinnedTool, locate_tool

# Grype's database is unpacked and indexed by Grype, which takes minutes.
_TIME: Final = timedelta(hours=1)
_COLUMNS: Final = ("database", "state", "built", "age", "digest", "source", "demonstration", "problem")
_NOT_JUDGED: Final = 3
source_options = with_options(
    click.option(
        "--trivy-db",
        default=TRIVY_ADDRESS,
        envvar="GATE_TRIVY_DB",
        help=f"Where Trivy's database is; empty leaves it alone.  [default: {TRIVY_ADDRESS}]",
    ),
    click.option(
        "--java-db",
        default=JAVA_ADDRESS,
        envvar="GATE_JAVA_DB",
        help=f"Where Trivy's Java database is; empty leaves it alone.  [default: {JAVA_ADDRESS}]",
    ),
    click.option(
        "--grype-db",
        default=GRYPE_ADDRESS,
        envvar="GATE_GRYPE_DB",
        help=f"Grype's list of databases; empty leaves it alone.  [default: {GRYPE_ADDRESS}]",
    ),
)


@click.group(cls=Group)
def db() -> None:
    """Keep the scanners' databases."""


@db.command()
@db_dir_option
@common_options
def status(common: Common, db_dir: Path | None) -> None:
    """Hash the current databases anew and show their ages.

    Whether one is fresh enough is the policy's decision. Ends with 3 where one is missing or damaged.
    """
    found = database_status(common.places(databases=db_dir).databases, common.now)
    code = _NOT_JUDGED if any(item.problem is not None for item in found) else 0
    rows = tuple(map(_status, found))
    common.finish(Listing(kind="databases", columns=_COLUMNS, rows=rows, state="state", exit_code=code))


@db.command()
@source_options
@db_dir_option
@tools_dir_option
@registry_options
@common_options
def update(
    common: Common,
    *,
    trivy_db: str,
    java_db: str,
    grype_db: str,
    db_dir: Path | None,
    tools_dir: Path | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Fetch new databases, and switch to all of them at once.

    Mirrors are named by address: --trivy-db mirror.example/trivy-db:2. If one cannot be fetched, none is switched.
    """
    places = common.places(databases=db_dir, tools=tools_dir)
    settings = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    deadline = common.deadline(_TIME)
    common.say("fetching databases")
    with RegistryClient(settings, deadline) as client:
        added = update_databases(
            places.databases,
            DatabaseSources(trivy=trivy_db, java=java_db, grype=grype_db),
            client=client,
            grype=locate_tool("grype", tool_places(places), DigestMemo()),
            options=download_options(
                proxies=settings.proxies, ca_file=download_authority(ca_file), offline=common.offline
            ),
            deadline=deadline,
        )
    common.finish(_added(added, common))


@db.command(name="import")
@click.argument("source", type=PLACE)
@click.option("--digest", type=DIGEST, envvar="GATE_DB_DIGEST", help="The digest that the file must have.")
@db_dir_option
@tools_dir_option
@common_options
def import_(common: Common, source: Path, digest: Digest | None, db_dir: Path | None, tools_dir: Path | None) -> None:
    """Take databases from a file, for machines without a network.

    SOURCE is a file of `gate db export`, an OCI layout or a cache directory of Trivy's, or Grype's archive or database.
    """
    places = common.places(databases=db_dir, tools=tools_dir)
    try:
        grype: PinnedTool | None = locate_tool("grype", tool_places(places), DigestMemo())
    except ScannerError:
        grype = None
    deadline = common.deadline(_TIME)
    common.finish(
        _added(import_databases(places.databases, source, digest=digest, grype=grype, deadline=deadline), common)
    )


@db.command()
@click.argument("target", metavar="FILE", type=PLACE)
@db_dir_option
@common_options
def export(common: Common, target: Path, db_dir: Path | None) -> None:
    """Write the current databases into one file, to be carried to a machine without a network."""
    digest = export_databases(common.places(databases=db_dir).databases, target)
    row = (str(target), str(digest))
    note = f"Carry the digest by another way, and import with --digest {digest}"
    common.finish(Listing(kind="exports", columns=("file", "digest"), rows=(row,), notes=(note,)))


def _status(item: DatabaseStatus) -> tuple[Cell, ...]:
    state = "ok" if item.problem is None else item.problem.code
    problem = item.problem.reason if item.problem is not None else ""
    if item.identity is None or item.age is None:
        return item.kind.value, state, None, None, None, None, None, problem
    known = item.identity
    age = duration(item.age)
    return item.kind.value, state, known.built_at, age, str(known.digest), known.source, known.demonstration, problem


def _added(databases: tuple[Database, ...], common: Common) -> Listing:
    rows = tuple(
        _status(
            DatabaseStatus(
                kind=item.kind, identity=item.identity, age=common.now - item.identity.built_at, problem=None
            )
        )
        for item in databases
    )
    return Listing(kind="databases", columns=_COLUMNS, rows=rows, state="state")
