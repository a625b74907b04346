"""`gate verify-bundle`: verify any Sigstore bundle, in the words of Cosign and of Sigstore's conformance suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options
from gate.cli.demands import public_key
from gate.cli.identities import demanded_identity, identity_options, root_demand, trusted_root_option
from gate.cli.types import PLACE
from gate.codec.times import format_time
from gate.errors import UsageError
from gate.pipeline.inputs import read_input
from gate.pipeline.verify_bundle import claimed, read_artifact, verify_bundle
from gate.report.content import Listing

if TYPE_CHECKING:
    from gate.verification.signature import VerifiedSignature

_COLUMNS: Final = ("signer", "issuer", "key", "time", "logs", "timestamps", "digest", "predicateType", "says")


@click.command("verify-bundle", cls=Command)
@click.argument("artifact", metavar="FILE_OR_DIGEST")
@click.option("--bundle", type=PLACE, required=True, envvar="GATE_BUNDLE", help="The bundle.")
@identity_options
@click.option("--key", type=PLACE, envvar="GATE_VERIFY_KEY", help="Verify with this public key instead of an identity.")
@trusted_root_option
@common_options
def verify_bundle_command(
    common: Common,
    *,
    artifact: str,
    bundle: Path,
    identity: str | None,
    identity_pattern: str | None,
    issuer: str | None,
    issuer_pattern: str | None,
    key: Path | None,
    trusted_root: Path | None,
    log: int | None,
    timestamps: int | None,
    no_sct: bool,
) -> None:
    """Verify any Sigstore bundle over a file or a digest, offline.

    Ends with 1 where the signature verifies and what is signed is a verdict that does not say PASSED.

    \b
    gate verify-bundle app.tar.gz --bundle app.tar.gz.sigstore.json --key release.pub
    gate verify-bundle sha256:... --bundle app.sigstore.json --certificate-identity release@shop.example \\
      --certificate-oidc-issuer https://accounts.google.com
    """  # noqa: D301  click reads \b
    who = demanded_identity(identity, identity_pattern, issuer, issuer_pattern)
    signer = public_key(key) if key is not None else who
    if signer is None or (key is not None and who is not None):
        raise UsageError("it is not clear who must have signed", expected="--key, or an identity with its issuer")
    verified = verify_bundle(
        read_input(bundle),
        read_artifact(artifact, Path(artifact)),
        signer=signer,
        trusted_root=read_input(trusted_root) if trusted_root is not None else None,
        demand=root_demand(trusted_root, log, timestamps, no_sct=no_sct),
        now=common.now,
    )
    claim = claimed(verified)
    notes = (
        ()
        if claim.admits
        else (f"the signature verifies, and the verdict says {claim.says or 'nothing'}: it is no pass",)
    )
    row = (*_row(verified), claim.predicate_type or None, claim.says or None)
    common.finish(
        Listing(kind="signatures", columns=_COLUMNS, rows=(row,), notes=notes, exit_code=0 if claim.admits else 1)
    )


def _row(verified: VerifiedSignature) -> tuple[str | None, ...]:
    identity = verified.identity
    return (
        identity.subject if identity is not None else None,
        identity.issuer if identity is not None else None,
        verified.key.key_id,
        format_time(verified.times[0]) if verified.times else None,
        ", ".join(f"{entry.url} {entry.index}" for entry in verified.entries) or None,
        ", ".join(stamp.authority for stamp in verified.timestamps) or None,
        str(verified.digest),
    )
