"""Whether an armoured OpenPGP block holds a secret key: by its first packet, not by its header, a constant of libraries.

Reads the fields before the secret part only, and computes with nothing. Specification: RFC 9580, sections 4.2, 5.5 and 9.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gate.secrets.encoded import decoded

_SECRET_KEY: Final = 5
_VERSIONS: Final = frozenset({3, 4, 5, 6})
_SUMMED: Final = frozenset({4})
_FOLLOWING: Final = frozenset({2, 7, 13, 17})
_MAX_PACKET: Final = 1 << 16
# How many numbers of the public part stand before the secret one: RSA, Elgamal, DSA; then those on a named curve.
_NUMBERS: Final = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4}
_CURVES: Final = frozenset({18, 19, 22})
_ECDH: Final = 18
# X25519, X448, Ed25519, Ed448: bytes of a public key.
_FIXED: Final = {25: 32, 26: 56, 27: 32, 28: 57}
# The first letter of base64 of a secret key's packet, in the old and the new form of its head.
_BEGIN: Final = re.compile("l[A-P]|l[Q-Za-f]|x[Q-Za-f]")
_MAX_BEGINS: Final = 40
_HEAD_LETTERS: Final = 400
_CREATION_BYTES: Final = 4
_OPEN: Final = 0
_LOCKED: Final = frozenset({253, 254, 255})


def openpgp_key_kind(bodies: Iterator[str]) -> str | None:
    """Say which kind of secret key the letters of an armoured block hold: `plain`, `encrypted`; None where they hold none.

    Each body is a reading of the letters; one in which the packet is whole and followed by another is the right one.
    """
    kinds = []
    for body in bodies:
        # Words of the armour's own header may stand before the packet.
        for found, _ in zip(_BEGIN.finditer(body, 0, _HEAD_LETTERS), range(_MAX_BEGINS), strict=False):
            letters = body[found.start() :].partition("=")[0]
            data = decoded(letters[: len(letters) // 4 * 4])
            start, size = _secret_key(data)
            kind = _of_fields(data[start : start + size])
            if kind is not None and _is_whole(data, start + size) and _adds_up(data[start : start + size], kind):
                return kind
            kinds.append(kind)
    return next(filter(None, kinds), None)


def _is_whole(data: bytes, end: int) -> bool:
    """Say whether a packet ends with the data, or where one begins that may follow a key: a signature, a subkey, a user."""
    head = data[end] if end < len(data) else 0
    tag = head & 0x3F if head & 0x40 else head >> 2 & 0x0F
    return end == len(data) or (bool(head & 0x80) and tag in _FOLLOWING)


def _adds_up(fields: bytes, kind: str) -> bool:
    """Say whether an open key of version 4 ends with the sum of its secret part, which letters too many would change."""
    if kind != "plain" or fields[0] not in _SUMMED:
        return True
    end = _end_of_public(fields, 2 + _CREATION_BYTES, fields[1 + _CREATION_BYTES], fields[0])
    return sum(fields[end + 1 : -2]) & 0xFFFF == int.from_bytes(fields[-2:], "big")


def _of_fields(fields: bytes) -> str | None:
    if not fields or fields[0] not in _VERSIONS:
        return None
    version = fields[0]
    at = 1 + _CREATION_BYTES + (2 if version == min(_VERSIONS) else 0)
    algorithm = fields[at] if at < len(fields) else 0
    if algorithm not in _NUMBERS.keys() | _CURVES | _FIXED.keys():
        return None
    end = _end_of_public(fields, at + 1, algorithm, version)
    if end >= len(fields):
        # What is cut off says nothing of a password.
        return "plain"
    if fields[end] in _LOCKED:
        return "encrypted"
    return "plain" if fields[end] == _OPEN else None


def _secret_key(data: bytes) -> tuple[int, int]:
    """Return where the fields of the first packet begin, and how many bytes they are: none if it is no secret key's."""
    if not data or not data[0] & 0x80:
        return 0, 0
    if data[0] & 0x40:
        tag, start = data[0] & 0x3F, 1
        size, start = _new_length(data, start)
    else:
        tag, width = data[0] >> 2 & 0x0F, 1 << (data[0] & 3)
        size, start = int.from_bytes(data[1 : 1 + width], "big"), 1 + width
    return (start, size) if tag == _SECRET_KEY and size < _MAX_PACKET else (0, 0)


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at] if at < len(data) else 0
    if first < 192:  # RFC 9580, section 4.2.1
        return first, at + 1
    if first < 224:
        return (first - 192 << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5


def _end_of_public(fields: bytes, at: int, algorithm: int, version: int) -> int:
    if version > 4:  # from 5 on the length of the public part stands before it
        return at + 4 + int.from_bytes(fields[at : at + 4], "big")
    if algorithm in _FIXED:
        return at + _FIXED[algorithm]
    numbers = _NUMBERS.get(algorithm, 1)
    if algorithm in _CURVES:
        at += 1 + (fields[at] if at < len(fields) else 0)
    for _ in range(numbers):
        at += 2 + (int.from_bytes(fields[at : at + 2], "big") + 7) // 8
    if algorithm == _ECDH:
        at += 1 + (fields[at] if at < len(fields) else 0)
    return at
