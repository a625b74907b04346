"""Names that mean a credential: those that documentation prints, where they are assigned, and what only sounds so."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from gate.model.image import Platform
from gate.model.image_config import ImageConfig
from gate.model.string_map import StringMap
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.automaton import Trigger, build_automaton
from gate.secrets.configuration import ConfigurationSearch
from gate.secrets.findings import Fingerprints
from gate.secrets.names import kind_of
from gate.secrets.structure import SETTING_TRIGGER
from tests.unit.secrets.test_search import search

TABLE = yaml.safe_load((Path(__file__).resolve().parents[3] / "fixtures" / "secrets" / "names.yaml").read_text("utf-8"))
NAMES = sorted({name for entry in TABLE["names"] for name in entry["variables"]})
VALUE = "q8Zr4TnX2vLw9YkB7mHc"
PLAIN = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())
RULES = load_rule_set((), None)
PLACES = build_automaton([Trigger(0, "settings", SETTING_TRIGGER, everywhere=True)])


def value_of(name: str) -> str:
    """Return a value in the usual form of a name: a way to a database holds its password."""
    return f"postgres://app:{VALUE}@db.shop.internal/shop" if name.endswith(("DSN", "CONNECTION_STRING")) else VALUE


def test_the_list_is_of_more_than_a_hundred_servers_and_services_each_with_its_source() -> None:
    assert len({entry["of"] for entry in TABLE["names"]}) >= 100
    assert all(entry["source"].startswith("https://") for entry in TABLE["names"])
    assert len(NAMES) >= 500


def test_each_documented_name_is_found_in_the_environment_of_an_image() -> None:
    config = dataclasses.replace(PLAIN, env=tuple(f"{name}={value_of(name)}" for name in NAMES))
    found = ConfigurationSearch(RULES, Fingerprints(bytes(32))).of_config(config, StringMap.of({}))
    assert {finding.location for finding in found} == set(NAMES)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("app/.env", "{0}={1}\n"), ("app/a.properties", "{0} = {1}\n"), ("app/a.yml", "  {0}: {1}\n"),
        ("app/a.toml", '{0} = "{1}"\n'),
        ("app/compose.yaml", "      - {0}={1}\n"),
    ],
)  # fmt: skip
def test_each_documented_name_is_found_in_a_file_of_settings(file: str, line: str) -> None:
    missed = [
        name for name in NAMES if not search(f"PORT=1\n{line.format(name, value_of(name))}A=1\n".encode(), file)[0]
    ]
    assert missed == []


def test_each_documented_name_is_found_in_json() -> None:
    missed = [
        name for name in NAMES if not search(json.dumps({"env": {name: value_of(name)}}).encode(), "app/a.json")[0]
    ]
    assert missed == []


def test_the_automaton_points_at_whatever_is_a_name_of_a_secret() -> None:
    assert [name for name in NAMES if kind_of(name) and not PLACES.scan(f"{name}={VALUE}".encode())] == []


@pytest.mark.parametrize(
    "name",
    [
        "RABBITMQ_ERLANG_COOKIE", "SECRET_KEY_BASE", "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY", "dbpass", "ROOTPWD",
        "clientsecret", "appSecret", "spring.datasource.password", "encryptionKey", "MasterKey", "JWT_SECRET_PROD",
        "API_KEY_2", "db.password.1", "wallet_mnemonic", "OTP_SEED", "password_hash", "SERVICE_PASSWORD_POSTGRES",
        "gossip_key", "recoveryCodes", "WG_PSK",
    ],
)  # fmt: skip
def test_a_name_of_a_secret(name: str) -> None:
    assert kind_of(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "bypass", "compass", "trespass", "PRIMARY_KEY", "foreign_key", "sort_key", "PUBLIC_KEY", "cache_key",
        "PASSWORD_FILE", "password_min_length", "PASSWORD_RESET_TIMEOUT", "token_type", "NEXT_TOKEN", "secret_name",
        "AUTH_METHOD", "seed", "RANDOM_SEED", "cookie", "phrase", "key", "author", "authority", "password_encoder",
        "keyboard", "monkey",
    ],
)  # fmt: skip
def test_a_name_that_only_sounds_so(name: str) -> None:
    assert kind_of(name) is None
