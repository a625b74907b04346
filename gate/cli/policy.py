"""`gate policy`: write, check and pin policies, and print their schemas."""

from __future__ import annotations

from pathlib import Path

import click

from gate.admin.export import Controller, export_requirement
from gate.admin.policies import SCHEMAS, TEMPLATES, init_policy, pin_document, schema_text, validate_document
from gate.admin.policy_words import explain_policy
from gate.cli.commands import Group
from gate.cli.common import Common, common_options
from gate.cli.demands import read_requirement
from gate.cli.types import PLACE
from gate.errors import UsageError
from gate.pipeline.options import AdHoc
from gate.pipeline.policies import load_policy
from gate.report.content import Document, Listing


@click.group(cls=Group)
def policy() -> None:
    """Write, check and pin policies."""


@policy.command()
@click.argument("file", type=PLACE, default=Path("policy.yaml"))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    default=TEMPLATES[0],
    envvar="GATE_TEMPLATE",
    help=f"What to start from.  [default: {TEMPLATES[0]}]",
)
@common_options
def init(common: Common, file: Path, template: str) -> None:
    """Write a commented policy to start from.

    FILE (policy.yaml) is never written over. `baseline` blocks what a careful team would act on today, `production` and
    `strict` more: docs/policies.md.
    """
    init_policy(file, template=template)
    common.say_next(f"gate check REF -p {file} --key keys/gate.key   (a key: `gate keys generate keys`)")
    row = (str(file), template)
    common.finish(Listing(kind="policies", columns=("file", "template"), rows=(row,), bare=True))


@policy.command()
@click.argument("files", metavar="FILE...", type=PLACE, nargs=-1, required=True)
@common_options
def validate(common: Common, files: tuple[Path, ...]) -> None:
    """Check policies and requirements, with all that they point to.

    Ends with 2 at the first that is refused, and says file, line and the nearest right word.
    """
    found = [(file, validate_document(file, common.now)) for file in files]
    rows = tuple((str(file), "ok", item.kind, item.name, str(item.digest)) for file, item in found)
    notes = tuple(
        f"{file}: not pinned, so that no verdict can be signed: {', '.join(item.unpinned)}"
        for file, item in found
        if item.unpinned
    )
    columns = ("file", "state", "kind", "name", "digest")
    common.finish(Listing(kind="documents", columns=columns, rows=rows, state="state", notes=notes))


@policy.command()
@click.argument("file", type=PLACE)
@common_options
def explain(common: Common, file: Path) -> None:
    """Say in words what a policy holds images to.

    For each check: whether a failure refuses, is a warning, or is not asked for, as of now.
    """
    rows = explain_policy(load_policy(file, AdHoc(), common.now).policy, common.now)
    common.finish(Listing(kind="checks", columns=("check", "failure", "demanded"), rows=rows))


@policy.command()
@click.argument("file", type=PLACE)
@common_options
def pin(common: Common, file: Path) -> None:
    """Write the sha256 of every file that a policy points to.

    Every other byte of FILE stays as it is. Look at what changed before you commit it.
    """
    pins = pin_document(file, common.now)
    rows = tuple((item.path, str(item.digest), item.before) for item in pins)
    notes = () if pins else (f"{file}: every file is pinned already",)
    common.finish(Listing(kind="pins", columns=("file", "digest", "before"), rows=rows, notes=notes))


@policy.command()
@click.argument("kind", type=click.Choice(SCHEMAS), default=SCHEMAS[0])
@common_options
def schema(common: Common, kind: str) -> None:
    """Print the JSON Schema of policies or of requirements, the same in every format."""
    common.finish(Document(schema_text(kind)))


@policy.command()
@click.argument("requirement", type=PLACE)
@click.option(
    "--policy-controller",
    is_flag=True,
    envvar="GATE_POLICY_CONTROLLER",
    help="Write ClusterImagePolicies of Sigstore's policy-controller.",
)
@click.option("--kyverno", is_flag=True, envvar="GATE_KYVERNO", help="Write ClusterPolicies of Kyverno.")
@common_options
def export(common: Common, requirement: Path, policy_controller: bool, kyverno: bool) -> None:
    """Print a requirement as policies of another admission controller.

    REQUIREMENT says what a deploy stage demands. What the other cannot check stands in docs/interoperability.md; what would
    be lost without a word is refused.

    \b
    gate policy export requirement.yaml --policy-controller | kubectl apply -f -
    """  # noqa: D301  click reads \b
    if policy_controller == kyverno:
        raise UsageError("for which controller is not clear", expected="--policy-controller or --kyverno")
    controller = Controller.POLICY_CONTROLLER if policy_controller else Controller.KYVERNO
    common.finish(Document(export_requirement(read_requirement(requirement), controller)))
