"""Secrets in the configuration: each field, each rule, and what must not be one (attacks X02, X10, X11).

Values are made here, not stored: a stored look-alike trips other scanners.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import random
import string
from typing import Any
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import InternalError
from gate.model.finding import SecretFinding, SecretPlace
from gate.model.image import Platform
from gate.model.image_config import HistoryEntry, ImageConfig
from gate.model.severity import Severity
from gate.model.string_map import StringMap
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.configuration import ConfigurationSearch
from gate.secrets.examples import ExampleMaker
from gate.secrets.findings import MIN_KEY_BYTES, Fingerprints
from gate.secrets.validators import has_bech32_checksum

KEY = bytes(range(32))
RANDOM = random.Random(7)  # noqa: S311 - the same values in every run
LETTERS = string.ascii_letters + string.digits
RULES = load_rule_set((), None)
MAKER = ExampleMaker("configuration")
PLAIN = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())


def letters(size: int, alphabet: str = LETTERS) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(size))


def checked(prefix: str) -> str:
    body, number, digits = letters(30), 0, ""
    number = crc32(body.encode())
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    while number:
        number, digit = divmod(number, 62)
        digits = alphabet[digit] + digits
    return prefix + body + digits.rjust(6, "0")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def pem(form: PrivateFormat = PrivateFormat.PKCS8, *, locked: bool = False) -> str:
    lock = BestAvailableEncryption(b"password") if locked else NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, form, lock).decode()


def searched(config: ImageConfig, key: bytes, annotations: dict[str, str] | None = None) -> tuple[SecretFinding, ...]:
    return ConfigurationSearch(RULES, Fingerprints(key)).of_config(config, StringMap.of(annotations or {}))


def found(config: ImageConfig, annotations: dict[str, str] | None = None) -> tuple[SecretFinding, ...]:
    return searched(config, KEY, annotations)


def in_env(*entries: str) -> tuple[SecretFinding, ...]:
    return found(dataclasses.replace(PLAIN, env=entries))


AWS_ID = "AKIA" + letters(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
AWS_SECRET = letters(20, string.ascii_lowercase) + letters(20, string.ascii_uppercase + string.digits)

TOKENS = [
    ("github-personal-token", checked("ghp_")),
    ("github-oauth-token", checked("gho_")),
    ("npm-access-token", checked("npm_")),
    ("github-fine-grained-token", f"github_pat_{letters(22)}_{letters(59)}"),
    ("gitlab-personal-access-token", "glpat-" + letters(20)),
    ("slack-bot-token", "xoxb-" + letters(12, string.digits) + "-" + letters(24)),
    ("stripe-secret-key", "sk_live_" + letters(24)),
    ("sendgrid-key", f"SG.{letters(22)}.{letters(43)}"),
    ("google-api-key", "AIza" + letters(35)),
    ("pypi-token", MAKER.fill("pypi-{{macaroon:pypi.org}}")),
    ("hugging-face-token", "hf_" + letters(34, string.ascii_letters)),
    ("vault-service-token", "hvs." + letters(90)),
    ("digitalocean-personal-token", "dop_v1_" + letters(64, "0123456789abcdef")),
    ("grafana-service-token", MAKER.fill("{{hex-crc32:glsa_:32}}")),
    ("openai-legacy-key", "sk-" + letters(20) + "T3BlbkFJ" + letters(20)),
    ("anthropic-api-key", MAKER.fill("sk-ant-api03-{{base64url:93}}AA")),
    ("docker-hub-token", "dckr_pat_" + letters(27)),
    ("jwt", f"{encoded({'alg': 'HS256'})}.{encoded({'sub': '1'})}.{letters(43)}"),
    ("url-password", "postgres://app:" + letters(12) + "@db.internal:5432/shop"),
    ("aws-access-key-id", f"{AWS_ID}:{AWS_SECRET}"),
    ("aws-access-key-id", AWS_ID),
    ("azure-storage-key", "AccountName=x;AccountKey=" + letters(86) + "==;EndpointSuffix=core"),
    ("private-key", pem()),
    ("private-key", pem(PrivateFormat.TraditionalOpenSSL)),
    ("private-key", pem(PrivateFormat.OpenSSH)),
    ("private-key", pem().replace("\n", "\\n")),
]


@pytest.mark.parametrize(("rule", "value"), TOKENS)
@pytest.mark.parametrize("text", ["{}", "x {} y", '{{"a": "{}"}}', "--opt={}"])
def test_each_form_is_found_wherever_it_stands_in_a_text(rule: str, value: str, text: str) -> None:
    (finding,) = in_env("SETTING=" + text.format(value))
    assert (finding.rule, finding.place, finding.location) == (rule, SecretPlace.ENV, "SETTING")


def test_an_rsa_key_is_found() -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    assert [one.rule for one in in_env(f"K={text}")] == ["private-key"]


FIELDS: list[tuple[SecretPlace, str, dict[str, Any], dict[str, str]]] = [
    (SecretPlace.ENV, "DEPLOY", {"env": ("PATH=/bin", "DEPLOY={}")}, {}),
    (SecretPlace.LABEL, "org.shop.deploy", {"labels": {"org.shop.deploy": "{}"}}, {}),
    (SecretPlace.HISTORY, "history[1].created_by", {"history": ("", "RUN |1 T={} /bin/sh -c make")}, {}),
    (SecretPlace.COMMAND, "entrypoint", {"entrypoint": ("/app", "--with", "{}")}, {}),
    (SecretPlace.COMMAND, "cmd", {"cmd": ("/app", "{}")}, {}),
    (SecretPlace.COMMAND, "healthcheck", {"healthcheck": ("CMD-SHELL", "curl -H 'Authorization: {}' localhost")}, {}),
    (SecretPlace.COMMAND, "onbuild[0]", {"on_build": ("RUN deploy {}",)}, {}),
    (SecretPlace.COMMAND, "onbuild[1]", {"on_build": ("RUN true", "RUN deploy {}")}, {}),
    (SecretPlace.COMMAND, "shell", {"shell": ("/bin/sh", "-c", "{}")}, {}),
    (SecretPlace.ANNOTATION, "org.shop.deploy", {}, {"org.shop.deploy": "{}"}),
]


def filled(fields: dict[str, Any], value: str) -> ImageConfig:
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if name == "labels":
            made[name] = StringMap.of({key: text.replace("{}", value) for key, text in field.items()})
        elif name == "history":
            made[name] = tuple(HistoryEntry(created_by=text.replace("{}", value)) for text in field)
        else:
            made[name] = tuple(text.replace("{}", value) for text in field)
    return dataclasses.replace(PLAIN, **made)


@pytest.mark.parametrize(("place", "location", "fields", "annotations"), FIELDS)
def test_x02_every_field_of_the_configuration(
    place: SecretPlace, location: str, fields: dict[str, Any], annotations: dict[str, str]
) -> None:
    token = checked("ghp_")
    (finding,) = found(filled(fields, token), {key: text.replace("{}", token) for key, text in annotations.items()})
    assert (finding.rule, finding.place, finding.location) == ("github-personal-token", place, location)
    assert found(filled(fields, "nothing"), dict.fromkeys(annotations, "nothing")) == ()


def test_x02_the_comment_of_a_history_entry() -> None:
    entry = HistoryEntry(comment="with " + checked("ghp_"))
    assert [one.location for one in found(dataclasses.replace(PLAIN, history=(entry,)))] == ["history[0].comment"]


ASSIGNED = [
    "DB_PASSWORD=hunter22",
    "POSTGRES_PASSWORD=summer2024",
    "MYSQL_PWD=abcdef",
    "PGPASSWORD=tr0ub4dor",
    "spring.datasource.password=secretary1",
    "JWT_SECRET=" + letters(32),
    "API_KEY=" + letters(24),
    "apiKey=" + letters(24),
    "REGISTRY_AUTH=" + base64.b64encode(b"robot:s3cr3t-value").decode(),
    "DJANGO_SECRET_KEY=" + letters(50),
    "JAVA_OPTS=-Xmx1g -Ddb.password=hunter22",
]


@pytest.mark.parametrize("entry", ASSIGNED)
def test_a_value_that_is_assigned_to_the_name_of_a_secret(entry: str) -> None:
    (finding,) = in_env(entry)
    assert finding.rule in {"password-assignment", "token-assignment"}


COMMANDS = [
    "RUN |2 NPM_TOKEN=abcDEF123456 STAGE=prod /bin/sh -c npm ci",
    "/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter22",
    "RUN /bin/sh -c echo password=hunter22 >> /etc/app",
    "RUN mysql --user root --password hunter22",
    "RUN app --verbose --password='with blank 1'",
    'RUN echo \'{"password": "hunter22"}\' > c.json',
]


@pytest.mark.parametrize("text", COMMANDS)
def test_x02_a_build_argument_or_password_in_the_history(text: str) -> None:
    (finding,) = found(dataclasses.replace(PLAIN, history=(HistoryEntry(created_by=text),)))
    assert finding.rule in {"password-assignment", "token-assignment"}


def test_an_aws_pair_over_two_variables() -> None:
    findings = in_env(f"AWS_ACCESS_KEY_ID={AWS_ID}", f"AWS_SECRET_ACCESS_KEY={AWS_SECRET}")
    assert [(one.rule, one.severity) for one in findings] == [
        ("aws-access-key-id", Severity.LOW),
        ("aws-secret-access-key", Severity.CRITICAL),
    ]


NO_SECRETS = [
    "PATH=/usr/local/sbin:/usr/local/bin",
    "PWD=/srv/app",
    "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
    "PYTHON_SHA256=" + "ab" * 32,
    "DB_PASSWORD=",
    "DB_PASSWORD=$DB_PASSWORD",
    "DB_PASSWORD=${DB_PASSWORD:-none}",
    "DB_PASSWORD={{ vault.password }}",
    "DB_PASSWORD=<your password>",
    "DB_PASSWORD=********",
    "DB_PASSWORD=password",
    "DB_PASSWORD=your-password-here",
    "DB_PASSWORD_FILE=/run/secrets/db",
    "DB_PASSWORD=/run/secrets/db",
    "TOKEN_URL=https://login.shop.internal/token",
    "AUTH=https://login.shop.internal/token",
    "AUTHOR=Some Body1",
    "SECRET_NAME=shop-database-1",
    "PASSWORD_MIN_LENGTH=12345678",
    "API_KEY=" + "a" * 30,
    "API_TOKEN=changeit",
    "PUBLIC_KEY_ID=" + letters(30),
    "URL=postgres://app@db.internal/shop",
    "URL=postgres://app:$PASSWORD@db.internal/shop",
    "URL=postgres://app:app@localhost/shop",
    "URL=postgres://app:secretpw1@db.example.com/shop",
    "T=" + checked("ghp_")[:-1] + "!",
    "T=ghp_" + "a" * 36,
    "T=npm_" + letters(36),
    "T=AKIAIOSFODNN7EXAMPLE",
    "T=xoxb-000000000000-000000000000",
    "T=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "T=" + "eyJ" + letters(30) + "." + letters(30) + "." + letters(30),
    "T=-----BEGIN RSA PRIVATE KEY-----",
    "T=-----BEGIN PRIVATE KEY-----\n" + letters(64) + "\n-----END PRIVATE KEY-----",
    "T=-----BEGIN PUBLIC KEY-----\n" + letters(64) + "\n-----END PUBLIC KEY-----",
]


@pytest.mark.parametrize("entry", NO_SECRETS)
def test_what_only_looks_like_a_secret(entry: str) -> None:
    assert in_env(entry) == ()


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        (pem(), Severity.CRITICAL),
        (pem(locked=True), Severity.LOW),
        ("sk_live_" + letters(24), Severity.CRITICAL),
        ("sk_test_" + letters(24), Severity.LOW),
        (f"{encoded({'alg': 'RS256'})}.{encoded({'sub': 'a'})}.{letters(40)}", Severity.MEDIUM),
        (f"{encoded({'alg': 'none'})}.{encoded({'sub': 'a'})}.", Severity.LOW),
    ],
)
def test_what_lowers_a_finding(value: str, severity: Severity) -> None:
    assert [one.severity for one in in_env(f"T={value}")] == [severity]


def test_the_checksum_of_bech32() -> None:
    # BIP 173, valid and invalid test vectors.
    assert has_bech32_checksum("A12UEL5L")
    assert has_bech32_checksum("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw")
    assert not has_bech32_checksum("A1G7SGD8")
    assert not has_bech32_checksum("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx")


def test_x10_no_field_holds_a_part_of_the_secret() -> None:
    canary = checked("ghp_")
    config = dataclasses.replace(
        PLAIN,
        env=(f"A={canary}", f"{canary}=1", canary, f"PASSWORD_{canary}=hunter22"),
        labels=StringMap.of({canary: canary}),
        history=(HistoryEntry(created_by=canary, comment=canary),),
    )
    findings = found(config, {canary: canary})
    text = repr(findings)
    assert len(findings) >= 7
    assert not any(canary[start : start + 8] in text for start in range(4, len(canary) - 8))


def test_the_fingerprint_is_keyed_and_stable() -> None:
    entry = dataclasses.replace(PLAIN, env=("DB_PASSWORD=hunter22",))
    (one,) = searched(entry, KEY)
    (again,) = searched(dataclasses.replace(entry, env=("X=1", "Y_PASSWORD=hunter22")), KEY)
    (other,) = searched(entry, bytes(32))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert one.fingerprint not in hashlib.sha256(b"hunter22").hexdigest()
    assert len(one.fingerprint) == 16


def test_a_key_that_protects_nothing_is_refused() -> None:
    assert searched(PLAIN, KEY[:MIN_KEY_BYTES]) == ()
    with pytest.raises(InternalError) as caught:
        searched(PLAIN, KEY[: MIN_KEY_BYTES - 1])
    assert caught.value.code == "INTERNAL"


def test_one_secret_in_one_place_is_told_once() -> None:
    token = checked("ghp_")
    assert len(in_env(f"GITHUB_TOKEN={token} {token}")) == 1
    assert len(in_env(f"GITHUB_TOKEN={token}", f"OTHER_TOKEN={token}")) == 2


LONG = [
    "a" * 1_000_000, "-eyJ" * 200_000, "password=" * 100_000, "--password " * 80_000, "-----BEGIN PRIVATE KEY-----" * 30_000,
    "a://b:" * 150_000, "sk-" * 300_000, AWS_ID * 40_000, (AWS_ID + " ") * 5_000, "=" * 1_000_000, "$" * 1_000_000,
    "xox" * 300_000, "<" * 500_000, "A_" * 400_000 + "PASSWORD=" + "{" * 400_000,
]  # fmt: skip


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_x11_long_texts_are_read_in_linear_time(text: str) -> None:
    assert len(in_env(f"T_PASSWORD={text}")) <= 201


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_read(name: str, text: str) -> None:
    for finding in in_env(f"{name}={text}"):
        assert finding.place is SecretPlace.ENV
