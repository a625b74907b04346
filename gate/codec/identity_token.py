"""OIDC identity tokens, read as far as a signer must: for whom, until when, whom they name. Their signature is not checked.

The services that take a token verify it; here it is only refused early what they would refuse, with a message that says why.
No message holds a token or a part of it.

Specification: RFC 7519, sections 3 and 4.1; OpenID Connect Core 1.0, section 2.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Final

from gate.codec.strict_json import Fault, ObjectView, parse_object, printable
from gate.errors import KeyFileError
from gate.model.signing import IdentityToken

MAX_TOKEN_BYTES: Final = 32 * 1024
_FAULT: Final = Fault(KeyFileError, "KEY_TOKEN", "the identity token")
# Header, claims, signature: each in base64url without padding (RFC 7515, section 7.1).
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+", re.ASCII)


def parse_identity_token(text: str) -> IdentityToken:
    """Read what a token claims.

    Raises:
        KeyFileError: `KEY_TOKEN`.
    """
    match = _COMPACT.fullmatch(text) if len(text) <= MAX_TOKEN_BYTES else None
    if match is None:
        raise _FAULT.refuse("is not a signed JSON web token", expected="three parts with dots between them")
    try:
        claims = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))
    except binascii.Error as error:
        raise _FAULT.refuse("is not a signed JSON web token", expected="base64url") from error
    view = parse_object(claims, _FAULT, limit_bytes=MAX_TOKEN_BYTES)
    return IdentityToken(
        text=text,
        issuer=view.text("iss"),
        name=printable(view.optional_text("email") or view.text("sub")),
        audiences=_audiences(view),
        expires=_moment(view, "exp"),
    )


def _audiences(view: ObjectView) -> frozenset[str]:
    """Return for whom the token is: one name or a list of them."""
    value = view.fields.get("aud")
    return frozenset({value}) if isinstance(value, str) else frozenset(view.texts("aud"))


def _moment(view: ObjectView, claim: str) -> datetime:
    """Read seconds since 1970; a token that lives beyond the year 3000 is none."""
    seconds = view.integer(claim)
    if seconds > 32_503_680_000:
        raise view.refuse(claim, "is no moment", expected="seconds since 1970")
    return datetime.fromtimestamp(seconds, UTC)
