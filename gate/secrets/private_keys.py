"""Whether the text of a PEM block is a private key: by its DER, not by its header, which libraries hold as a constant.

Reads the outer structure only and computes with nothing. Specification: RFC 7468, 8017, 5958, 5915; PROTOCOL.key of OpenSSH;
of OpenPGP its own module.
"""

from __future__ import annotations

from typing import Final

from gate.secrets.encoded import decoded
from gate.secrets.openpgp_keys import openpgp_key_kind
from gate.secrets.pem_bodies import pem_bodies

_OPENSSH: Final = b"openssh-key-v1\0"
_MIN_BODY: Final = 40
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04


def private_key_kind(text: str) -> str | None:
    """Say which kind of private key a PEM block (or its body alone) holds: `plain`, `encrypted`; None where it holds none."""
    if "PGP PRIVATE KEY" in text:
        return openpgp_key_kind(pem_bodies(text))
    is_locked = "Proc-Type:" in text and "ENCRYPTED" in text
    for body in pem_bodies(text):
        data = decoded(body)
        if data.startswith(_OPENSSH):
            return "plain" if data[len(_OPENSSH) :].startswith(b"\0\0\0\x04none") else "encrypted"
        # The body is no DER then; the names of its headers went through the filter of lines, and shift it.
        if is_locked and len(body) >= _MIN_BODY:
            return "encrypted"
        kind = der_key_kind(data) if len(data) >= _MIN_BODY else None
        if kind is not None:
            return kind
    return None


def der_key_kind(data: bytes) -> str | None:
    """Say which kind of private key DER is, all of it: `plain`, `encrypted`; None where it is none."""
    outer = _element(data, 0)
    if outer is None or outer[0] != _SEQUENCE or outer[2] != len(data):
        return None
    first = _element(data, outer[1])
    if first is None:
        return None
    second = _element(data, first[2])
    if second is None:
        return None
    if first[0] == _SEQUENCE:
        # EncryptedPrivateKeyInfo: an algorithm, then octets; a public key has a bit string there.
        return "encrypted" if second[0] == _OCTETS else None
    if first[0] != _INTEGER or first[2] - first[1] != 1:
        return None
    # PKCS #1 and DSA go on with an integer, PKCS #8 with an algorithm, SEC 1 with octets.
    return "plain" if second[0] in {_INTEGER, _SEQUENCE, _OCTETS} else None


def _element(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return tag, start and end of the content; None where it does not fit."""
    if at + 2 > len(data):
        return None
    tag, size, start = data[at], data[at + 1], at + 2
    if size >= 0x80:
        width = size & 0x7F
        if not 1 <= width <= 4:
            return None
        size, start = int.from_bytes(data[start : start + width], "big"), start + width
    return (tag, start, start + size) if start + size <= len(data) else None
