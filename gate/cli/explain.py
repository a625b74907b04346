"""`gate explain`: what a reason code means."""

from __future__ import annotations

import difflib
from typing import Final

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options
from gate.errors import UsageError
from gate.model.reasons import REASONS, Reason
from gate.report.content import Listing

_COLUMNS: Final = ("code", "class", "exit code", "meaning", "next", "page")


@click.command(cls=Command)
@click.argument("code", required=False)
@common_options
def explain(common: Common, code: str | None) -> None:
    """Say what a reason code means and what to do.

    CODE is as it stands in reports and on standard error, in any case; without one, all are listed.
    """
    chosen = [_reason(code)] if code is not None else list(REASONS.values())
    rows = tuple((item.code, item.kind.value, item.exit_code, item.title, item.next_step, item.page) for item in chosen)
    common.finish(Listing(kind="reasons", columns=_COLUMNS, rows=rows))


def _reason(code: str) -> Reason:
    found = REASONS.get(code.upper())
    if found is None:
        near = difflib.get_close_matches(code.upper()[:80], REASONS, n=1)
        raise UsageError(
            "no such reason code", expected=near[0] if near else "a code of a report", seen=ascii(code[:80])
        )
    return found
