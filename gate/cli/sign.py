"""`gate sign`: sign an image digest so that Cosign, and every policy that reads its signatures, can verify it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options, key_password_option, registry_options
from gate.cli.environment import password_source
from gate.cli.environment import registry_options as registry_settings
from gate.cli.signers import open_signer, timestamp_option
from gate.cli.types import REPOSITORY
from gate.errors import UsageError
from gate.pipeline.sign import sign as sign_image
from gate.report.content import Listing

if TYPE_CHECKING:
    from gate.model.reference import Repository

_TIME: Final = timedelta(minutes=1)
_COLUMNS: Final = ("signed", "manifest", "place", "type")


@click.command(cls=Command)
@click.argument("reference", metavar="REF")
@click.option(
    "--key",
    required=True,
    envvar="GATE_SIGN_KEY",
    help="What signs: a key's file, a key URI, or sigstore:[NAME] for an identity (docs/trust.md).",
)
@timestamp_option
@key_password_option
@click.option(
    "--annotation",
    "-a",
    "annotations",
    multiple=True,
    envvar="GATE_ANNOTATION",
    metavar="NAME=VALUE",
    help="Sign this annotation with the digest (repeatable).",
)
@click.option("--legacy", is_flag=True, envvar="GATE_LEGACY", help="Write Cosign's .sig tag instead of a bundle.")
@click.option(
    "--as", "name", type=REPOSITORY, envvar="GATE_AS", help="The repository that a layout's legacy signature names."
)
@registry_options
@common_options
def sign(
    common: Common,
    *,
    reference: str,
    key: str,
    timestamp: str | None,
    key_password_file: Path | None,
    annotations: tuple[str, ...],
    legacy: bool,
    name: Repository | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Sign an image digest the way Cosign does.

    REF names a digest in a registry or in an OCI layout. The key of verdicts signs verdicts and nothing else: use another.

    \b
    gate sign registry.example/shop/web@sha256:... --key release.key
    """  # noqa: D301  click reads \b
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    signed = sign_image(
        reference,
        signer=open_signer(key, password_source(key_password_file), common, registry, timestamp),
        annotations=dict(map(_annotation, annotations)),
        registry=registry,
        legacy=legacy,
        name=name,
        timeout=common.timeout or _TIME,
    )
    manifest = str(signed.manifest) if signed.manifest is not None else None
    row = (str(signed.subject), manifest, signed.place, signed.predicate_type)
    common.finish(Listing(kind="signatures", columns=_COLUMNS, rows=(row,)))


def _annotation(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError("not an annotation", expected="NAME=VALUE", seen=ascii(text[:80]))
    return name, value
