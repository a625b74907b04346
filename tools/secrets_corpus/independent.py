"""Values of the measured part: made by code that shares nothing with `gate.secrets`, and by real programs where there are any.

Keys come from `openssl` and `ssh-keygen`; checksums are computed as their vendors publish it: GitHub and npm (github.blog,
"Behind GitHub's new authentication token formats"), Grafana (`pkg/components/satokengen`), Bech32 (BIP 173). What a rule and its
examples both have wrong is found here. The real programs know no seed, so that these bytes differ from run to run.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
import string
import struct
import subprocess
import tempfile
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_TEMPLATE = re.compile(r"\{\{([a-zA-Z0-9-]+)((?::[^{}]*)?)\}\}")
_ALPHABETS: Final[Mapping[str, str]] = {
    "hex": string.digits + "abcdef",
    "HEX": string.digits + "ABCDEF",
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "alnum": string.ascii_letters + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "word": string.ascii_letters + string.digits + "_",
}
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_OPENSSL: Final[Mapping[str, tuple[str, ...]]] = {
    "rsa": ("genrsa", "-traditional", "2048"),
    "pkcs8": ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ec": ("ecparam", "-genkey", "-noout", "-name", "prime256v1"),
}


class IndependentMaker:
    """Fill the templates of kinds in; what is random by itself follows the seed, what a program makes does not."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same in each run, and no keys

    def fill(self, template: str) -> str:
        """Return the template with each of its places filled in."""
        return _TEMPLATE.sub(self._value, template)

    def _value(self, found: re.Match[str]) -> str:
        kind, arguments = found[1], found[2][1:]
        if kind in _ALPHABETS:
            return self._of(_ALPHABETS[kind], arguments)
        return _MAKERS[kind](self, arguments)

    def _of(self, alphabet: str, count: str) -> str:
        low, _, high = count.partition("-")
        size = self._random.randint(int(low), int(high or low))
        return "".join(self._random.choices(alphabet, k=size))

    def github(self, count: str) -> str:
        """Return random characters and their CRC-32 in base 62, six digits."""
        body = self._of(_ALPHABETS["alnum"], count)
        digits, number = "", zlib.crc32(body.encode())
        alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
        for _ in range(6):
            number, digit = divmod(number, 62)
            digits = alphabet[digit] + digits
        return body + digits

    def grafana(self, arguments: str) -> str:
        """Return a key as Grafana's `PrefixedKey.String` does: the checksum's lowest byte first."""
        prefix, count = arguments.rsplit(":", 1)
        key = prefix + self._of(_ALPHABETS["alnum"], count)
        return f"{key}_{struct.pack('<I', zlib.crc32(key.encode())).hex()}"

    def bech32(self, arguments: str) -> str:
        """Return random bytes as Bech32."""
        prefix, count = arguments.rsplit(":", 1)
        data, bits = list(self._random.randbytes(int(count))), "".join
        stream = bits(f"{byte:08b}" for byte in data)
        stream += "0" * (-len(stream) % 5)
        groups = [int(stream[at : at + 5], 2) for at in range(0, len(stream), 5)]
        lower = prefix.lower()
        expanded = [ord(one) >> 5 for one in lower] + [0] + [ord(one) & 31 for one in lower]
        state = _polymod([*expanded, *groups, 0, 0, 0, 0, 0, 0]) ^ 1
        text = f"{lower}1" + "".join(_BECH32[one] for one in [*groups, *(state >> 5 * (5 - i) & 31 for i in range(6))])
        return text.upper() if prefix.isupper() else text

    def jwt(self, arguments: str) -> str:
        """Return a token that is signed under a random key."""
        parts = [
            json.dumps({"alg": arguments or "HS256", "typ": "JWT"}),
            json.dumps({"sub": str(uuid.UUID(bytes=self._random.randbytes(16))), "iat": 1_760_000_000, "iss": "shop"}),
        ]
        signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        digest = hmac.new(self._random.randbytes(32), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def pem(self, kind: str) -> str:
        """Return what `openssl` and `ssh-keygen` make."""
        if kind == "openssh":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "key"
                _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci", "-f", str(path))
                return path.read_text("ascii").strip()
        key = _run("openssl", *_OPENSSL.get(kind, _OPENSSL["pkcs8"]))
        if kind == "public":
            key = _run("openssl", "pkey", "-pubout", given=key)
        if kind == "certificate":
            key = _run("openssl", "req", "-new", "-x509", "-subj", "/CN=shop", "-key", "/dev/stdin", given=key)
        return key.strip()

    def macaroon(self, location: str) -> str:
        """Return a macaroon of version 2 (libmacaroons `doc/format.txt`)."""
        fields = b"".join(
            bytes([tag, len(text)]) + text for tag, text in ((1, location.encode()), (2, self._random.randbytes(50)))
        )
        packet = b"\x02" + fields + b"\0\0\x06\x20" + self._random.randbytes(32)
        return base64.urlsafe_b64encode(packet).rstrip(b"=").decode()

    def of_set(self, arguments: str) -> str:
        """Return characters of a set."""
        characters, count = arguments.rsplit(":", 1)
        return self._of(characters, count)

    def repeated(self, arguments: str) -> str:
        """Return a text so many times."""
        text, count = arguments.rsplit(":", 1)
        return text * int(count)

    def bytes64(self, count: str) -> str:
        """Return random bytes in base64, as `openssl rand -base64` does."""
        return base64.b64encode(self._random.randbytes(int(count))).decode()

    def a_uuid(self, _: str) -> str:
        """Return a UUID of version 4."""
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def aws(self, _: str) -> str:
        """Return a secret key of AWS: base64 of 30 random bytes."""
        return base64.b64encode(self._random.randbytes(30)).decode()


def _run(*command: str, given: str = "") -> str:
    done = subprocess.run(command, check=True, capture_output=True, input=given, text=True)
    return done.stdout


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


_MAKERS: Final[Mapping[str, Callable[[IndependentMaker, str], str]]] = {
    "base62-crc32": IndependentMaker.github,
    "hex-crc32": IndependentMaker.grafana,
    "bech32": IndependentMaker.bech32,
    "jwt": IndependentMaker.jwt,
    "pem": IndependentMaker.pem,
    "macaroon": IndependentMaker.macaroon,
    "set": IndependentMaker.of_set,
    "repeat": IndependentMaker.repeated,
    "bytes64": IndependentMaker.bytes64,
    "uuid": IndependentMaker.a_uuid,
    "aws-secret": IndependentMaker.aws,
    "base64of": lambda _, text: base64.b64encode(text.encode()).decode(),
    "nl": lambda _maker, _arguments: "\n",
}
