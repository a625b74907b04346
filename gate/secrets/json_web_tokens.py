"""JSON Web Tokens: what they say of themselves, and whether one is a sample that everybody can make.

Nothing is verified but a few keys that documentation prints. Specification: RFC 7519, RFC 7515.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final

from gate.secrets.encoded import decoded

_LONG_AGO: Final = 1_735_689_600  # 2025-01-01
# Keys that documentation signs its samples with: whoever reads it can make the token, and every other one.
_SAMPLE_KEYS: Final = (
    b"secret", b"your-256-bit-secret", b"a-string-secret-at-least-256-bits-long", b"key", b"password", b"shhhhh", b"my$ecretK3y",
    b"your-secret-key", b"mysecret", b"test", b"AllYourBase",
)  # fmt: skip
# The signature of jwt.io's first sample: under other claims it is none, whoever checks it.
_SAMPLE_SIGNATURE: Final = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
_HASHES: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
# What the samples of libraries say.
_SAMPLE_NAMES: Final = frozenset({"foo", "bar", "some", "hello", "data", "test", "message", "a", "key", "payload"})
_SAMPLE_VALUES: Final = frozenset(
    {"foo", "bar", "baz", "payload", "world", "test", "data", "hello", "value", "b", "message", "claims"}
)
_MAX_GREETING: Final = 2


def jwt_algorithm(token: str) -> str | None:
    """Return `alg` of a JSON Web Token's header; None where the text is none."""
    algorithm = _object(token.partition(".")[0]).get("alg")
    return algorithm if isinstance(algorithm, str) else None


def jwt_is_over(token: str) -> bool:
    """Say whether a token's own end was before the year in which this was written: nobody can use it any more."""
    # No clock: the same bytes give the same findings on every day.
    end = _claims(token).get("exp")
    return isinstance(end, int | float) and end < _LONG_AGO


def jwt_is_sample(token: str) -> bool:
    """Say whether a token is one of documentation: it says a word or two, or a key that documentation prints signed it."""
    return _is_a_greeting(_claims(token)) or _has_sample_key(token)


def _is_a_greeting(claims: dict[str, Any]) -> bool:
    """Say whether all claims are words that mean nothing: `{"foo": "bar"}`. Any other claim may be a service's own."""
    return 0 < len(claims) <= _MAX_GREETING and all(
        name.lower() in _SAMPLE_NAMES and isinstance(value, str) and value.lower() in _SAMPLE_VALUES
        for name, value in claims.items()
    )


def _has_sample_key(token: str) -> bool:
    signed, _, signature = token.rpartition(".")
    if signature == _SAMPLE_SIGNATURE:
        return True
    algorithm = _HASHES.get(jwt_algorithm(token) or "")
    given = decoded(signature)
    return algorithm is not None and any(
        hmac.compare_digest(hmac.new(key, signed.encode("latin-1"), algorithm).digest(), given) for key in _SAMPLE_KEYS
    )


def _claims(token: str) -> dict[str, Any]:
    return _object(token.split(".")[1]) if token.count(".") >= 2 else {}


def _object(part: str) -> dict[str, Any]:
    text = decoded(part)
    try:
        parsed = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
