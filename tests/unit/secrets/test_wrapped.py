"""Values that are wrapped, and whose wrapper takes the file's telling name away (attack X08). A weak password is known by its
name alone, so that it is found only where the wrapper is undone."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import urllib.parse
import zlib
from collections.abc import Callable

import pytest
import zstandard

from gate.secrets.hit import Where
from gate.secrets.settings_form import has_form_of_settings, holds_settings
from tests.unit.secrets.test_search import search, tarred, zipped

ENV = b"APP_ENV=production\nDB_PASSWORD=hunter-22x9\nPORT=8080\n"
YAML = b"server:\n  port: 80\ndb:\n  password: hunter-22x9\n"
b64 = base64.b64encode


def lines(text: bytes, width: int, *, before: bytes = b"", behind: bytes = b"") -> bytes:
    return b"".join(before + text[at : at + width] + behind + b"\n" for at in range(0, len(text), width))


WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "base64": b64,
    "base64url": base64.urlsafe_b64encode,
    "base64 of base64": lambda text: b64(b64(text)),
    "base64 in lines": lambda text: base64.encodebytes(text * 3),
    "base64 in short lines": lambda text: lines(b64(text), 20),
    "base64 in lines of odd length": lambda text: lines(b64(text * 2), 17),
    "base64 in a comment": lambda text: lines(b64(text * 3), 64, before=b"# "),
    "base64 in joined strings": lambda text: lines(b64(text * 3), 64, before=b'  "', behind=b'" +'),
    "base64 in yaml": lambda text: b"data: |\n" + lines(b64(text * 3), 60, before=b"    "),
    "gzip in base64": lambda text: b64(gzip.compress(text * 3, mtime=0)),
    "gzip in base64 in lines": lambda text: base64.encodebytes(gzip.compress(text * 3, mtime=0)),
    "gzip in base64 of base64": lambda text: b64(b64(gzip.compress(text * 3, mtime=0))),
    "zlib in base64": lambda text: b64(zlib.compress(text * 3)),
    "bzip2 in base64": lambda text: b64(bz2.compress(text)),
    "xz in base64": lambda text: b64(lzma.compress(text)),
    "zstd in base64": lambda text: b64(zstandard.compress(text)),
    "zip in base64": lambda text: b64(zipped(("x", text))),
    "a string of json": lambda text: json.dumps({"env": text.decode()}).encode(),
    "a string of json in json": lambda text: json.dumps({"a": json.dumps({"b": text.decode()})}).encode(),
    "base64 in json": lambda text: json.dumps({"a": {"b": b64(text).decode()}}).encode(),
    "utf-16": lambda text: text.decode().encode("utf-16"),
    "utf-16 be": lambda text: text.decode().encode("utf-16-be"),
    "utf-16 be with its mark": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "utf-32 be": lambda text: text.decode().encode("utf-32-be"),
    "hexadecimal": lambda text: text.hex().encode(),
    "an array of bytes": lambda text: b"const c[] = {" + b", ".join(b"0x%02x" % byte for byte in text) + b"};",
    "url encoding": lambda text: urllib.parse.quote(text.decode(), safe="").encode(),
    "gzip": lambda text: gzip.compress(text * 5, mtime=0),
    "tar": lambda text: tarred("x", text),
    "zip": lambda text: zipped(("x", text)),
    "zip in gzip": lambda text: gzip.compress(zipped(("x", text)), mtime=0),
}


@pytest.mark.parametrize("name", ["app/payload.txt", "app/config.yml", "app/data", "app/blob.bin"])
@pytest.mark.parametrize("text", [ENV, YAML], ids=["dotenv", "yaml"])
@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_a_weak_password_is_found_in_each_wrapper(wrap: Callable[[bytes], bytes], text: bytes, name: str) -> None:
    hits, unopened = search(wrap(text), name)
    assert [hit.rule for hit in hits if b"hunter-22x9" in hit.value][:1] == ["password-assignment"]
    assert unopened == []


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_prose_in_a_wrapper_is_none(wrap: Callable[[bytes], bytes]) -> None:
    prose = (
        b"The password is asked for when you log in. A token: see below.\nKeep your secret safe, and your api key too.\n"
        * 2
    )
    assert search(wrap(prose), "app/data") == ([], [])


@pytest.mark.parametrize(
    "document",
    [
        {"env": "A=1\nDB_PASSWORD=hunter-22x9\nB=2"}, {"values": "db:\n  password: hunter-22x9\n"},
        {"args": ["--db-password=hunter-22x9"]},
        {"command": "run --verbose --password=hunter-22x9 now"},
        {"a": json.dumps({"b": json.dumps({"password": "hunter-22x9"})})},
        [{"config": "[db]\npassword = hunter-22x9\n"}],
    ],
)  # fmt: skip
def test_what_the_strings_of_a_document_assign(document: object) -> None:
    assert b"hunter-22x9" in {hit.value for hit in search(json.dumps(document).encode(), "app/a.json")[0]}


@pytest.mark.parametrize(
    "line",
    [
        b"command: mysqld --db-password=hunter-22x9 --port=1\n", b'environment=A="1",DB_PASSWORD="hunter-22x9",B="2"\n',
        b'JAVA_OPTS="-Xmx1g -Ddb.password=hunter-22x9 -Da=b"\n', b"ENV A=1 DB_PASSWORD=hunter-22x9 B=2\n",
    ],
)  # fmt: skip
def test_what_stands_inside_a_line_of_settings(line: bytes) -> None:
    assert b"hunter-22x9" in {hit.value for hit in search(line, "etc/app.conf")[0]}


def test_the_name_in_a_header_of_gzip_says_what_the_file_is() -> None:
    packed = gzip.compress(b"a line\npassword = hunter-22x9\nanother line\n", mtime=0)
    named = packed[:3] + b"\x08" + packed[4:10] + b"app.properties\0" + packed[10:]
    assert [hit.where.chain for hit in search(named, "var/backup.1")[0]] == [("app.properties",)]


def test_the_form_of_settings() -> None:
    assert has_form_of_settings(ENV)
    assert has_form_of_settings(b"# a comment\n[db]\nhost = a\npassword = b\n")
    assert has_form_of_settings(b'{"a": 1}')
    assert not has_form_of_settings(b"A sentence about a password: it says nothing.\nAnother one, longer than that.\n")
    assert not has_form_of_settings(b"x = connect(password=user.password)\nprint(x)\nif x:\n    return y\n")
    assert holds_settings(Where("app/.env"), b"")
    assert not holds_settings(Where("app/main.py"), ENV)
