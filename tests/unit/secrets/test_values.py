"""Values that generators make, where they stand, and the same places with what only fills them (attack X03)."""

from __future__ import annotations

import json

import pytest

from gate.model.finding import Confidence
from gate.secrets.file_names import is_configuration, plain_name
from gate.secrets.validators import is_placeholder, is_reference
from tests.unit.secrets.test_search import search

MADE = [
    "aB3<x>9kQz!m", "p${7Kq2mZ9x", "k7 Qm2! zR9w", "!x7Kq2mZ9w", "&x7Kq2mZ9w", "*x7Kq2mZ9w", "{x7Kq2mZ9w", "[x7Kq2mZ9w",
    "<x7Kq2mZ9w",
    "%x7Kq2mZ9w", "x7(Kq2)mZ9w", "$x7Kq2mZ9w", "x7#Kq2mZ9w", "x7|Kq2;mZ9", "K7QX2MPL9RTVB4", "correct horse battery staple 7",
    "/kD8sPq2mZ9wLx4TnX2vLw9YkB7mHc+8=",
]  # fmt: skip
FILLED = [
    "${DB_PASSWORD}", "${DB_PASSWORD:-changeme}", "$DB_PASSWORD", "$(cat /run/secrets/db)", "<your password>",
    "{{ .Values.password }}",
    "<%= ENV['DB_PASSWORD'] %>", "%DB_PASSWORD%", "@DB_PASSWORD@", "__DB_PASSWORD__", "/run/secrets/db-password", "********",
    "${{ secrets.DB_PASSWORD }}", "$__file{/etc/secrets/password}",
]  # fmt: skip

FILES = {
    "dotenv": ("app/.env", "A=1\nDB_PASSWORD='{0}'\n"),
    "yaml": ("app/config.yml", "db:\n  password: '{0}'\n"),
    "toml": ("app/config.toml", "password = '{0}'\n"),
    "ini": ("app/config.ini", '[db]\npassword = "{0}"\n'),
    "compose": ("compose.yaml", "environment:\n  DB_PASSWORD: '{0}'\n"),
    "php": ("wp-config.php", "<?php\n$db_password = '{0}';\n"),
}


@pytest.mark.parametrize("value", MADE)
@pytest.mark.parametrize(("name", "form"), FILES.values(), ids=FILES)
def test_what_a_generator_makes_is_found_in_settings(value: str, name: str, form: str) -> None:
    hits, _ = search(form.format(value).encode(), name)
    assert [hit.confidence for hit in hits if value.encode() in hit.value][:1] == [Confidence.HIGH]


@pytest.mark.parametrize("value", MADE)
def test_what_a_generator_makes_is_found_in_json_and_xml(value: str) -> None:
    assert search(json.dumps({"db": {"password": value}}).encode(), "app/a.json")[0]
    escaped = value.replace("&", "&amp;").replace("<", "&lt;")
    assert [hit.value for hit in search(f"<a><password>{escaped}</password></a>".encode(), "app/a.xml")[0]] == [
        value.encode()
    ]


@pytest.mark.parametrize("value", FILLED)
@pytest.mark.parametrize(("name", "form"), FILES.values(), ids=FILES)
def test_what_only_fills_a_place_is_none(value: str, name: str, form: str) -> None:
    assert (
        search(form.format(value.replace("'", '"') if "'{0}'" in form else value.replace('"', "'")).encode(), name)[0]
        == []
    )


@pytest.mark.parametrize(
    "value",
    ["!vault |", "!Ref DatabasePassword", "*default_password", "&db_password", "!Sub '${A}'", "!reference [a, b]"],
)
def test_what_yaml_means_by_a_mark_is_none_and_the_same_in_quotes_is_one(value: str) -> None:
    assert search(f"db:\n  password: {value}\n".encode(), "app/config.yml")[0] == []
    assert search(b"db:\n  password: '!x7Kq2mZ9w'\n", "app/config.yml")[0]


@pytest.mark.parametrize(
    "value",
    [
        "xK9$mQ2!pL",
        "xK9(mQ2)pL",
        "xK9{mQ2}pL",
        "K7QX2MPL9RTV",
        "$xK9mQ2pLz",
        "xK9 mQ2!pL7w",
        "xK9mQ2pLz.",
        "xK9mQ2<pLz",
        "xK9\\\\mQ2pL",
    ],
)
@pytest.mark.parametrize(
    "form",
    ['password = "{0}"\n', 'db.setPassword("{0}");\n', '{{ "password" => "{0}" }}\n', "const adminPassword = '{0}'\n"],
)
def test_what_a_generator_makes_is_found_in_code(value: str, form: str) -> None:
    assert search(form.format(value).encode(), "src/app/main.rb")[0]


@pytest.mark.parametrize(
    "value",
    [
        "Password must have 8 letters",
        "AES128_GCM_SHA256",
        "%s-token-%d",
        "user#{id}token1",
        "getToken1(arg)",
        "<b>token1</b>",
        "^[a-z0-9]\\\\w+$",
        "SHA256",
        "./keys/token1.txt",
    ],
)
def test_what_code_says_about_a_secret_is_none(value: str) -> None:
    assert search(f'password = "{value}"\n'.encode(), "src/app/main.rb")[0] == []


