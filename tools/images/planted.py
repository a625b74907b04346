"""Made-up secrets with right form and checksum, computed when an image is built, so that none is ever stored.

They are the same for the same label. Nobody issued them; nothing can be opened with them.
Checksums: GitHub's token format (CRC32 of the random part in base62, as CredSweeper's filter checks it).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_AWS_ID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def github_token(label: str) -> str:
    """Return a classic personal access token: 30 random characters and 6 of checksum."""
    body = _text(f"github {label}", _BASE62, 30)
    number, checksum = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        checksum = _BASE62[digit] + checksum
    return "gh" + "p_" + body + checksum


def aws_pair(label: str) -> tuple[str, str]:
    """Return an access key id and the secret key that belongs to it."""
    return "AK" + "IA" + _text(f"aws id {label}", _AWS_ID, 16), _text(f"aws key {label}", _BASE64, 40)


def dotenv(label: str) -> str:
    """Return an environment file with a token and a pair of keys."""
    key_id, key = aws_pair(label)
    return f"GITHUB_TOKEN={github_token(label)}\nAWS_ACCESS_KEY_ID={key_id}\nAWS_SECRET_ACCESS_KEY={key}\n"


def _text(seed: str, alphabet: str, length: int) -> str:
    # Bytes over the last full multiple are skipped, so that each character is as likely as the next.
    limit = 256 - 256 % len(alphabet)
    found = (alphabet[byte % len(alphabet)] for byte in _stream(seed) if byte < limit)
    return "".join(next(found) for _ in range(length))


def _stream(seed: str) -> Iterator[int]:
    counter = 0
    while True:
        yield from hashlib.sha256(f"supply-chain-gate demonstration {seed} {counter}".encode()).digest()
        counter += 1
