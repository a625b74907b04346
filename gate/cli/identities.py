"""The options that say which identity must have signed, in Cosign's words, for every command that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from gate.cli.common import with_options
from gate.cli.types import PLACE
from gate.errors import UsageError
from gate.model.evidence_demand import EvidenceDemand

if TYPE_CHECKING:
    from pathlib import Path

    from gate.model.identity import Identity

_SUBJECT, _ISSUER = "--certificate-identity", "--certificate-oidc-issuer"
identity_options: Final = with_options(
    click.option(
        _SUBJECT,
        "identity",
        envvar="GATE_CERTIFICATE_IDENTITY",
        help="The subject that the certificate must name, exactly.",
    ),
    click.option(
        f"{_SUBJECT}-regexp",
        "identity_pattern",
        envvar="GATE_CERTIFICATE_IDENTITY_REGEXP",
        help="A pattern that the whole subject must fit.",
    ),
    click.option(
        _ISSUER,
        "issuer",
        envvar="GATE_CERTIFICATE_OIDC_ISSUER",
        help="The issuer that the certificate must name, exactly.",
    ),
    click.option(
        f"{_ISSUER}-regexp",
        "issuer_pattern",
        envvar="GATE_CERTIFICATE_OIDC_ISSUER_REGEXP",
        help="A pattern that the whole issuer must fit.",
    ),
)
trusted_root_option: Final = with_options(
    click.option(
        "--trusted-root",
        type=PLACE,
        envvar="GATE_TRUSTED_ROOT",
        help="Trust what this trusted_root.json names, not the public instance.",
    ),
    click.option(
        "--log",
        type=click.IntRange(0, 8),
        envvar="GATE_LOG",
        help="Distinct logs of --trusted-root that must vouch for an identity; 0 where it has none.  [default: 1]",
    ),
    click.option(
        "--timestamps",
        type=click.IntRange(0, 8),
        envvar="GATE_TIMESTAMPS",
        help="Distinct timestamp authorities of --trusted-root that must vouch for an identity.  [default: 0]",
    ),
    click.option(
        "--no-sct", is_flag=True, envvar="GATE_NO_SCT", help="The instance of --trusted-root logs no certificates."
    ),
)


def demanded_identity(
    identity: str | None, identity_pattern: str | None, issuer: str | None, issuer_pattern: str | None
) -> Identity | None:
    """Return the identity that the options name; None where none of them is given.

    Raises:
        UsageError: an identity without its issuer (attack I03), an empty text (I06), or both forms of one.
        PolicyError: `POL_REGEX`.
    """
    if all(text is None for text in (identity, identity_pattern, issuer, issuer_pattern)):
        return None
    _expect_one(_SUBJECT, identity, identity_pattern)
    _expect_one(_ISSUER, issuer, issuer_pattern)
    # Imported where an identity is demanded: keys need no patterns.
    from gate.codec.identity_patterns import PatternKind, require_pattern  # noqa: PLC0415
    from gate.model.identity import Identity, Matcher  # noqa: PLC0415

    def matcher(exact: str | None, pattern: str | None, kind: PatternKind) -> Matcher:
        return Matcher(text=exact) if exact else Matcher(text=require_pattern(pattern or "", kind), is_pattern=True)

    return Identity(
        subject=matcher(identity, identity_pattern, PatternKind.SUBJECT),
        issuer=matcher(issuer, issuer_pattern, PatternKind.ISSUER),
    )


def root_demand(
    trusted_root: Path | None, log: int | None, timestamps: int | None, *, no_sct: bool
) -> EvidenceDemand | None:
    """Return what must stand beside an identity's signature under a given root; None where the options say nothing.

    Raises:
        UsageError: nothing would say when a certificate was used, or the options are given for the public instance, whose
            demands nothing loosens.
    """
    if log is None and timestamps is None and not no_sct:
        return None
    if trusted_root is None:
        raise UsageError("--log, --timestamps and --no-sct are about a given root", expected="--trusted-root FILE")
    logs, stamps = 1 if log is None else log, timestamps or 0
    if logs + stamps == 0:
        raise UsageError(
            "nothing would say when a certificate was used", expected="--log or --timestamps of at least 1"
        )
    return EvidenceDemand(logs=logs, timestamps=stamps, sct=not no_sct)


def _expect_one(option: str, exact: str | None, pattern: str | None) -> None:
    if (exact is None) == (pattern is None) or not (exact or pattern):
        raise UsageError(
            "it is not clear who must have signed", expected=f"one of {option} and {option}-regexp, not empty"
        )
