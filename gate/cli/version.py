"""`gate version`: what `--version` prints, for those who type it as a command."""

from __future__ import annotations

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options
from gate.model.version import VERSION
from gate.report.content import Document


@click.command(cls=Command)
@common_options
def version(common: Common) -> None:
    """Print the version.

    It is the same in every format.
    """
    common.finish(Document(f"gate {VERSION}\n"))
