"""OpenPGP: a block is a key by its packets, in every way that people write it down; the words of a library are none."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

import pytest

from gate.secrets.private_keys import private_key_kind

BEGIN, END = "-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----END PGP PRIVATE KEY BLOCK-----"
Maker = Callable[[], tuple[int, bytes, bytes]]
USER = bytes([0xB4, 5]) + b"a <b>"


def number(size_bytes: int) -> bytes:
    value = bytes([0x80 | secrets.randbelow(128)]) + secrets.token_bytes(size_bytes - 1)
    return (size_bytes * 8).to_bytes(2, "big") + value


def rsa() -> tuple[int, bytes, bytes]:
    return 1, number(256) + number(3), number(256) + number(128) * 3


def ed25519() -> tuple[int, bytes, bytes]:
    return 22, bytes([9]) + bytes.fromhex("2b06010401da470f01") + number(33), number(32)


def x25519() -> tuple[int, bytes, bytes]:
    return 25, secrets.token_bytes(32), secrets.token_bytes(32)


def packet(make: Maker, *, locked: bool = False, new: bool = False) -> bytes:
    algorithm, public, secret = make()
    end = bytes([254, 9, 3, 8]) + secrets.token_bytes(60) if locked else b"\0" + secret
    end += b"" if locked else (sum(secret) & 0xFFFF).to_bytes(2, "big")
    fields = bytes([4]) + secrets.token_bytes(4) + bytes([algorithm]) + public + end
    if new:
        return bytes([0xC5, 255]) + len(fields).to_bytes(4, "big") + fields
    return bytes([0x95]) + len(fields).to_bytes(2, "big") + fields


def armoured(data: bytes, *headers: str) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([BEGIN, *headers, "", *lines, "=aB3d", END])


# OpenPGP.js 6.3.2, `armor()`.
ARMOURER = "\n".join(
    [
        f"result.push('{BEGIN}\\n');",
        "result.push(addheader(customComment, config));",
        "result.push(encode(bodyClone));",
        "result.push('=', getCheckSum(bodyClone));",
        f"result.push('{END}\\n');",
    ]
)
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in a comment": lambda text: "\n".join(f"// {line}" for line in text.split("\n"))[3:],
    "in a block comment": lambda text: "\n".join(f" * {line}" for line in text.split("\n"))[3:],
    "in a diff": lambda text: "\n".join(f"+{line}" for line in text.split("\n"))[1:],
    "in one string": lambda text: text.replace("\n", "\\n"),
    "in joined strings": lambda text: '\\n" +\n  "'.join(text.split("\n")),
}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("make", [rsa, ed25519, x25519])
@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("new", [False, True])
def test_a_secret_key_is_known_however_it_is_written(written: str, make: Maker, locked: bool, new: bool) -> None:  # noqa: FBT001
    text = armoured(packet(make, locked=locked, new=new) + USER)
    assert private_key_kind(WRITTEN[written](text)) == ("encrypted" if locked else "plain")


def test_words_of_the_armours_header_do_not_stand_in_the_way() -> None:
    assert private_key_kind(armoured(packet(rsa) + USER, "Version: GnuPG v2", "Comment: lQx xQ next")) == "plain"


@pytest.mark.parametrize(
    "text",
    [
        ARMOURER,
        armoured(bytes([0x99, 1, 13, 4]) + secrets.token_bytes(268) + USER),
        armoured(b"\xff" * 200),
        f"{BEGIN}\n\n{END}",
    ],
    ids=["code", "a public key", "no packet", "empty"],
)  # fmt: skip
def test_what_only_has_the_header_is_no_key(text: str) -> None:
    assert private_key_kind(text) is None


@pytest.mark.parametrize("cut", [60, 200, 400])
def test_the_beginning_of_a_key_is_one(cut: int) -> None:
    assert private_key_kind(f"{armoured(packet(rsa))[: len(BEGIN) + cut]}\n{END}") == "plain"
