"""The search itself: encodings, containers, windows, and hostile input (attacks X05 to X08, X11, L13, L14)."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import py_compile
import random
import sqlite3
import subprocess
import tarfile
import time
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from gate.model.digest import Digest
from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.budget import Budget
from gate.secrets.examples import ExampleMaker
from gate.secrets.hit import Hit
from gate.secrets.search import Search

RULES = load_rule_set((), None)
TOKEN = ExampleMaker("search").fill("ghp_{{base62-crc32:30}}").encode()
RULE = "github-personal-token"
LINE = b'deploy with "' + TOKEN + b'" today\n'
MIB = 1024 * 1024


def search(
    content: bytes, name: str = "app/data.bin", piece: int | None = None
) -> tuple[list[Hit], list[tuple[str, str]]]:
    hits: list[Hit] = []
    unopened: list[tuple[str, str]] = []
    engine = Search(RULES, Budget(), hits.append, lambda where, reason: unopened.append((where.path, reason)))
    file = engine.begin(name, len(content))
    step = piece or max(1, len(content))
    for start in range(0, len(content), step):
        file.feed(memoryview(content)[start : start + step])
    file.finish()
    return hits, unopened


def only(content: bytes, name: str = "app/data.bin", piece: int | None = None) -> Hit:
    hits, unopened = search(content, name, piece)
    assert unopened == []
    (hit,) = hits
    assert (hit.rule, hit.value) == (RULE, TOKEN)
    return hit


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def deb(data: bytes) -> bytes:
    members = (("debian-binary", b"2.0\n"), ("data.tar.xz", lzma.compress(data)))
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{'0':<12}{'0':<6}{'0':<6}{'100644':<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
        for name, body in members
    )


ENCODED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("base64", base64.b64encode),
    ("base64", base64.urlsafe_b64encode),
    ("base64", lambda text: base64.encodebytes(text * 3)),
    ("hex", lambda text: text.hex().encode()),
    ("hex", lambda text: text.hex().upper().encode()),
    ("utf-16", lambda text: text.decode().encode("utf-16-le")),
    ("utf-16", lambda text: text.decode().encode("utf-16-be")),
    ("utf-32", lambda text: text.decode().encode("utf-32")),
    ("url-encoding", lambda text: "".join(f"%{byte:02x}" for byte in text).encode()),
    ("escapes", lambda text: "".join(f"\\u{byte:04x}" for byte in text).encode()),
    ("escapes", lambda text: "".join(f"&#{byte};" for byte in text).encode()),
]


@pytest.mark.parametrize(("name", "encode"), ENCODED)
@pytest.mark.parametrize("shift", range(3))
def test_x08_text_in_an_encoding(name: str, encode: Callable[[bytes], bytes], shift: int) -> None:
    hit = only(b"value=" + encode(b"x" * shift + b" " + LINE))
    assert hit.where.chain == (name,)


def test_x05_a_control_byte_makes_nothing_invisible() -> None:
    assert only(b"\x01\x00\xff" + LINE).line is None
    assert only(b"first\n" + LINE).line == 2


def test_x08_gzip_in_base64_in_json() -> None:
    packed = base64.b64encode(gzip.compress(LINE * 3, mtime=0)).decode()
    assert only(f'{{"release": "{packed}"}}'.encode()).where.chain == ("base64", "gzip")


def test_x08_a_private_key_with_literal_line_feeds_and_in_a_kubernetes_secret() -> None:
    key = ExampleMaker("pem").fill("{{pem:ec}}")
    for content in (key.replace("\n", "\\n"), "kind: Secret\ndata:\n  k: " + base64.b64encode(key.encode()).decode()):
        ((hit,), unopened) = search(content.encode(), "k.yaml")
        assert (hit.rule, hit.confidence, unopened) == ("private-key", Confidence.CERTAIN, [])


CONTAINERS: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("log.gz", gzip.compress(LINE, mtime=0), ("log",)),
    ("log.gz", gzip.compress(b"first\n", mtime=0) + gzip.compress(LINE, mtime=0), ("log",)),
    ("log.bz2", bz2.compress(LINE), ("log",)),
    ("log.xz", lzma.compress(LINE), ("log",)),
    ("log.zst", zstandard.compress(LINE), ("log",)),
    ("app.jar", zipped(("config.yml", LINE)), ("config.yml",)),
    ("app.whl", zipped(("a/b.py", LINE), method=zipfile.ZIP_STORED), ("a/b.py",)),
    ("x.tar", tarred("n" * 180 + "/a", LINE), ("n" * 180 + "/a",)),
    ("x.tar", tarred("etc/b", b"x") + tarred("etc/a", gzip.compress(LINE, mtime=0)), ("etc/a", "gzip")),
    ("x.tgz", gzip.compress(tarred("etc/a", LINE), mtime=0), ("x.tar", "etc/a")),
    ("x.deb", deb(tarred("./opt/a", LINE)), ("data.tar.xz", "data.tar", "./opt/a")),
    (".git/objects/ab/" + "c" * 38, zlib.compress(b"blob 9\0" + LINE), ("git object",)),
    (
        "app.jar",
        zipped(("lib/in.jar", zipped(("a.yml", b"v: " + base64.b64encode(LINE))))),
        ("lib/in.jar", "a.yml", "base64"),
    ),
]


@pytest.mark.parametrize(("name", "content", "chain"), CONTAINERS)
@pytest.mark.parametrize("piece", [None, 7])
def test_x07_inside_containers(name: str, content: bytes, chain: tuple[str, ...], piece: int | None) -> None:
    hit = only(content, f"srv/{name}", piece)
    assert (hit.where.name, hit.where.chain) == (f"srv/{name}", chain)


def test_x07_git_packs_sqlite_and_compiled_python(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"k = '" + TOKEN + b"'\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "a.py"], ["commit", "-qm", "x"], ["gc", "-q"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    (pack,) = tmp_path.glob(".git/objects/pack/*.pack")
    assert only(pack.read_bytes()).where.chain[0].startswith("blob")
    assert only(Path(py_compile.compile(str(tmp_path / "a.py")) or "").read_bytes(), "a.pyc").rule == RULE
    with sqlite3.connect(tmp_path / "x.db") as base:
        base.execute("create table t (a)")
        base.execute("insert into t values (?)", (TOKEN.decode(),))
    base.close()
    assert only((tmp_path / "x.db").read_bytes()).line is None


@pytest.mark.parametrize(("password", "severity"), [(b"changeit", Severity.CRITICAL), (b"Zq7-1hh", Severity.MEDIUM)])
def test_x07_a_key_in_pkcs12_and_whether_a_known_password_opens_it(password: bytes, severity: Severity) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    content = pkcs12.serialize_key_and_certificates(b"n", key, None, None, BestAvailableEncryption(password))
    ((hit,), _) = search(content, "app.p12")
    assert (hit.rule, hit.severity) == ("pkcs12-key", severity)


@pytest.mark.parametrize("offset", [0, MIB - 20, MIB, MIB - 32 * 1024, MIB - 64 * 1024, MIB + 5, 5 * MIB])
def test_x06_at_every_border_of_a_window_once(offset: int) -> None:
    content = bytearray(b"\n" * (6 * MIB))
    content[offset : offset + len(TOKEN)] = TOKEN
    hit = only(bytes(content), piece=64 * 1024)
    assert (hit.offset, hit.line) == (offset, offset + 1)


def test_x06_in_one_line_of_many_megabytes() -> None:
    assert only(b"x " * (4 * MIB) + LINE + b"y " * (4 * MIB), piece=MIB).line == 1


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_x07_what_stands_in_clear_in_a_container_too_is_told_with_its_whole_way(method: int) -> None:
    inner = zipped(("a.yml", b"first: 1\nv: " + base64.b64encode(LINE)), method=method)
    hit = only(zipped(("lib/in.jar", inner), method=method), "srv/app.jar")
    assert (hit.where.chain, hit.line) == (("lib/in.jar", "a.yml", "base64"), 2)


REFUSED: list[tuple[str, bytes, str]] = [
    ("ends early", gzip.compress(LINE * 50, mtime=0)[:-12], "the gzip stream ends early"),
    ("no directory", b"PK\x05\x06" + bytes(10), "the zip archive has no directory"),
    ("7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), "a 7z archive is not opened"),
    ("xz", lzma.compress(LINE)[:-8], "the xz stream ends early"),
]


@pytest.mark.parametrize(("content", "reason"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_l13_what_cannot_be_opened_is_said(content: bytes, reason: str) -> None:
    _, unopened = search(content)
    assert [why for _, why in unopened] == [reason]


def test_l13_an_encrypted_member_and_a_depth_of_twelve() -> None:
    content = bytearray(zipped(("a", LINE)))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    assert search(bytes(content)) == ([], [("app/data.bin → a", "it is encrypted")])
    deep = LINE
    for number in range(12):
        deep = zipped((f"{number}.zip", deep))
    hits, ((_, reason),) = search(deep)
    assert (hits, reason) == ([], "it is nested deeper than 8 containers")


def test_l14_a_bomb_ends_at_its_limit() -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeezed.compress(bytes(MIB)) for _ in range(400)) + squeezed.flush()
    for content in (bomb, zipped(("a", bomb), ("b", bomb)), gzip.compress(bomb, mtime=0)):
        _, ((_, reason),) = search(content)
        assert reason == "it unfolds to more than 200 times its size"


HOSTILE: list[tuple[str, bytes]] = [
    ("base64 without end", b"QUJD" * (2 * MIB)),
    ("hexadecimal", b"41" * (2 * MIB)),
    ("percent signs", b"%41" * MIB),
    ("names", b"password=" * MIB),
    ("quotes", b"password='" * MIB),
    ("backslashes", b"\\" * (4 * MIB)),
    ("markup", b"<a " * MIB),
    ("one letter", b"a" * (4 * MIB)),
    ("blanks", b" \t" * (2 * MIB)),
    ("zeros and letters", b"A\0" * (2 * MIB)),
    ("headers of keys", b"-----BEGIN PRIVATE KEY-----\n" * (MIB // 8)),
    ("noise", random.Random(1).randbytes(4 * MIB)),  # noqa: S311 - the same in every run
]


@pytest.mark.parametrize(("content"), [pytest.param(content, id=name) for name, content in HOSTILE])
@pytest.mark.parametrize("name", ["a.bin", "application.yml", "a.json", "a.xml"])
def test_x11_hostile_text_costs_time_in_proportion(content: bytes, name: str) -> None:
    began = time.thread_time()
    search(content, name, piece=MIB)
    # A quadratic step over a window of a mebibyte would take hours; what is measured is some seconds at most.
    assert time.thread_time() - began < 60


def test_a_url_encoded_setting_is_read() -> None:
    text = urllib.parse.quote('{"password": "hunter22x9"}', safe="")
    assert [hit.rule for hit in search(f"q={text}".encode(), "a.json")[0]] == ["password-assignment"]


def test_a_hit_shows_no_byte_of_itself() -> None:
    hit = only(LINE)
    assert TOKEN.decode() not in repr(hit)
    assert (hit.prefix, repr(hit)) == ("ghp_", f"Hit({RULE})")


@pytest.mark.parametrize("piece", [None, 7, 64])
def test_a_finding_names_the_digest_of_its_file_however_it_came(piece: int | None) -> None:
    content = b"first line\n" * 20 + LINE
    assert only(content, piece=piece).file_digest == Digest.of(content)
