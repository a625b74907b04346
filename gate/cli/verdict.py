"""What the two commands that issue verdicts share: the options of a signed verdict, and what came of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import gate
from gate.cli.common import with_options
from gate.cli.types import PLACE, REPOSITORY
from gate.errors import GateError
from gate.report.content import ImageReport

if TYPE_CHECKING:
    from gate.pipeline.options import CheckOptions

fail_key_option = click.option(
    "--fail-key", envvar="GATE_FAIL_KEY", help="Another private key for verdicts that say FAILED."
)
environments_option = click.option(
    "--environment",
    "environments",
    multiple=True,
    envvar="GATE_ENVIRONMENT",
    help="For which stage the verdict holds (repeatable). Without it, those of the policy.",
)
written_options = with_options(
    click.option(
        "--attestation", type=PLACE, envvar="GATE_ATTESTATION", help="Also write the verdict's bundle to a file."
    ),
    click.option(
        "--dsse",
        type=PLACE,
        envvar="GATE_DSSE",
        help="Also write a passed verdict to a file as bare DSSE, which slsa-verifier reads.",
    ),
    click.option(
        "--legacy-attestation",
        is_flag=True,
        envvar="GATE_LEGACY_ATTESTATION",
        help="Also write a passed verdict under Cosign's .att tag.",
    ),
    click.option(
        "--attach-to",
        type=REPOSITORY,
        envvar="GATE_ATTACH_TO",
        help="The repository that the verdict goes to, instead of the image's own.",
    ),
)


def judged(reference: str, options: CheckOptions) -> ImageReport:
    """Return what came of one image: an error of one must not hide what was decided of others."""
    try:
        return ImageReport(reference=reference, checked=gate.check(reference, options))
    except GateError as error:
        return ImageReport(reference=reference, error=error)
