"""`gate requirement`: write, check and explain what a deploy stage demands."""

from __future__ import annotations

from pathlib import Path

import click

from gate.admin.policies import validate_document
from gate.admin.requirements import Stage, explain_requirement, init_requirement
from gate.cli.commands import Group
from gate.cli.common import Common, common_options
from gate.cli.demands import public_key, read_requirement
from gate.cli.types import PLACE
from gate.codec.requirement.document import KIND
from gate.errors import PolicyError
from gate.report.content import Listing

_FILE = Path("requirement.yaml")


@click.group(cls=Group)
def requirement() -> None:
    """Write, check and explain what a deploy stage demands."""


@requirement.command()
@click.argument("file", type=PLACE, default=_FILE)
@click.option("--key", type=PLACE, required=True, envvar="GATE_VERIFY_KEY", help="The public key that signs verdicts.")
@click.option("--policy", "-p", type=PLACE, required=True, envvar="GATE_POLICY", help="The policy that is accepted.")
@click.option(
    "--match", default="**", envvar="GATE_MATCH", help="The repositories that it is for, as a glob.  [default: **]"
)
@click.option(
    "--environment", envvar="GATE_ENVIRONMENT", help="This stage. Without it, the only one that the policy names."
)
@common_options
def init(common: Common, file: Path, *, key: Path, policy: Path, match: str, environment: str | None) -> None:
    """Write a commented requirement for a key and a policy.

    FILE (requirement.yaml) is never written over; the key and the digest of the policy stand in it.

    \b
    gate requirement init --key keys/gate.pub --policy policy.yaml
    """  # noqa: D301  click reads \b
    stage = Stage(key=public_key(key), policy=policy, match=match, environment=environment)
    environment = init_requirement(file, stage, common.now)
    common.say_next(f"gate verify REF --requirement {file}")
    row = (str(file), environment)
    common.finish(Listing(kind="requirements", columns=("file", "environment"), rows=(row,), bare=True))


@requirement.command()
@click.argument("files", metavar="FILE...", type=PLACE, nargs=-1, required=True)
@common_options
def validate(common: Common, files: tuple[Path, ...]) -> None:
    """Check requirements, with all that they point to.

    Ends with 2 at the first that is refused, and says file, line and the nearest right word.
    """
    found = [(file, validate_document(file, common.now)) for file in files]
    for file, item in found:
        if item.kind != KIND:
            step = f"Check it with `gate policy validate {file}`."
            raise PolicyError(f"{file} is no requirement", expected=KIND, seen=item.kind, next_step=step)
    rows = tuple((str(file), "ok", item.name, str(item.digest)) for file, item in found)
    columns = ("file", "state", "name", "digest")
    common.finish(Listing(kind="requirements", columns=columns, rows=rows, state="state"))


@requirement.command()
@click.argument("file", type=PLACE, default=_FILE)
@common_options
def explain(common: Common, file: Path) -> None:
    """Say in words what a requirement demands of which images."""
    rows = explain_requirement(read_requirement(file))
    common.finish(Listing(kind="demands", columns=("images", "demanded"), rows=rows))
