"""What files of settings assign, by the places that the automaton points at: key paths, forms of lines, JSON, and borders."""

from __future__ import annotations

import json

import pytest

from gate.secrets.automaton import Trigger, build_automaton
from gate.secrets.json_settings import find_json
from gate.secrets.places import NO_OFFSET, Assignment, windows
from gate.secrets.structure import SETTING_TRIGGER, find_settings

_PLACES = build_automaton([Trigger(0, "settings", SETTING_TRIGGER, everywhere=True)])
VALUE = "xK9!mmPqz7"


def places(text: str) -> list[int]:
    return list(_PLACES.scan(text.encode("latin-1")).get(0, ()))


def found(name: str, text: str) -> list[Assignment]:
    return list(find_settings(name, text, places(text)))


@pytest.mark.parametrize(
    ("name", "text", "key_path"),
    [
        ("a.env", f"A=1\nDB_PASSWORD={VALUE}\n", "DB_PASSWORD"),
        ("a.env", f"A=1\r\nDB_PASSWORD={VALUE}\r\n", "DB_PASSWORD"),
        ("a.env", f"A=1\rDB_PASSWORD={VALUE}\r", "DB_PASSWORD"),
        ("a.ini", f"[web]\na = 1\npassword = {VALUE}\n", "web.password"),
        ("a.toml", f'[server.db]\npassword = "{VALUE}" # here\n', "server.db.password"),
        ("a.yml", f"db:\n  main:\n    host: h\n    password: {VALUE}\n", "db.main.password"),
        ("a.yml", f"env:\n- name: DB_PASSWORD\n  value: {VALUE}\n", "DB_PASSWORD"),
        ("a.xml", f"<a><password>{VALUE}</password></a>", "password"),
        ("a.xml", f'<a><property name="db.password" value="{VALUE}"/></a>', "db.password"),
        ("a.json", json.dumps({"db": [{"password": VALUE}]}, indent=1), "db[0].password"),
        ("a.json", json.dumps({"env": [{"name": "DB_PASSWORD", "value": VALUE}]}), "env[0].DB_PASSWORD"),
        ("a.json", "\xef\xbb\xbf" + json.dumps({"password": VALUE}), "password"),
        ("a.json", f'{{"password": "{VALUE}", // no JSON\n "token": "{VALUE}"}}', "token"),
    ],
)
def test_a_value_is_found_with_its_key_path(name: str, text: str, key_path: str) -> None:
    seen = [one for one in found(name, text) if one.value == VALUE]
    assert key_path in [one.key_path for one in seen]


def test_a_template_that_only_begins_like_json_is_read_by_lines() -> None:
    text = f'{{ "a": 1,\n"password": "{VALUE}",\n{{{{ .Values.more }}}}\n'
    assert [(one.key_path, one.value) for one in found("a.json", text)] == [("password", VALUE)]


@pytest.mark.parametrize(
    "document",
    [
        {"password": {"type": "string"}, "tokens": ["a", "b"]},
        {"description": "the password: a secret", "token": None, "secret": 17},
        [{"name": "DB_PASSWORD", "type": "secret"}],
    ],
)
def test_a_document_that_assigns_nothing_is_not_parsed(document: object) -> None:
    broken = json.dumps(document) + "}"
    assert find_json(broken, places(broken)) == []


def test_a_document_that_assigns_is_parsed() -> None:
    broken = json.dumps({"password": VALUE}) + "}"
    assert find_json(broken, places(broken)) is None
    assert find_json(broken[:-1], places(broken)) == [Assignment("password", "password", VALUE, NO_OFFSET)]


def test_a_document_with_an_escaped_value_is_parsed() -> None:
    text = '{"password": "xK9\\u0021mmPqz7"}'
    assert [one.value for one in find_json(text, places(text)) or ()] == [VALUE]


def test_each_line_is_read_once_and_a_comment_never() -> None:
    text = f"# password: {VALUE}\npassword: {VALUE} token: secret: x\n"
    assert [one.name for one in found("a.yml", text)] == ["password"]


def test_a_line_of_any_length_before_it_hides_nothing() -> None:
    text = "a: " + "password=" * 20_000 + f"\npassword: {VALUE}\n"
    assert [one.value for one in found("a.yml", text)][-1] == VALUE
    assert len(found("a.yml", text)) < 1000


def test_windows_do_not_touch_and_stay_in_the_block() -> None:
    assert list(windows([5, 8, 40], 45, before=10, after=10)) == [(0, 18), (30, 45)]
    assert list(windows([5, 15], 45, before=10, after=5)) == [(0, 20)]
    assert list(windows([], 45, before=10, after=10)) == []
