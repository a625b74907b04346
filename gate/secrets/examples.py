"""Examples from templates: values with right checksums, made when they are needed, so that no look-alike is stored.

Nothing here is a credential of anybody: all of it is random under a seed. Specification: docs/secret-rules.md.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from gate.secrets.example_keys import pem_example
from gate.secrets.validators import BASE62, base36, base58_check, base62, bech32_text, hex_crc32

_TEMPLATE = re.compile(r"\{\{([a-zA-Z0-9-]+)((?::[^{}]*)?)\}\}")
_ALPHABETS: Final[Mapping[str, str]] = {
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "alnum": BASE62,
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "base64": BASE62 + "+/",
    "base64url": BASE62 + "-_",
    "word": BASE62 + "_",
    "aws": BASE62 + "+/",
}


class TemplateError(ValueError):
    """A template that names no known kind, or gives it wrong arguments."""


class ExampleMaker:
    """Fill templates in; the same seed gives the same values in the same order."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - examples must be the same in each run, and are no keys

    def fill(self, template: str) -> str:
        """Return the example.

        Raises:
            TemplateError: the template is not one of the documented kinds.
        """
        return _TEMPLATE.sub(self._value, template)

    def _value(self, found: re.Match[str]) -> str:
        kind, arguments = found[1], found[2][1:]
        try:
            if kind in _ALPHABETS and kind != "aws":
                return self._characters(_ALPHABETS[kind], self._count(arguments))
            maker = _MAKERS.get(kind)
            if maker is None:
                raise TemplateError(f"no kind of example is named {kind}")
            return maker(self, arguments)
        except (ValueError, IndexError) as error:
            raise TemplateError(f"the example {found[0]} cannot be made: {error}") from error

    def _characters(self, alphabet: str, count: int) -> str:
        """Return text that does not repeat itself, so that no short example is a placeholder by chance."""
        while True:
            text = "".join(self._random.choice(alphabet) for _ in range(count))
            if count < 6 or len(set(text)) > min(len(alphabet), count) // 3:
                return text

    def _count(self, text: str) -> int:
        low, dash, high = text.partition("-")
        return self._random.randint(int(low), int(high)) if dash else int(low)

    def _base62_crc32(self, arguments: str) -> str:
        body = self._characters(BASE62, self._count(arguments))
        return body + base62(zlib.crc32(body.encode()), 6)

    def _hex_crc32(self, arguments: str) -> str:
        prefix, count = arguments.rsplit(":", 1)
        body = prefix + self._characters(BASE62, self._count(count))
        return f"{body}_{hex_crc32(body)}"

    def _base36_crc32(self, arguments: str) -> str:
        prefix, count = arguments.rsplit(":", 1)
        payload = self._characters(_ALPHABETS["base64url"], self._count(count))
        body = f"{prefix}{payload}.01.{base36(len(payload), 2)}"
        return body + base36(zlib.crc32(body.encode()), 7)

    def _base58_check(self, arguments: str) -> str:
        version, count = arguments.rsplit(":", 1)
        return base58_check(bytes.fromhex(version) + self._random.randbytes(self._count(count)))

    def _bech32(self, arguments: str) -> str:
        prefix, count = arguments.rsplit(":", 1)
        text = bech32_text(prefix.lower(), self._random.randbytes(self._count(count)))
        return text.upper() if prefix.isupper() else text

    def _jwt(self, arguments: str) -> str:
        header = {"alg": arguments or "HS256", "typ": "JWT"}
        claims = {"sub": self._characters(string.digits, 9), "iss": "auth", "iat": 1_700_000_000}
        parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
        signature = b"" if arguments == "none" else self._random.randbytes(32)
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))

    def _pem(self, arguments: str) -> str:
        return pem_example(arguments, self._random)

    def _macaroon(self, arguments: str) -> str:
        # Version 2: version, location (1), identifier (2), end; signature (6).
        location, identifier = arguments.encode(), self._random.randbytes(40)
        fields = b"".join(bytes([tag, len(text)]) + text for tag, text in ((1, location), (2, identifier)))
        packet = b"\x02" + fields + b"\0\0\x06\x20" + self._random.randbytes(32)
        return base64.urlsafe_b64encode(packet).rstrip(b"=").decode()

    def _base64of(self, arguments: str) -> str:
        return base64.b64encode(arguments.encode()).decode()

    def _bytes64(self, arguments: str) -> str:
        return base64.b64encode(self._random.randbytes(self._count(arguments))).decode()

    def _set(self, arguments: str) -> str:
        characters, count = arguments.rsplit(":", 1)
        return self._characters(characters, self._count(count))

    def _repeat(self, arguments: str) -> str:
        text, count = arguments.rsplit(":", 1)
        return text * self._count(count)

    def _uuid(self, _: str) -> str:
        return str(UUID(bytes=self._random.randbytes(16), version=4))

    def _aws_secret(self, _: str) -> str:
        return self._characters(_ALPHABETS["aws"], 40)

    def _line_feed(self, _: str) -> str:
        return "\n"


_MAKERS: Final[Mapping[str, Callable[[ExampleMaker, str], str]]] = {
    "base62-crc32": ExampleMaker._base62_crc32,  # noqa: SLF001 - the table of this class's own methods
    "hex-crc32": ExampleMaker._hex_crc32,  # noqa: SLF001
    "base36-crc32": ExampleMaker._base36_crc32,  # noqa: SLF001
    "base58-check": ExampleMaker._base58_check,  # noqa: SLF001
    "bech32": ExampleMaker._bech32,  # noqa: SLF001
    "jwt": ExampleMaker._jwt,  # noqa: SLF001
    "pem": ExampleMaker._pem,  # noqa: SLF001
    "macaroon": ExampleMaker._macaroon,  # noqa: SLF001
    "base64of": ExampleMaker._base64of,  # noqa: SLF001
    "bytes64": ExampleMaker._bytes64,  # noqa: SLF001
    "set": ExampleMaker._set,  # noqa: SLF001
    "repeat": ExampleMaker._repeat,  # noqa: SLF001
    "uuid": ExampleMaker._uuid,  # noqa: SLF001
    "aws-secret": ExampleMaker._aws_secret,  # noqa: SLF001
    "nl": ExampleMaker._line_feed,  # noqa: SLF001
}
