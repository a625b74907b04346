"""Words that stand in a secret's place: what stock software has, and the same beside a real one (attack X03)."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

from gate.model.finding import Confidence
from gate.secrets.assignments import find_assignment
from gate.secrets.examples import ExampleMaker
from gate.secrets.validators import is_placeholder, is_sample_host, is_sample_user, is_type_name, names_itself
from tests.unit.secrets.test_search import LINE, TOKEN, only, search

WEAK = "hunter-22x9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_secret", "provider-app-client-secret"), ("Password", "user-password"), ("token", "token123"),
        ("refresh_token", "newtoken123"), ("publicKeyToken", "1fc8b3b9a1e18e3b"), ("dsn", "DBI:ODBC:mydb"),
        ("driver_dsn", "db=test;port=42"), ("connection_string", "mssql+pyodbc://@db.shop.internal/shop"),
        ("db_password", "strong_password"), ("api_token", "key_1234"),
    ],
)  # fmt: skip
def test_a_value_that_says_what_belongs_there(name: str, value: str) -> None:
    assert find_assignment(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("db_password", "password123"), ("db_password", "password-2024"), ("db_password", "my-passphrase-7"),
            ("token", "k4Tn93vQz81x"), ("db_password", "my_S3cret!"),
        ("dsn", "DBI:mysql:shop;user=app;password=k4Tn93vQz81x"), ("dsn", "postgres://app:k4Tn93vQz81x@db/shop"),
        ("connection_string", "Server=db;Pwd=k4Tn93vQz81x;"), ("db_password", "token123"),
    ],
)  # fmt: skip
def test_a_weak_password_is_one_and_a_way_with_a_password_is_one(name: str, value: str) -> None:
    found = find_assignment(name, value)
    assert found is not None
    assert found.rule.endswith("-assignment")


@pytest.mark.parametrize("value", ["V1SecretVolumeSource", "list[V1ObjectReference]", "client-valid-token-1"])
def test_names_of_types_and_of_cases_are_no_secrets_of_code(value: str) -> None:
    assert is_type_name(value)
    assert search(f'kinds = {{"secret": "{value}"}}\n'.encode(), "app/a.py") == ([], [])


@pytest.mark.parametrize("value", ["V1k4Tn93vQz81x", "list[k4Tn93vQz81x]", "client-valid-81x", WEAK])
def test_what_is_not_of_words_is_no_name_of_a_type(value: str) -> None:
    assert not is_type_name(value)


@pytest.mark.parametrize(
    "text",
    [
        "mysql+pymysql://scott:tiger@10.0.0.4/test", "http://proxyuser:proxypass@proxyhost:port", "http://foo:bar@myhost.",
        "cvs://:pserver:anoncvs@cvs.shop.io:/cvs/src", "dotenv://:key_1234@dotenv.org/vault",
        "CREATE USER username@hostname IDENTIFIED BY 'k4Tn93vQz81x';", "CREATE USER 'bar'@'%' IDENTIFIED BY 'k4Tn93vQz81x';",
        "DSN=$self->{'DSN'};UID=$self->{'UID'};PWD=$self->{'PWD'};", "/^(DSN=)(.*)(;UID=)(.*)(;PWD=)(.*)(;)$/",
        "https://127.0.0.1:69g\0\0\0\0\0\0\0\x08@r",
    ],
)  # fmt: skip
def test_accounts_and_hosts_of_manuals(text: str) -> None:
    assert search(text.encode(), "usr/share/doc/a/manual.txt") == ([], [])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("mysql+pymysql://scott:k4Tn93vQz81x@10.0.0.4/test", "url-password"),
        ("mysql+pymysql://app:tiger@10.0.0.4/test", "url-password"),
        ("http://proxyuser:k4Tn93vQz81x@proxy.shop.io:8080", "url-password"),
        ("CREATE USER barbara@hostname IDENTIFIED BY 'k4Tn93vQz81x';", "sql-user-password"),
        ("CREATE USER user IDENTIFIED BY 'k4Tn93vQz81x';", "sql-user-password"),
        ("DSN=shop;UID=app;PWD=$ecret-k4Tn93vQz;", "ado-password"),
    ],
)
def test_the_same_with_an_account_that_can_be_real(text: str, rule: str) -> None:
    assert [hit.rule for hit in search(text.encode(), "usr/share/doc/a/manual.txt")[0]] == [rule]


@pytest.mark.parametrize("word", ["-example", "_placeholder", "-here", "EXAMPLE", "EXAMPLEKEY"])
def test_x03_a_word_behind_a_token_says_nothing(word: str) -> None:
    token = ExampleMaker("word").fill("hvs.{{base64url:90}}")
    for line in (f"export VAULT_TOKEN={token}{word}\n", f"VAULT_TOKEN={token} # {word}\n"):
        assert search(line.encode(), "app/start.sh")[0], line


@pytest.mark.parametrize(
    "value", ["some-token-here", "api-key-example", "AKIAIOSFODNN7EXAMPLE", "your_32_character_key"]
)
def test_words_alone_are_a_placeholder(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "text", ["(?i).+://(.*?):(.*?)@.*?$", r"^amqp://([^:]+):([^@]+)@(.+)$", r"x://(?<user>\w+):(?<pw>\S+)@h"]
)
def test_a_pattern_for_urls_holds_no_password(text: str) -> None:
    assert search(text.encode(), "app/urls.txt")[0] == []


def test_a_word_in_a_url_of_a_readme_is_possible_and_elsewhere_likely() -> None:
    url = b"redis://:authpassword@cache.shop.io:6380/4\n"
    ((readme,), _), ((config,), _) = search(url, "app/README.md"), search(url, "app/cache.yml")
    assert (readme.confidence, config.confidence) == (Confidence.LOW, Confidence.HIGH)
    ((somebodys,), _) = search(url.replace(b"authpassword", b"tr0ub4dor-and-3"), "app/README.md")
    assert somebodys.confidence is Confidence.HIGH


@pytest.mark.parametrize("label", ["Password:", "Passwd?", "Secret...", "your password:", "Token *"])
def test_a_label_of_a_form_is_no_password(label: str) -> None:
    assert is_placeholder(label.replace("your password", "your_password").replace(" *", "*"))


def test_names_of_accounts_and_hosts() -> None:
    assert is_sample_user("`user_name`@`localhost`")
    assert not is_sample_user("users")
    assert is_sample_host("some-host")
    assert not is_sample_host("host1.shop.io")
    assert names_itself("db-password", "the_db_password")
    assert not names_itself("db-password", "password")
    assert is_placeholder("api_key_12345")
    assert not is_placeholder("api_key_9431")


def test_a_digest_that_begins_like_gzip_hides_nothing_and_a_short_gzip_does() -> None:
    digest = base64.b64encode(bytes.fromhex("1f8b08") + hashlib.sha256(b"a").digest()[3:]).decode()
    middle = "xMH4sI" + base64.b64encode(hashlib.sha256(b"b").digest()).decode()[6:]
    for text in (digest, middle):
        assert search(f"Name: a.class\r\nSHA-256-Digest: {text}\r\n\r\n".encode(), "META-INF/A.SF") == ([], [])
    short = gzip.compress(TOKEN, mtime=0)
    named = short[:3] + b"\x08" + short[4:10] + b"n" * (63 - len(short)) + b"\0" + short[10:]
    assert len(named) == 64
    assert only(b"v: " + base64.b64encode(named)).where.chain == ("base64", "n" * (63 - len(short)))


def test_a_stream_that_is_cut_is_still_said() -> None:
    cut = gzip.compress(LINE * 50, mtime=0)[:-9]
    assert [reason for _, reason in search(b"v: " + base64.b64encode(cut), "a.txt")[1]] == [
        "the gzip stream ends early"
    ]
