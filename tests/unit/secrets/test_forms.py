"""Forms of settings and keys that one file of an image has: each names its secret in its own way."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.findings import Mask
from gate.secrets.hit import Hit, Where
from tests.unit.secrets.test_search import search

PASSWORD = "hunter2Xk9q"
DEPLOYMENT = "env:\n  - name: {}\n    value: {}\n"


def container(entry: str) -> str:
    return json.dumps({"config": {"Env": ["PATH=/bin", entry]}})


SETTINGS: list[tuple[str, str, str, str]] = [
    ("pod.yaml", DEPLOYMENT.format("DB_PASSWORD", PASSWORD), DEPLOYMENT.format("DB_HOST", PASSWORD), "DB_PASSWORD"),
    ("config.json", container(f"DB_PASSWORD={PASSWORD}"), container(f"DB_HOST={PASSWORD}"), "config.Env[1]"),
    (".env", f"\ufeffDB_PASSWORD={PASSWORD}\n", f"\ufeffDB_HOST={PASSWORD}\n", "DB_PASSWORD"),
    (".bash_history", f"ls\nexport DB_PASSWORD={PASSWORD}\n", f"ls\nexport DB_HOST={PASSWORD}\n", "DB_PASSWORD"),
]


@pytest.mark.parametrize(("name", "leaking", "plain", "key"), SETTINGS)
def test_a_value_is_a_secret_by_its_name(name: str, leaking: str, plain: str, key: str) -> None:
    ((hit,), unopened) = search(leaking.encode(), f"srv/{name}")
    assert (hit.rule, hit.value, hit.key_path, unopened) == ("password-assignment", PASSWORD.encode(), key, [])
    assert search(plain.encode(), f"srv/{name}") == ([], [])


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KEYS: list[tuple[Callable[[], Key], PrivateFormat]] = [
    (lambda: rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL),
    (lambda: rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
    (lambda: ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
    (lambda: ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8),
    (ed25519.Ed25519PrivateKey.generate, PrivateFormat.PKCS8),
]


@pytest.mark.parametrize(("make", "form"), KEYS)
def test_a_private_key_without_armour(make: Callable[[], Key], form: PrivateFormat) -> None:
    key = make()
    data = key.private_bytes(Encoding.DER, form, NoEncryption())
    ((hit,), _) = search(data, "etc/server.key")
    assert (hit.rule, hit.severity, hit.confidence) == ("der-private-key", Severity.CRITICAL, Confidence.CERTAIN)
    for other in (
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        data[:-1],
        data + b"\0",
    ):
        assert search(other, "etc/server.key") == ([], [])


def test_a_time_stamp_query_is_no_key() -> None:
    algorithm = bytes.fromhex("300d06096086480165030402010500")
    query = bytes.fromhex("3039020101") + b"\x30\x31" + algorithm + b"\x04\x20" + bytes(32) + b"\x01\x01\xff"
    assert search(query, "a.tsq") == ([], [])


def hit_of(value: str) -> Hit:
    return Hit(
        rule="x",
        title="x",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        value=value.encode(),
        where=Where("a"),
        offset=0,
    )


def test_x10_a_secret_is_masked_in_names_and_a_word_is_not() -> None:
    mask = Mask([hit_of("root"), hit_of(PASSWORD)])
    assert mask.of(f"root/{PASSWORD}.txt") == "root/***.txt"
