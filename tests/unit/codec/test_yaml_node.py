"""The demand decides the type; what two readers would read differently is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Node, nearest
from gate.errors import PolicyError
from gate.model.policy import FailOrIgnore, UserRule


def value(text: str) -> Node:
    root = parse_yaml(f"key: {text}\n".encode(), name="p.yaml")
    assert root is not None
    return root.entries()[0].node


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "1e3", "2027-01-31", "0x10", "'12'", "'true'", '"null"'])
def test_p05_words_of_other_readers_are_texts_where_a_text_is_demanded(text: str) -> None:
    assert value(text).text() == text.strip("'\"")


@pytest.mark.parametrize("text", ["12", "1.5", "-3", "true", "false", "null", "~"])
def test_p05_a_bare_json_word_is_no_text(text: str) -> None:
    with pytest.raises(PolicyError, match="quotes") as caught:
        value(text).text()
    assert caught.value.code == "POL_MALFORMED"


@pytest.mark.parametrize("text", ["no", "yes", "True", "TRUE", "'true'", "1", "", "[true]"])
def test_p05_only_true_and_false_are_booleans(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        value(text).boolean()
    assert caught.value.code == "POL_MALFORMED"
    assert (value("true").boolean(), value("false").boolean()) == (True, False)


@pytest.mark.parametrize("text", ["1e3", "0x10", "010", "1_000", "'7'", "1.0", "+7", "101", "-1", "", "[7]"])
def test_p05_only_decimal_integers_in_bounds_are_integers(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        value(text).integer(0, 100)
    assert caught.value.code == "POL_MALFORMED"
    assert value("7").integer(0, 100) == 7


@pytest.mark.parametrize("text", ["1e-3", ".5", "1.", "-0.1", "1.1", "nan", ".nan", ".inf", "'0.5'"])
def test_p05_only_decimal_numbers_in_bounds_are_numbers(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        value(text).number(0, 1)
    assert caught.value.code == "POL_MALFORMED"
    assert value("0.5").number(0, 1) == 0.5
    assert value("1").number(0, 1) == 1.0


@pytest.mark.parametrize(
    "text", ["7", "7w", "0s", "-1d", "1.5h", "07d", "7 d", "7D", "9999d", "99999999s0", "never", ""]
)
def test_a_duration_has_one_form(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        value(text).duration()
    assert caught.value.code == "POL_MALFORMED"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("48h", timedelta(hours=48)),
        ("7d", timedelta(days=7)),
    ],
)
def test_twin_durations(text: str, expected: timedelta) -> None:
    assert value(text).duration() == expected


@pytest.mark.parametrize(
    "text",
    ["never", "2026-13-45", "2026-02-30", "''", "", "2026-1-1", "20260131", "2026-W05-1", "2026-01-31T00:00:00Z", "1"],
)
def test_a14_a_malformed_day_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        value(text).date()
    assert caught.value.code == "POL_MALFORMED"
    assert value("2026-01-31").date() == value("'2026-01-31'").date() == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (Node.text, ""),
        (Node.text, "' '"),
        (Node.text, "[a]"),
        (Node.text, "{a: b}"),
        (Node.items, "a"),
        (Node.items, "{a: b}"),
        (Node.entries, "[a]"),
        (Node.entries, "a"),
        (Node.entries, ""),
    ],
)
def test_a_value_of_another_kind_is_refused(read: Callable[[Node], object], text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(value(text))
    assert caught.value.code == "POL_MALFORMED"
    assert caught.value.message.startswith("p.yaml:1:")


def test_a_wrong_word_gets_the_nearest_right_one() -> None:
    with pytest.raises(PolicyError) as caught:
        value("nonroot").choice(UserRule)
    assert (caught.value.expected, caught.value.seen) == ("non-root", "nonroot")
    with pytest.raises(PolicyError) as caught:
        value("zzz").choice(FailOrIgnore)
    assert caught.value.expected == "fail | ignore"
    assert value("non-root").choice(UserRule) is UserRule.NON_ROOT


def test_an_unknown_key_gets_the_nearest_right_one_with_its_place() -> None:
    root = parse_yaml(b"maxAge: 7d\nenviroments: [a]\n", name="p.yaml")
    assert root is not None
    with pytest.raises(PolicyError) as caught:
        root.fields(("maxAge", "environments"))
    assert caught.value.code == "POL_UNKNOWN_KEY"
    assert caught.value.message.startswith("p.yaml:2:1: enviroments ")
    assert caught.value.expected == "'environments'"
    assert root.fields(("maxAge", "enviroments")).demand("maxAge", Node.duration) == timedelta(days=7)


def test_foreign_text_in_a_message_is_cut_and_printable() -> None:
    with pytest.raises(PolicyError) as caught:
        value(f"'\u202e{'x' * 1000}'").choice(UserRule)
    assert caught.value.seen.isascii()
    assert len(caught.value.seen) < 200


@pytest.mark.parametrize(("word", "expected"), [("FAILON", "failOn"), ("fail_on", "failOn"), ("qqqq", "")])
def test_nearest_ignores_case(word: str, expected: str) -> None:
    assert nearest(word, ("failOn", "grace")) == expected
