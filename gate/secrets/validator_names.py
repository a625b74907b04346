"""The names of the validators that a rule can ask for, and what each takes; `gate.secrets.judging` does what they say.

Apart from them, so that reading a rule file loads none of what they need.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Parameter(StrEnum):
    """What a validator takes."""

    NONE = "nothing"
    NUMBER = "a number"
    COUNT = "a whole number"
    TEXT = "a text"
    PATTERN = "a pattern"


PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        # Checksums and structure.
        "base62-crc32": Parameter.NONE,
        "hex-crc32": Parameter.NONE,
        "bech32": Parameter.NONE,
        "base58-check": Parameter.NONE,
        "base36-crc32": Parameter.NONE,
        "jwt": Parameter.NONE,
        "private-key": Parameter.NONE,
        "service-account": Parameter.NONE,
        "aws-pair": Parameter.NONE,
        "aws-secret": Parameter.NONE,
        "url-password": Parameter.NONE,
        "real-user": Parameter.NONE,
        "basic-auth": Parameter.NONE,
        "crypt-hash": Parameter.NONE,
        "macaroon": Parameter.TEXT,
        "base64-bytes": Parameter.COUNT,
        "base64-starts": Parameter.TEXT,
        "base64-json": Parameter.TEXT,
        # What the characters look like.
        "entropy": Parameter.NUMBER,
        "has-digit-and-letter": Parameter.NONE,
        "has-upper-lower-digit": Parameter.NONE,
        "not-words": Parameter.NONE,
        "not-hex": Parameter.NONE,
        "not-uuid": Parameter.NONE,
        "password": Parameter.NONE,
        "token": Parameter.NONE,
        # What stands near: within 512 bytes before and 256 after.
        "near": Parameter.PATTERN,
        "not-near": Parameter.PATTERN,
        # Forms that vendors give to keys without rights on live data.
        "doubtful-if": Parameter.PATTERN,
        "reject-if": Parameter.PATTERN,
    }
)
