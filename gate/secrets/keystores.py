"""Private keys in Java keystores, PKCS #12 files and DER, and whether an empty or well-known password opens them.

Key derivation is work that the file's author chooses: it is done only where all of its counts are small (attack L14).
Specification: RFC 7292; the JKS format of `sun.security.provider.JavaKeyStore`.
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
from collections.abc import Iterator
from typing import Final

from gate.secrets.budget import cannot_open
from gate.secrets.container import Opened, SeekableBody
from gate.secrets.hit import Where
from gate.secrets.private_keys import der_key_kind

_PASSWORDS: Final = (
    "",
    "changeit",
    "changeme",
    "password",
    "secret",
    "keystore",
    "123456",
    "notasecret",
    "test",
    "admin",
)
_MAX_BYTES: Final = 16 * 1024 * 1024
# An RSA key of 16,384 bits has 9 KiB.
_MAX_KEY_BYTES: Final = 16 * 1024
_MAX_ITERATIONS: Final = 60_000
_JKS_SALT: Final = b"Mighty Aphrodite"
_DIGEST_BYTES: Final = 20
_PRIVATE_KEY, _CERTIFICATE, _SECRET_KEY = 1, 2, 3
_KEY_BAGS: Final = (bytes.fromhex("060b2a864886f70d010c0a0101"), bytes.fromhex("060b2a864886f70d010c0a0102"))
_SEQUENCE, _OCTETS, _INTEGER = 0x30, 0x04, 0x02
_MAX_ELEMENTS: Final = 20_000


def open_java_keystore(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Note a private or secret key of a JKS or JCEKS keystore; one of certificates alone is none."""
    data = _whole(body)
    if not _has_java_key(data):
        return
    # JKS ends with a digest over password and content; JCEKS does the same.
    signed, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    is_known = any(hmac.compare_digest(_jks_digest(word, signed), digest) for word in _PASSWORDS)
    opened.key(where, "java-keystore", locked=not is_known, value=data)


def _jks_digest(password: str, signed: bytes) -> bytes:
    return hashlib.sha1(password.encode("utf-16-be") + _JKS_SALT + signed, usedforsecurity=False).digest()


def _has_java_key(data: bytes) -> bool:
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    at = 12
    for _ in range(min(count, _MAX_ELEMENTS)):
        tag = int.from_bytes(data[at : at + 4], "big")
        if tag in {_PRIVATE_KEY, _SECRET_KEY}:
            return True
        if tag != _CERTIFICATE or at >= len(data):
            raise cannot_open("the Java keystore is damaged")
        alias = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + alias + 8
        if version == 2:
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return False


def open_pkcs12(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Note a private key of a PKCS #12 file, which may stand in clear or under a password."""
    data = _whole(body)
    has_bag = any(bag in data for bag in _KEY_BAGS)
    if max(_counts(data), default=0) > _MAX_ITERATIONS:
        if has_bag:
            opened.key(where, "pkcs12-key", locked=True, value=data)
        else:
            opened.unopened(where, "a PKCS #12 file asks for too much work")
        return
    found = _loaded(data)
    if found or has_bag:
        opened.key(where, "pkcs12-key", locked=not found, value=data)
    elif found is None:
        opened.unopened(where, "a PKCS #12 file is encrypted")


def open_der_key(body: SeekableBody, where: Where, opened: Opened) -> None:
    """Note a private key that is a file of its own, without armour; anything else that only begins like one is none."""
    body.seek(0)
    data = body.read(_MAX_KEY_BYTES + 1)
    if der_key_kind(data) == "plain":
        opened.key(where, "der-private-key", locked=False, value=data)


def _loaded(data: bytes) -> bool | None:
    """Say whether a known password shows a private key; None where none opens the file."""
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415 - needed where such a file is met

    for word in (None, *_PASSWORDS):
        try:
            with warnings.catch_warnings():
                # What the library thinks of certificates in it is not asked.
                warnings.simplefilter("ignore")
                key, _, _ = pkcs12.load_key_and_certificates(data, word.encode() if word is not None else None)
        except (ValueError, TypeError):
            continue
        return key is not None
    return None


def _counts(data: bytes) -> Iterator[int]:
    """Yield the numbers that follow octets in a sequence of DER: salt and iterations, wherever they stand."""
    stack, left = [(0, len(data))], _MAX_ELEMENTS
    while stack and left:
        at, end = stack.pop()
        before = 0
        while at + 2 <= end and left:
            left -= 1
            tag, size, start = data[at], data[at + 1], at + 2
            if size & 0x80:
                width = size & 0x7F
                size, start = int.from_bytes(data[start : start + width], "big"), start + width
                # Indefinite length of BER: what follows is read as part of it.
                size = size if width else end - start
            if start + size > end:
                break
            if tag == _INTEGER and before == _OCTETS and size <= 8:
                yield int.from_bytes(data[start : start + size], "big")
            if tag & 0x20 or (tag == _OCTETS and size > 2 and data[start] == _SEQUENCE):
                stack.append((start, start + size))
            before, at = tag, start + size
    if not left:
        yield _MAX_ITERATIONS + 1


def _whole(body: SeekableBody) -> bytes:
    body.seek(0)
    data = body.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise cannot_open("a keystore is larger than 16 MiB")
    return data
