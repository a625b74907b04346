"""The options that say which identity must have signed, in Cosign's words, for every command that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from gate.cli.common import with_options
from gate.cli.types import PLACE
from gate.errors import UsageError

if TYPE_CHECKING:
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
trusted_root_option: Final = click.option(
    "--trusted-root",
    type=PLACE,
    envvar="GATE_TRUSTED_ROOT",
    help="Trust what this trusted_root.json names, not the public instance.",
)


def demanded_identity(
    identity: str | None, identity_pattern: str | None, issuer: str | None, issuer_pattern: str | None
) -> Identity | None:
    """Give the identity that the options name; None where none of them is given.

    Raises:
        UsageError: an identity without its issuer (attack I03), an empty text (I06), or both forms of one.
        PolicyError: `POL_REGEX`.
    """
    if all(text is None for text in (identity, identity_pattern, issuer, issuer_pattern)):
        return None
    _expect_one(_SUBJECT, identity, identity_pattern)
    _expect_one(_ISSUER, issuer, issuer_pattern)
    # Imported where an identity is demanded: keys need no patterns.
    from gate.codec.identity_patterns import PatternKind, check_pattern  # noqa: PLC0415
    from gate.model.identity import Identity, Matcher  # noqa: PLC0415

    def matcher(exact: str | None, pattern: str | None, kind: PatternKind) -> Matcher:
        return Matcher(text=exact) if exact else Matcher(text=check_pattern(pattern or "", kind), is_pattern=True)

    return Identity(
        subject=matcher(identity, identity_pattern, PatternKind.SUBJECT),
        issuer=matcher(issuer, issuer_pattern, PatternKind.ISSUER),
    )


def _expect_one(option: str, exact: str | None, pattern: str | None) -> None:
    if (exact is None) == (pattern is None) or not (exact or pattern):
        raise UsageError(
            "it is not clear who must have signed", expected=f"one of {option} and {option}-regexp, not empty"
        )
