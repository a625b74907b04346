"""Foreign text in reports: attacks O01, O02, O04 of the table of attacks."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.report.escape import guard_lines, harmless_json, identifier, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
# How the runners find commands: at the start of a line, blanks before it; `##[` anywhere.
RUNNER_COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x\r::stop-commands::t\r", r"x\x0d\x3a:stop-commands\x3a:t\x0d"),
        ("a##[error]b", r"a\x23#[error]b"),
        ("##vso[task.complete]", r"\x23#vso[task.complete]"),
        ("\x1b]8;;http://evil\x07link", r"\x1b]8;;http://evil\x07link"),
        ("\x9b31mred", r"\x9b31mred"),
        ("safe\u202egpj.exe", r"safe\u202egpj.exe"),
        ("one\u2028two\nthree", r"one\u2028two\x0athree"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \udc80", r"half \udc80"),
        ("Grüße, привет", "Grüße, привет"),
    ],
)
def test_what_acts_is_shown_as_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_name_in_letters_that_look_latin_shows_that_it_is_not() -> None:
    assert identifier("\u0440aypal") == r"\u0440aypal"
    assert identifier("paypal") == "paypal"


def test_an_address_with_two_colons_stays_as_it_is() -> None:
    assert identifier("[::1]:5000/shop/web") == "[::1]:5000/shop/web"


def test_a_letter_under_a_heap_of_marks_shows_the_marks_as_numbers() -> None:
    assert visible("a" + "\u0300" * 20).count("\\u0300") == 20
    assert visible("e\u0301") == "e\u0301"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 500) == "x" * 399 + "…"
    assert identifier("x" * 500) == "x" * 397 + "..."


@given(ANY_TEXT)
def test_no_text_acts(text: str) -> None:
    for shown in (visible(text), identifier(text)):
        assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        assert not RUNNER_COMMAND.search(shown)
    assert identifier(text).isascii()


@given(st.lists(st.sampled_from(["::", " ", "\n", "error", "\x1b[31m", ":", "a"]), max_size=12).map("".join))
def test_no_line_of_a_finished_text_begins_as_a_command(text: str) -> None:
    for line in guard_lines(text).splitlines():
        assert not re.match(r"(?:\x1b\[[0-9;]*m|\s)*::", line)


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3)))
def test_json_keeps_its_value_and_begins_no_command(value: object) -> None:
    document = harmless_json(json.dumps(value, indent=2))
    assert document.isascii()
    assert "::" not in document
    assert "##" not in document
    assert json.loads(document) == json.loads(
        re.sub(r"[\ud800-\udfff]", "\ufffd", json.dumps(value, ensure_ascii=False))
    )


def test_a_half_pair_in_json_becomes_the_replacement_character() -> None:
    assert json.loads(harmless_json(json.dumps("\udc80 😀 \\ud800"))) == "\ufffd 😀 \\ud800"
