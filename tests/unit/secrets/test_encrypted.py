"""Values that were encrypted to be stored are no plaintext secret, and nothing else in their dress is one (attack X03)."""

from __future__ import annotations

import base64
import random

import pytest

from gate.secrets.encrypted import is_encrypted
from tests.unit.secrets.test_search import search

_RANDOM = random.Random(7)  # noqa: S311 - the same in every run
SECRET = "k4Tn93vQz81x"


def b64(count: int) -> str:
    return base64.b64encode(_RANDOM.randbytes(count)).decode()


def text64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def sops(data: str, nonce: str = "", tag: str = "") -> str:
    return f"ENC[AES256_GCM,data:{data},iv:{nonce or b64(32)},tag:{tag or b64(16)},type:str]"


SEALED = base64.b64encode(b"\x02\x00" + _RANDOM.randbytes(512 + 16 + 12)).decode()
EYAML = "ENC[PKCS7,MIAGCSqGSIb3DQEHA6CA" + b64(300) + "]"
EJSON = f"EJ[1:{b64(32)}:{b64(24)}:{b64(40)}]"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n" + "\n".join(_RANDOM.randbytes(40).hex() for _ in range(6))
AGE = f"-----BEGIN AGE ENCRYPTED FILE-----\n{b64(48)}\n{b64(48)}\n-----END AGE ENCRYPTED FILE-----\n"
PGP = f"-----BEGIN PGP MESSAGE-----\n\n{b64(48)}\n{b64(48)}\n=aB3d\n-----END PGP MESSAGE-----\n"


@pytest.mark.parametrize(
    "value", [sops(b64(12)), sops(b64(5)), SEALED, EYAML, EJSON, f"vault:v1:{b64(40)}", VAULT, AGE, PGP]
)
def test_a_ciphertext_is_known_by_its_whole_shape(value: str) -> None:
    assert is_encrypted(value)
    assert not is_encrypted(f"{value} {SECRET}")
    assert not is_encrypted(f"{SECRET} {value}")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"ENC[{SECRET}]", id="the word alone"),
        pytest.param(sops(text64(SECRET)), id="text as base64"),
        pytest.param(sops(f"{SECRET}!"), id="no base64"),
        pytest.param(sops(b64(12), nonce=b64(31)), id="a nonce of another length"),
        pytest.param(sops(b64(12), tag=b64(12)), id="a tag of another length"),
        pytest.param(sops(b64(12), nonce=text64(SECRET + "x" * 20)), id="text as nonce"),
        pytest.param(base64.b64encode(b"\x02\x00" + (SECRET * 60).encode()).decode(), id="text as sealed value"),
        pytest.param(base64.b64encode(b"\x02\x01" + _RANDOM.randbytes(600)).decode(), id="no length of RSA"),
        pytest.param("ENC[PKCS7," + b64(300) + "]", id="no PKCS 7"),
        pytest.param(f"EJ[1:{b64(32)}:{b64(24)}:{text64(SECRET * 3)}]", id="text in a box"),
        pytest.param("vault:v1:" + text64(SECRET * 4), id="text as transit"),
        pytest.param(f"$ANSIBLE_VAULT;1.1;AES256\n{SECRET}", id="no hexadecimal"),
        pytest.param(f"-----BEGIN PGP MESSAGE-----\n{SECRET}\n-----END PGP MESSAGE-----", id="no message"),
    ],
)
def test_what_only_wears_its_dress_is_none(value: str) -> None:
    assert not is_encrypted(value)


FILES: list[tuple[str, str]] = [
    ("deploy/secrets.yaml", "database:\n  password: {0}\n  api_token: {0}\nsops:\n  mac: {0}\n"),
    ("deploy/.env", "DB_PASSWORD={0}\nAPI_TOKEN={0}\n"),
    ("deploy/secrets.json", '{{"password": "{0}", "api": {{"token": "{0}"}}}}'),
    ("app/settings.py", 'PASSWORD = "{0}"\n'),
]


@pytest.mark.parametrize(("name", "template"), FILES)
@pytest.mark.parametrize("value", [sops(b64(12)), EYAML, EJSON, SEALED], ids=["sops", "eyaml", "ejson", "sealed"])
def test_a_file_of_encrypted_values_has_no_secret(name: str, template: str, value: str) -> None:
    assert search(template.format(value).encode(), name) == ([], [])


@pytest.mark.parametrize(("name", "template"), FILES)
def test_x03_the_word_of_an_encryption_takes_no_finding_away(name: str, template: str) -> None:
    for value in (f"ENC[{SECRET}", f"{SECRET}]ENC[x", sops(text64(SECRET))):
        assert {hit.rule for hit in search(template.format(value).encode(), name)[0]} >= {"password-assignment"} or (
            name.endswith(".py") and len(value) > 100
        )
    beside = template.format(SECRET) + f"\n# {sops(b64(12))}\n# $ANSIBLE_VAULT;1.1;AES256\n"
    if not name.endswith(".json"):
        assert "password-assignment" in {hit.rule for hit in search(beside.encode(), name)[0]}


def test_whole_files_of_ciphertext() -> None:
    git_crypt = b"\0GITCRYPT\0" + _RANDOM.randbytes(4000)
    files = {
        "group_vars/vault.yml": VAULT.encode(),
        "a.age": AGE.encode(),
        "a.asc": PGP.encode(),
        "conf/.env": git_crypt,
    }
    inline = f"db_password: !vault |\n  {VAULT}\n".replace("\n", "\n  ")
    for name, content in {**files, "host_vars/a.yml": inline.encode()}.items():
        assert search(content, name) == ([], []), name
