"""PEM blocks for examples: right in form, of random numbers, and keys to nothing."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping
from typing import Final

_RSA_OID: Final = bytes.fromhex("06092a864886f70d0101010500")
_PBES2_OID: Final = bytes.fromhex("06092a864886f70d01050d")
_LINE: Final = 64


def pem_example(kind: str, source: random.Random) -> str:
    """Return a PEM block of a kind.

    Raises:
        ValueError: there is no such kind.
    """
    maker = _KINDS.get(kind)
    if maker is None:
        raise ValueError(f"a PEM block is one of {', '.join(_KINDS)}")
    label, body = maker(source)
    text = base64.b64encode(body).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def _number(source: random.Random, size: int) -> bytes:
    return _der(0x02, bytes([source.randrange(1, 0x80)]) + source.randbytes(size - 1))


def _rsa_body(source: random.Random) -> bytes:
    version, exponent = b"\x02\x01\x00", b"\x02\x03\x01\x00\x01"
    halves = b"".join(_number(source, 128) for _ in range(5))
    return _der(0x30, version, _number(source, 256), exponent, _number(source, 256), halves)


def _rsa(source: random.Random) -> tuple[str, bytes]:
    return "RSA PRIVATE KEY", _rsa_body(source)


def _ec(source: random.Random) -> tuple[str, bytes]:
    curve = _der(0xA0, bytes.fromhex("06082a8648ce3d030107"))
    return "EC PRIVATE KEY", _der(0x30, b"\x02\x01\x01", _der(0x04, source.randbytes(32)), curve)


def _pkcs8(source: random.Random) -> tuple[str, bytes]:
    body = _der(0x30, b"\x02\x01\x00", _der(0x30, _RSA_OID), _der(0x04, _rsa_body(source)))
    return "PRIVATE KEY", body


def _encrypted(source: random.Random) -> tuple[str, bytes]:
    return "ENCRYPTED PRIVATE KEY", _der(0x30, _der(0x30, _PBES2_OID), _der(0x04, source.randbytes(1200)))


def _openssh(source: random.Random) -> tuple[str, bytes]:
    none = b"\0\0\0\x04none"
    body = b"openssh-key-v1\0" + none + none + bytes(4) + b"\0\0\0\x01\0\0\0\x33" + source.randbytes(0x33)
    return "OPENSSH PRIVATE KEY", body + b"\0\0\0\x88" + source.randbytes(0x88)


def _certificate(source: random.Random) -> tuple[str, bytes]:
    return "CERTIFICATE", _der(0x30, _der(0x30, source.randbytes(400)), _der(0x03, source.randbytes(257)))


def _public(source: random.Random) -> tuple[str, bytes]:
    return "PUBLIC KEY", _der(0x30, _der(0x30, _RSA_OID), _der(0x03, source.randbytes(270)))


_KINDS: Final[Mapping[str, Callable[[random.Random], tuple[str, bytes]]]] = {
    "rsa": _rsa,
    "ec": _ec,
    "pkcs8": _pkcs8,
    "encrypted": _encrypted,
    "openssh": _openssh,
    "certificate": _certificate,
    "public": _public,
}
