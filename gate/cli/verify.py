"""`gate verify`: the deploy stage's demand. Nothing is loaded here that a key and a verdict do not need."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from gate.cli.commands import Command
from gate.cli.common import Common, image_report_options, record_option, registry_options, with_options
from gate.cli.demands import accepted_policy, public_key, read_requirement
from gate.cli.environment import registry_options as registry_settings
from gate.cli.identities import demanded_identity, identity_options, root_demand, trusted_root_option
from gate.cli.images import asked_images, images_options, require_one
from gate.cli.messages import say_error
from gate.cli.types import DOCUMENT_OR_DIGEST, DURATION, PLACE, REPOSITORY
from gate.errors import GateError, UsageError
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.model.requirement import DEFAULT_MAX_AGE
from gate.pipeline.verify_options import VerifyOptions
from gate.report.codes import worst_exit_code
from gate.report.content import ImageReport, NamedAt, Report

demand_options = with_options(
    click.option(
        "--requirement",
        type=PLACE,
        envvar="GATE_REQUIREMENT",
        help="A document that says what is demanded; instead of flags.",
    ),
    click.option(
        "--key",
        "keys",
        type=PLACE,
        multiple=True,
        envvar="GATE_VERIFY_KEY",
        help="A public key that signs verdicts (repeatable).",
    ),
    identity_options,
    click.option(
        "--fail-key",
        "fail_keys",
        type=PLACE,
        multiple=True,
        envvar="GATE_VERIFY_FAIL_KEY",
        help="A public key that signs FAILED verdicts, where they have their own (repeatable).",
    ),
    click.option(
        "--policy",
        "-p",
        "policies",
        type=DOCUMENT_OR_DIGEST,
        multiple=True,
        envvar="GATE_POLICY",
        help="A policy that is accepted here: its file or its digest (repeatable).",
    ),
    click.option(
        "--environment",
        envvar="GATE_ENVIRONMENT",
        help="This stage. Without it only a verdict that names none is accepted.",
    ),
    click.option("--max-age", type=DURATION, envvar="GATE_MAX_AGE", help="How old a verdict may be.  [default: 7d]"),
    click.option("--verifier-id", envvar="GATE_VERIFIER_ID", help="The verifier that the verdict must name."),
    click.option(
        "--require-timestamp",
        is_flag=True,
        envvar="GATE_REQUIRE_TIMESTAMP",
        help="Demand a time that an authority vouches for, not the signer's own.",
    ),
)
source_options = with_options(
    click.option(
        "--attestation",
        type=PLACE,
        envvar="GATE_VERIFY_ATTESTATION",
        help="Take the verdict from this file; asks no registry.",
    ),
    click.option(
        "--as", "name", type=REPOSITORY, envvar="GATE_AS", help="The repository that a layout is verified as."
    ),
    trusted_root_option,
    record_option,
)


@click.command(cls=Command)
@click.argument("references", metavar="[REF...]", nargs=-1)
@images_options
@demand_options
@source_options
@registry_options
@image_report_options
def verify(
    common: Common,
    *,
    references: tuple[str, ...],
    images: Path | None,
    named_at: NamedAt | None,
    requirement: Path | None,
    keys: tuple[Path, ...],
    identity: str | None,
    identity_pattern: str | None,
    issuer: str | None,
    issuer_pattern: str | None,
    fail_keys: tuple[Path, ...],
    policies: tuple[Path | Digest, ...],
    environment: str | None,
    max_age: timedelta | None,
    verifier_id: str | None,
    require_timestamp: bool,
    attestation: Path | None,
    name: Repository | None,
    trusted_root: Path | None,
    log: int | None,
    timestamps: int | None,
    no_sct: bool,
    record: str | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Demand a valid passing verdict before a deployment.

    The verdict must be signed by a key of yours or by an identity that you name, be about this digest, say PASSED under
    an accepted policy, for this environment, be young enough, and no newer one may say FAILED.

    \b
    gate verify registry.example/shop/web@sha256:... --key gate.pub --policy policy.yaml --environment production
    gate verify registry.example/shop/web@sha256:... --requirement requirement.yaml
    """  # noqa: D301  click reads \b
    who = demanded_identity(identity, identity_pattern, issuer, issuer_pattern)
    flags = bool(
        keys
        or who
        or trusted_root
        or fail_keys
        or policies
        or environment
        or max_age
        or verifier_id
        or require_timestamp
    )
    if (requirement is not None) == flags or (requirement is None and not ((keys or who) and policies)):
        expected = "--requirement alone, or --policy and --key or an identity"
        raise UsageError("it is not clear what is demanded", expected=expected)
    asked = asked_images(references, images, named_at)
    require_one("--attestation", attestation, asked)
    options = VerifyOptions(
        places=common.places(record=record),
        requirement=read_requirement(requirement) if requirement is not None else None,
        keys=tuple(map(public_key, keys)),
        identity=who,
        trusted_root=trusted_root,
        root_demand=root_demand(trusted_root, log, timestamps, no_sct=no_sct),
        fail_keys=tuple(map(public_key, fail_keys)),
        verifier_id=verifier_id,
        policies=frozenset(map(accepted_policy, policies)),
        environment=environment,
        max_age=max_age or DEFAULT_MAX_AGE,
        require_timestamp=require_timestamp,
        attestation_file=attestation,
        name=name,
        recorded=record is not None,
        offline=common.offline,
        registry=registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline),
    )
    timed = common.timed(options)
    reports = tuple(replace(_demanded(item.reference, timed), named_at=item.named_at) for item in asked)
    code = worst_exit_code(image.exit_code for image in reports)
    common.finish(Report(images=reports, exit_code=code, now=common.now))


def _demanded(reference: str, options: VerifyOptions) -> ImageReport:
    # Loaded where something is demanded: `gate verify --help` needs nothing of it.
    from gate.pipeline.verify import answer_about, run_of  # noqa: PLC0415

    try:
        answer = answer_about(reference, options)
    except GateError as error:
        return ImageReport(reference=reference, error=error)
    admission, unrecorded = answer.outcome, answer.unrecorded
    failed = isinstance(admission, GateError) or admission.refusal is not None
    if failed and unrecorded is not None:
        # The refusal stands whether or not it could be recorded.
        say_error(unrecorded)
    if isinstance(admission, GateError):
        return ImageReport(reference=reference, error=admission)
    if refusal := admission.refusal or unrecorded:
        return ImageReport(reference=reference, error=refusal, set_aside=admission.set_aside)
    return ImageReport(reference=reference, verified=run_of(reference, admission), set_aside=admission.set_aside)
