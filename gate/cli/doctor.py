"""`gate doctor`: whether everything is here that a check needs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

from gate.admin.doctor import DoctorContext, DoctorResult, State, run_checks
from gate.cli.commands import Command
from gate.cli.common import (
    Common,
    common_options,
    db_dir_option,
    key_password_option,
    record_option,
    registry_options,
    tools_dir_option,
)
from gate.cli.environment import password_source
from gate.cli.environment import registry_options as registry_settings
from gate.cli.signers import open_signer
from gate.report.content import Listing

_TIME: Final = timedelta(minutes=1)
_COLUMNS: Final = ("component", "state", "found", "next", "code")
_NOT_JUDGED: Final = 3


@click.command(cls=Command)
@click.argument("reference", metavar="[REF]", required=False)
@click.option("--key", envvar="GATE_KEY", help="The private key that signs verdicts: a file or a key URI.")
@key_password_option
@record_option
@tools_dir_option
@db_dir_option
@registry_options
@common_options
def doctor(
    common: Common,
    *,
    reference: str | None,
    key: str | None,
    key_password_file: Path | None,
    record: str | None,
    tools_dir: Path | None,
    db_dir: Path | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Prove that everything that a check needs works.

    Looks at scanners, databases, clock, key, registry, referrers, cache and record, and says of each that it is well or what
    to do. REF is an image in the registry that is to be tried. Ends with 3 where something is wrong.
    """
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    subject = DoctorContext(
        places=common.places(databases=db_dir, tools=tools_dir, record=record),
        registry=registry,
        deadline=common.deadline(_TIME),
        now=common.now,
        sign=partial(open_signer, key, password_source(key_password_file), common, registry) if key else None,
        reference=reference,
    )
    found = run_checks(subject)
    code = _NOT_JUDGED if any(item.state is State.WRONG for item in found) else 0
    common.finish(
        Listing(kind="diagnoses", columns=_COLUMNS, rows=tuple(map(_row, found)), state="state", exit_code=code)
    )


def _row(item: DoctorResult) -> tuple[str, ...]:
    return item.subject, item.state.value, item.found, item.next_step, item.code
