"""`gate resolve`: from a tag to the digest that it names now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options, registry_options
from gate.cli.environment import registry_options as registry_settings
from gate.pipeline.resolve import resolve as resolve_reference
from gate.report.content import Listing

_TIME: Final = timedelta(minutes=1)


@click.command(cls=Command)
@click.argument("reference", metavar="REF")
@registry_options
@common_options
def resolve(common: Common, reference: str, authfile: Path | None, plain_http: bool, ca_file: Path | None) -> None:
    """Print the digest that a tag names now.

    The answer is a reference that can be judged and deployed. It is a hint of this moment: the tag may move.
    """
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    found = resolve_reference(reference, registry=registry, timeout=common.timeout or _TIME)
    row = (f"{found.repository}@{found.digest}", found.tag, str(found.digest))
    common.finish(Listing(kind="references", columns=("reference", "tag", "digest"), rows=(row,), bare=True))
