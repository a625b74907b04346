"""Where identity tokens come from: a file, `SIGSTORE_ID_TOKEN`, or the CI system that this runs in.

A CI system that is there and gives no token is an error, never a reason to sign in another way or not at all. Nobody is ever
asked to log in: a gate runs where nobody sits. The package that knows the CI systems reads the environment itself.

Specification: the `id` package (GitHub, GitLab, Google Cloud, Buildkite, CircleCI); sigstore `docs/oidc-usage.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.codec.identity_token import MAX_TOKEN_BYTES, parse_identity_token
from gate.codec.strict_json import printable
from gate.disk.named import read_named
from gate.errors import KeyFileError

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.signing import IdentityToken

AUDIENCE: Final = "sigstore"
# A certificate must still be asked for with it, over a network.
_MARGIN: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """Where tokens come from: the file if one is named, `text` if it is set, else the CI system.

    Each asking gives a new token where the source has them.
    """

    file: Path | None = None
    text: str = field(default="", repr=False)
    audience: str = AUDIENCE

    def obtain(self, now: datetime) -> IdentityToken:
        """Return a token that Sigstore will take at this moment.

        Raises:
            KeyFileError: `KEY_TOKEN`.
        """
        token = parse_identity_token(self._read())
        if self.audience not in token.audiences:
            raise KeyFileError(
                "the identity token is for another service",
                code="KEY_TOKEN",
                expected=f"the audience {self.audience}",
                seen=printable(", ".join(sorted(token.audiences))) or "no audience",
            )
        if token.expires < now + _MARGIN:
            raise KeyFileError(
                "the identity token has ended", code="KEY_TOKEN", expected=f"an end after {now:%H:%M:%S} UTC",
                seen=f"{token.expires:%Y-%m-%d %H:%M:%S} UTC",
            )  # fmt: skip
        return token

    def _read(self) -> str:
        if self.file is not None:
            return _from_file(self.file)
        return self.text or _from_ci(self.audience)


def _from_file(path: Path) -> str:
    content = read_named(
        path, f"the token file {path}", limit_bytes=MAX_TOKEN_BYTES, fault=KeyFileError, code="KEY_TOKEN"
    )
    # Other bytes than ASCII are no token, and are refused as that.
    return content.decode("ascii", errors="replace").strip()


def _from_ci(audience: str) -> str:
    # Loaded by who signs keyless in CI alone.
    from id import AmbientCredentialError, detect_credential  # noqa: PLC0415

    try:
        found = detect_credential(audience)
    except AmbientCredentialError as error:
        # The package's own words hold no token, but may hold what a service answered.
        raise KeyFileError(
            "this CI system gives no identity token", code="KEY_TOKEN", seen=printable(str(error), 200)
        ) from error
    if found is None:
        raise KeyFileError(
            "there is no identity token",
            code="KEY_TOKEN",
            expected="a CI system with identity tokens, SIGSTORE_ID_TOKEN, or a token file",
        )
    return found
