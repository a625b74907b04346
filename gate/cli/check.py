"""`gate check`: the main job, for one or several images."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gate.cli.commands import Command
from gate.cli.common import (
    Common,
    db_dir_option,
    fingerprint_key_option,
    image_report_options,
    key_password_option,
    record_option,
    registry_options,
    tools_dir_option,
    with_options,
)
from gate.cli.environment import password_source
from gate.cli.environment import registry_options as registry_settings
from gate.cli.images import asked_images, images_options, require_one
from gate.cli.signers import loading_beside, open_signer, timestamp_option
from gate.cli.types import EXIT_CODE, PLACE, PLATFORM, REPOSITORY, SEVERITIES
from gate.cli.verdict import environments_option, fail_key_option, judged, written_options
from gate.model.severity import Severity
from gate.pipeline.options import AdHoc, CheckOptions
from gate.report.codes import worst_exit_code
from gate.report.content import Report

if TYPE_CHECKING:
    from gate.model.image import Platform
    from gate.model.reference import Repository
    from gate.report.content import NamedAt

_REFUSED = 1

policy_option = click.option(
    "--policy", "-p", type=PLACE, envvar="GATE_POLICY", help="The policy. Without it the shipped baseline decides."
)
signing_options = with_options(
    click.option(
        "--key", envvar="GATE_KEY", help="What signs the verdict: a key's file, a key URI, or sigstore:[NAME]."
    ),
    fail_key_option,
    timestamp_option,
    key_password_option,
    environments_option,
    written_options,
    click.option(
        "--unsigned-verdict",
        type=PLACE,
        envvar="GATE_UNSIGNED_VERDICT",
        help="Sign nothing, and write to a file what `gate attest sign` needs in another job.",
    ),
    click.option(
        "--reissue", is_flag=True, envvar="GATE_REISSUE", help="Issue a new verdict though nothing has changed."
    ),
)
image_options = with_options(
    click.option(
        "--as", "name", type=REPOSITORY, envvar="GATE_AS", help="The repository that a layout or archive is judged as."
    ),
    click.option(
        "--platform",
        "platforms",
        type=PLATFORM,
        multiple=True,
        envvar="GATE_PLATFORM",
        help="Judge only these platforms of an index (repeatable).",
    ),
)
place_options = with_options(record_option, tools_dir_option, db_dir_option, fingerprint_key_option)
shown_options = with_options(
    click.option(
        "--severity",
        "severities",
        type=SEVERITIES,
        envvar="GATE_SEVERITY",
        help="Show findings of these severities only. What is decided stays the same.",
    ),
    click.option(
        "--exit-code",
        "refused_code",
        type=EXIT_CODE,
        default=_REFUSED,
        envvar="GATE_EXIT_CODE",
        help="End with this number where an image is refused; 0 only reports.  [default: 1]",
    ),
)
ad_hoc_options = with_options(
    click.option(
        "--fail-on",
        type=click.Choice(
            [severity for severity in Severity if severity is not Severity.UNKNOWN], case_sensitive=False
        ),
        envvar="GATE_FAIL_ON",
        help="Without a policy: the lowest severity that refuses. Such a run signs nothing.",
    ),
    click.option(
        "--ignore-unfixed",
        is_flag=True,
        envvar="GATE_IGNORE_UNFIXED",
        help="Without a policy: a vulnerability without a fixed version refuses nothing.",
    ),
    click.option(
        "--vex", type=PLACE, multiple=True, envvar="GATE_VEX", help="Without a policy: a VEX document (repeatable)."
    ),
    click.option(
        "--signature-key",
        type=PLACE,
        envvar="GATE_SIGNATURE_KEY",
        help="Without a policy: demand a signature by this key.",
    ),
)


@click.command(cls=Command)
@click.argument("references", metavar="[REF...]", nargs=-1)
@images_options
@policy_option
@signing_options
@image_options
@place_options
@shown_options
@ad_hoc_options
@registry_options
@image_report_options
def check(
    common: Common,
    *,
    references: tuple[str, ...],
    images: Path | None,
    named_at: NamedAt | None,
    policy: Path | None,
    key: str | None,
    fail_key: str | None,
    timestamp: str | None,
    key_password_file: Path | None,
    environments: tuple[str, ...],
    attestation: Path | None,
    dsse: Path | None,
    legacy_attestation: bool,
    attach_to: Repository | None,
    unsigned_verdict: Path | None,
    reissue: bool,
    name: Repository | None,
    platforms: tuple[Platform, ...],
    record: str | None,
    tools_dir: Path | None,
    db_dir: Path | None,
    fingerprint_key: Path | None,
    severities: frozenset[Severity] | None,
    refused_code: int,
    fail_on: Severity | None,
    ignore_unfixed: bool,
    vex: tuple[Path, ...],
    signature_key: Path | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Judge images under a policy, and attest the verdict.

    REF is registry/repository@sha256:..., oci:DIR[@sha256:...|:TAG] or archive:FILE. Several end with the worst exit code.

    \b
    gate check registry.example/shop/web@sha256:... -p policy.yaml --key gate.key
    gate check oci:./image --as registry.example/shop/web -p policy.yaml --key gate.key --attestation verdict.json
    """  # noqa: D301  click reads \b
    files = (("--attestation", attestation), ("--dsse", dsse), ("--unsigned-verdict", unsigned_verdict))
    asked = asked_images(references, images, named_at)
    for option, file in files:
        require_one(option, file, asked)
    password = password_source(key_password_file)
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    opened = partial(open_signer, password=password, common=common, registry=registry, timestamp=timestamp)
    with loading_beside("gate.pipeline.check", tuple(filter(None, (key, fail_key))), timestamp):
        signer = opened(key) if key else None
        fail_signer = opened(fail_key) if fail_key else None
    options = CheckOptions(
        places=replace(
            common.places(databases=db_dir, tools=tools_dir, record=record), fingerprint_key=fingerprint_key
        ),
        policy=policy,
        ad_hoc=AdHoc(fail_on=fail_on, ignore_unfixed=ignore_unfixed, vex=vex, signature_key=signature_key),
        signer=signer,
        fail_signer=fail_signer,
        environments=environments or None,
        name=name,
        platforms=platforms,
        attestation_file=attestation,
        envelope_file=dsse,
        legacy_attestation=legacy_attestation,
        attach_to=attach_to,
        unsigned_file=unsigned_verdict,
        reissue=reissue,
        offline=common.offline,
        registry=registry,
    )
    with common.progress() as progress:
        timed = replace(common.timed(options), progress=progress)
        reports = tuple(replace(judged(item.reference, timed), named_at=item.named_at) for item in asked)
    worst = worst_exit_code(image.exit_code for image in reports)
    code = refused_code if worst == _REFUSED else worst
    common.finish(Report(images=reports, exit_code=code, now=common.now, severities=severities))