SETTINGS = [
    "etc/default/app", "etc/sysconfig/app", "etc/conf.d/app", "Makefile", "src/Makefile.am", "rules.mk", "Jenkinsfile",
    ".gitlab-ci.yml",
    ".github/workflows/ci.yaml", "app/.env.bak", "app/config.yml~", "app/config.yml.orig", "app/config.yml.2024-05-01",
    "app/my.cnf.dpkg-old",
    "app/app.conf.rpmsave", "app/config.ini.j2", "app/.env.tmpl", "app/settings.toml.dist", "app/config.yaml.example",
    "app/.env.production.local",
    "ansible/inventory", "ansible/group_vars/all", "ansible/host_vars/web1", "inventories/production/hosts",
    "etc/app.properties.save",
    "app/web.config.disabled", "Vagrantfile", "Containerfile.prod", "etc/cron.d/backup", "app/config_20240501.ini",
    "run/secrets/app.env",
    "app/.bash_history", "root/.psql_history", "root/.aws/credentials", "srv/locales/app.yml", "srv/i18n/app.properties",
    "srv/schemas/app.json5",
    "srv/man/app.ini", "srv/lang/app.toml", "srv/translations/en_US.yml", "srv/messages.properties",
    "srv/package-lock.yaml", "etc/app.service",
]  # fmt: skip


@pytest.mark.parametrize("path", SETTINGS)
def test_a_weak_password_counts_in_each_file_that_configures(path: str) -> None:
    ((hit, *_), unopened) = search(b"PORT = 1\nDB_PASSWORD = hunter22x\n", path)
    assert (hit.rule, hit.confidence, unopened) == ("password-assignment", Confidence.HIGH, [])


def test_a_copy_is_read_as_what_it_is_one_of() -> None:
    assert plain_name("app/.env.j2.bak.1") == "app/.env"
    assert plain_name("app/config.yml~") == "app/config.yml"
    assert not is_configuration("app/main.go.bak")


@pytest.mark.parametrize(
    "folder",
    [
        "locales",
        "i18n",
        "lang",
        "translations",
        "man",
        "man1",
        "schemas",
        "schema",
        "test",
        "examples",
        "vendor",
        "node_modules",
    ],
)
@pytest.mark.parametrize(
    "name", [".env", "app.yml", "a.json", "main.py", "app.lock", "README.md", "messages.properties", "strings.xml"]
)
def test_x03_no_folder_takes_an_assignment_away(folder: str, name: str) -> None:
    forms = {
        "a.json": b'{"db_password": "hunter22xQ9"}',
        "strings.xml": b"<a><db_password>hunter22xQ9</db_password></a>",
    }
    content = forms.get(name, b"A = 1\nDB_PASSWORD = 'hunter22xQ9'\n")
    inside, outside = (search(content, f"srv/{where}/{name}")[0] for where in (folder, "app"))
    assert [(hit.rule, hit.confidence) for hit in inside] == [(hit.rule, hit.confidence) for hit in outside]
    assert inside


def test_a_translated_word_is_doubtful_and_a_value_that_is_no_word_is_not() -> None:
    assert [hit.confidence for hit in search(b"login.password=Passwort\n", "srv/locales/de.properties")[0]] == [
        Confidence.LOW
    ]
    assert [hit.confidence for hit in search(b"login.password=hunter22x\n", "srv/locales/de.properties")[0]] == [
        Confidence.HIGH
    ]


@pytest.mark.parametrize("name", ["app/config.yml", "app/.env", "app/a.properties", "app/a.toml"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_line_of_any_length_is_read(name: str, quote: str) -> None:
    line = "a=" + "x " * 9000 + f"db_password={quote}hunter22x{quote} " + "y " * 9000
    assert [hit.value for hit in search(line.encode(), name)[0]] == [b"hunter22x"]


@pytest.mark.parametrize(
    ("path", "content", "is_found"),
    [
        ("run/secrets/db", b"q8Zr4TnX2vLw9YkB7mHc\n", True), ("var/run/secrets/app/key", b"q8Zr4TnX2vLw9YkB7mHc", True),
        ("app/secrets/db_password", b"hunter22x\n", True), ("app/db_password.txt", b"hunter22x\n", True),
        ("app/api_token", b"q8Zr4TnX2vLw9YkB7mHc\n", True),
        ("run/secrets/kubernetes.io/serviceaccount/namespace", b"default", False), ("run/secrets/db_user", b"shop-app\n", False),
        ("app/db_password.txt", b"one line\nand another one\n", False), ("app/notes", b"hunter22x\n", False),
        ("run/secrets/db", b"${DB}\n", False),
    ],
)  # fmt: skip
def test_a_file_that_is_one_secret(path: str, content: bytes, *, is_found: bool) -> None:
    assert bool(search(content, path)[0]) is is_found


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:5432", "[::1]:6379"])
def test_a_password_for_a_server_of_this_machine_is_one_unless_it_is_the_servers_own(host: str) -> None:
    assert [hit.rule for hit in search(f"redis://app:k4Tn93vQz81x@{host}/0\n".encode(), "notes")[0]] == ["url-password"]
    for account in ("postgres:postgres", "root:root", "guest:guest", "app:changeme", "user:password"):
        assert search(f"amqp://{account}@{host}/0\n".encode(), "notes")[0] == []


def test_a_block_below_its_name_and_a_value_with_entities() -> None:
    assert search(b"db:\n  password: |\n    hunter22x\n", "a.yml")[0]
    assert search(b"<a><password><![CDATA[hunter22x]]></password></a>", "a.xml")[0]


def test_forms_of_references_and_paths() -> None:
    assert is_placeholder("$DB_PASSWORD_2")
    assert is_placeholder("https://<user>:<password>@host")
    assert not is_placeholder("$aB3kd92xQ")
    assert is_reference("/run/secrets/db-password")
    assert is_reference("/usr/lib/x86_64-linux-gnu/libA1.so")
    assert not is_reference("/kD8sPq2mZ9wLx4TnX2vLw9YkB7mHc")
