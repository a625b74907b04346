"""`gate verify-bundle`: verify any Sigstore bundle, in the words of Cosign and of Sigstore's conformance suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.common import Common, common_options, with_options
from gate.cli.demands import public_key
from gate.cli.types import PLACE
from gate.codec.identity_patterns import PatternKind, check_pattern
from gate.codec.times import format_time
from gate.errors import UsageError
from gate.model.identity import Identity, Matcher
from gate.pipeline.verify_bundle import read_artifact, read_input, verify_bundle
from gate.report.content import Listing

if TYPE_CHECKING:
    from gate.verification.signature import VerifiedSignature

_COLUMNS: Final = ("signer", "issuer", "key", "time", "logs", "timestamps", "digest")
signer_options = with_options(
    click.option(
        "--certificate-identity",
        "identity",
        envvar="GATE_CERTIFICATE_IDENTITY",
        help="The subject that the certificate must name, exactly.",
    ),
    click.option(
        "--certificate-identity-regexp",
        "identity_pattern",
        envvar="GATE_CERTIFICATE_IDENTITY_REGEXP",
        help="A pattern that the whole subject must fit.",
    ),
    click.option(
        "--certificate-oidc-issuer",
        "issuer",
        envvar="GATE_CERTIFICATE_OIDC_ISSUER",
        help="The issuer that the certificate must name, exactly.",
    ),
    click.option(
        "--certificate-oidc-issuer-regexp",
        "issuer_pattern",
        envvar="GATE_CERTIFICATE_OIDC_ISSUER_REGEXP",
        help="A pattern that the whole issuer must fit.",
    ),
    click.option("--key", type=PLACE, envvar="GATE_KEY", help="Verify with this public key instead of an identity."),
)


@click.command("verify-bundle")
@click.argument("artifact", metavar="FILE_OR_DIGEST")
@click.option("--bundle", type=PLACE, required=True, envvar="GATE_BUNDLE", help="The bundle.")
@signer_options
@click.option(
    "--trusted-root",
    type=PLACE,
    envvar="GATE_TRUSTED_ROOT",
    help="Trust what this trusted_root.json names, not the public instance.",
)
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
) -> None:
    """Verify any Sigstore bundle over a file or a digest, offline.

    \b
    gate verify-bundle app.tar.gz --bundle app.tar.gz.sigstore.json --key release.pub
    gate verify-bundle sha256:... --bundle app.sigstore.json --certificate-identity release@shop.example \\
      --certificate-oidc-issuer https://accounts.google.com
    """  # noqa: D301  click reads \b
    flags = (identity, identity_pattern, issuer, issuer_pattern)
    signer = public_key(key) if key is not None and not any(flags) else _identity(key, *flags)
    verified = verify_bundle(
        read_input(bundle),
        read_artifact(artifact, Path(artifact)),
        signer=signer,
        trusted_root=read_input(trusted_root) if trusted_root is not None else None,
        now=common.now,
    )
    common.finish(Listing(kind="signatures", columns=_COLUMNS, rows=(_row(verified),)))


def _identity(
    key: Path | None, identity: str | None, identity_pattern: str | None, issuer: str | None, issuer_pattern: str | None
) -> Identity:
    if key is not None:
        raise UsageError("it is not clear who must have signed", expected="--key, or an identity with its issuer")
    return Identity(
        subject=_matcher("--certificate-identity", identity, identity_pattern, PatternKind.SUBJECT),
        issuer=_matcher("--certificate-oidc-issuer", issuer, issuer_pattern, PatternKind.ISSUER),
    )


def _matcher(option: str, exact: str | None, pattern: str | None, kind: PatternKind) -> Matcher:
    """Give what must be met; an identity without its issuer is anybody's (attack I03), an empty text nobody's (I06)."""
    if (exact is None) == (pattern is None) or not (exact or pattern):
        raise UsageError(
            "it is not clear who must have signed", expected=f"--key, or one of {option} and {option}-regexp, not empty"
        )
    return Matcher(text=exact) if exact else Matcher(text=check_pattern(pattern or "", kind), is_pattern=True)


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
