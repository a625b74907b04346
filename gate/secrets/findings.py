"""From what was found to what may be known of it: hits become findings without their value, under a keyed fingerprint.

A plain hash of a short password is the password; under a key that stays with the installation, or with an organisation that
shares it, it is not. Specification: checks reference, section 8.7; attack X10.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from gate.errors import InternalError
from gate.model.finding import SecretFinding, SecretPlace
from gate.secrets.hit import Hit

# As long as half the digest: a shorter key could be guessed together with a short password.
MIN_KEY_BYTES: Final = 16
# A path has at most 4,096 bytes, a name in it 255.
_MAX_NAME: Final = 4096
_FINGERPRINT_DIGITS: Final = 16
_KEY_ID: Final = b"gate: the id of a fingerprint key"
# `root` as a password would take every path below /root out of sight, and tell by the gap what the password is.
_WORD = re.compile(r"[A-Za-z]{0,10}", re.ASCII)
_NAME = re.compile(r"[\w./@:\[\] -]{1,200}", re.ASCII)


class Fingerprints:
    """Fingerprints under one key."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise InternalError("the key of fingerprints is too short", expected=f"at least {MIN_KEY_BYTES} bytes")
        self._key = key
        self.key_id = self._digits(_KEY_ID)

    def of(self, value: bytes) -> str:
        """Return the fingerprint of a secret: 16 hexadecimal digits of HMAC-SHA-256."""
        return self._digits(value)

    def _digits(self, value: bytes) -> str:
        return hmac.new(self._key, value, hashlib.sha256).hexdigest()[:_FINGERPRINT_DIGITS]


class Mask:
    """Takes every secret that was found out of names: a file can be named by the secret that stands in another."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        values = {hit.value.decode("latin-1") for hit in hits if len(hit.value) <= _MAX_NAME}
        values = {value for value in values if not _WORD.fullmatch(value)}
        # Longer ones first: a value can be a part of another.
        self._values = tuple(sorted(values, key=lambda value: (-len(value), value)))

    def of(self, text: str) -> str:
        """Return a text without secrets."""
        for value in self._values:
            if value in text:
                text = text.replace(value, "***")
        return text


def finding_of(hit: Hit, fingerprints: Fingerprints, place: SecretPlace, location: str, mask: Mask) -> SecretFinding:
    """Return the finding; `location` and the chain are the author's words, and no secret stands in them behind the mask."""
    key_path = mask.of(hit.key_path)
    return SecretFinding(
        rule=hit.rule,
        title=hit.title,
        place=place,
        location=mask.of(location),
        fingerprint=fingerprints.of(hit.value),
        severity=hit.severity,
        line=hit.line,
        offset=hit.offset,
        chain=tuple(map(mask.of, hit.where.chain)),
        key_path=key_path if _NAME.fullmatch(key_path) and key_path == hit.key_path else "",
        prefix=hit.prefix,
        confidence=hit.confidence,
        file_digest=hit.file_digest,
    )
