"""Attack P05: everything in YAML that could surprise is refused, and says where."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gate.codec import yaml_document
from gate.codec.yaml_document import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_yaml
from gate.codec.yaml_node import Node
from gate.errors import PolicyError


def refused(data: bytes) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_yaml(data, name="p.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("data", "code", "place", "word"),
    [
        pytest.param(b"a: 1\nb: 2\na: 3\n", "POL_DUPLICATE_KEY", "3:1", "'a'", id="P05-duplicate-key"),
        pytest.param(b"{a: 1, a: 2}", "POL_DUPLICATE_KEY", "1:8", "'a'", id="P05-duplicate-key-in-flow"),
        pytest.param(b"a: 1\n'a': 2\n", "POL_DUPLICATE_KEY", "2:1", "'a'", id="P05-duplicate-key-quoted"),
        pytest.param(b"a: &x 1\n", "POL_MALFORMED", "1:4", "anchor", id="P05-anchor"),
        pytest.param(b"a: [1]\nb: *x\n", "POL_MALFORMED", "2:4", "alias", id="P05-alias"),
        pytest.param(b"<<: {a: 1}\n", "POL_MALFORMED", "1:1", "merge key", id="P05-merge-key"),
        pytest.param(b"a: !!python/object/apply:os.system [id]\n", "POL_MALFORMED", "1:4", "tag", id="P05-python-tag"),
        pytest.param(b"a: !!str 1\n", "POL_MALFORMED", "1:4", "tag", id="P05-harmless-tag"),
        pytest.param(b"%YAML 1.1\n---\na: 1\n", "POL_MALFORMED", "1:1", "directive", id="P05-directive"),
        pytest.param(b"a: 1\n---\na: 2\n", "POL_MALFORMED", "2:1", "second document", id="P05-two-documents"),
        pytest.param(b"? [a]\n: 1\n", "POL_MALFORMED", "1:3", "not text", id="P05-complex-key"),
        pytest.param(b"a: \xff\n", "POL_MALFORMED", "1:1", "UTF-8", id="P05-encoding"),
        pytest.param("a: 1".encode("utf-16"), "POL_MALFORMED", "1:1", "UTF-8", id="P05-utf-16"),
        pytest.param(b"a: \x00\n", "POL_MALFORMED", "1:4", "readers differ", id="P05-control-character"),
        pytest.param(b"a: b: c\n", "POL_MALFORMED", "1:5", "YAML", id="P05-not-yaml"),
        pytest.param(b"a: [\n", "POL_MALFORMED", "2:1", "YAML", id="P05-cut-off"),
    ],
)
def test_what_could_surprise_is_refused(data: bytes, code: str, place: str, word: str) -> None:
    error = refused(data)
    assert error.code == code
    assert error.message.startswith(f"p.yaml:{place}: ")
    assert word in error.message


def test_twin_what_people_write_is_read() -> None:
    root = parse_yaml(b"# c\n---\na: {b: [x, 'y', \"z\"]}\nt: |\n  two\n  lines\nn: 12\nd: 2027-01-31\n", name="p.yaml")
    assert root is not None
    assert root.plain() == {"a": {"b": ["x", "y", "z"]}, "t": "two\nlines\n", "n": 12, "d": "2027-01-31"}
    entry = root.entries()[1]
    assert (entry.line, entry.column, entry.node.line, entry.node.path) == (4, 1, 4, "t")


@pytest.mark.parametrize("data", [b"", b"\n", b"# only a comment\n", b"---\n", b"---\n...\n"])
def test_a_document_of_nothing_is_none(data: bytes) -> None:
    assert parse_yaml(data, name="p.yaml") is None


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b",".join([b"*%c" % (letter - 1)] * 9)) for letter in range(ord("b"), ord("k"))
)


@pytest.mark.parametrize(
    ("data", "word", "most"),
    [
        pytest.param(BOMB, "anchor", 5, id="P05-billion-laughs"),
        pytest.param(b"[" * 100_000, "", MAX_DEPTH + 5, id="P05-deep-flow"),
        pytest.param(b"- " * 100_000, "nested too deeply", MAX_DEPTH + 5, id="P05-deep-block"),
        pytest.param(b"a: x\n" * (MAX_BYTES // 5 + 1), "too large", 0, id="P05-long"),
        pytest.param(b"[" + b"1," * 60_000 + b"1]", "too large", MAX_NODES + 5, id="P05-wide"),
    ],
)
def test_a_bomb_ends_early(data: bytes, word: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what was read of it: a clock would measure the machine."""
    seen: list[str] = []
    parse = yaml.parse

    def counting(stream: str, Loader: type) -> Iterator[yaml.Event]:  # noqa: N803 - PyYAML's own name
        for event in parse(stream, Loader=Loader):
            seen.append(type(event).__name__)
            yield event

    monkeypatch.setattr(yaml, "parse", counting)
    error = refused(data)
    assert error.code == "POL_MALFORMED"
    assert word in error.message
    assert len(seen) <= most


def test_the_depth_limit_is_exact() -> None:
    assert parse_yaml(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, name="p.yaml") is not None
    assert "nested too deeply" in refused(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).message


SAMPLES = [
    b"a: {b: [x, 'y', \"z\"]}\nt: |\n  two\n  lines\nn: 12\n",
    "ключ: значение\n- not yaml".encode(),
    b"a: >-\n  folded\n  text\nb: ''\nc: ~\n",
    b"- - a\n  - b\n-\n  c: d\n",
]


@pytest.mark.parametrize("data", SAMPLES)
def test_both_parsers_of_pyyaml_see_the_same(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> object:
        try:
            return parse_yaml(data, name="p.yaml")
        except PolicyError as error:
            return error.code

    with_c = read()
    monkeypatch.setattr(yaml_document, "SAFE_LOADER", yaml.SafeLoader)
    assert read() == with_c


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}'\"#&*!|>% \n,?~0", max_size=120).map(str.encode)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    outcome = read_or_refuse(data)
    if isinstance(outcome, PolicyError):
        assert outcome.code in {"POL_MALFORMED", "POL_DUPLICATE_KEY"}
        assert outcome.message.startswith("p.yaml:")
        assert outcome.message.isascii()
    else:
        assert outcome is None or outcome == read_or_refuse(data)


def read_or_refuse(data: bytes) -> Node | PolicyError | None:
    try:
        return parse_yaml(data, name="p.yaml")
    except PolicyError as error:
        return error


DECEIVING = {
    "next-line": "\x85", "line-separator": "\u2028", "paragraph-separator": "\u2029", "vertical-tab": "\v", "form-feed": "\f",
    "carriage-return": "\r", "file-separator": "\x1c", "right-to-left-override": "\u202e", "left-to-right-isolate": "\u2066",
    "pop-isolate": "\u2069", "right-to-left-mark": "\u200f", "arabic-mark": "\u061c", "zero-width-space": "\u200b",
    "word-joiner": "\u2060", "byte-order-mark": "\ufeff", "soft-hyphen": "\xad", "hangul-filler": "\u3164", "tag": "\U000e0041",
    "joiner-in-a-word": "\u200d", "variation-in-a-word": "\ufe0f", "delete": "\x7f", "escape": "\x1b",
}  # fmt: skip


@pytest.mark.parametrize("char", DECEIVING.values(), ids=DECEIVING)
@pytest.mark.parametrize(
    "where", ["a: 1 # c{}x: y\n", "a: x{}y\n", "x{}y: 1\n", "'x{}y': 1\n", "a: 'x{}y'\n", "a: |\n  x{}y\n"]
)
def test_p11_no_character_that_readers_differ_on_stands_anywhere(where: str, char: str) -> None:
    error = refused(where.format(char).encode())
    assert error.code == "POL_MALFORMED"
    assert "readers differ" in error.message
    assert f"U+{ord(char):04X}" in error.seen


@pytest.mark.parametrize("char", [char for char in DECEIVING.values() if char != "\r"])
@pytest.mark.parametrize("where", ['a: "x{}y"\n', '"x{}y": 1\n', '{{"a": ["x{}y"]}}\n'])
def test_p11_an_escape_is_the_character(where: str, char: str) -> None:
    error = refused(where.format(f"\\U{ord(char):08x}").encode())
    assert (error.code, "readers differ" in error.message) == ("POL_MALFORMED", True)


@pytest.mark.parametrize(
    "escape", ["\\N", "\\L", "\\P", "\\x85", "\\u2028", "\\u202E", "\\0", "\\e", "\\a", "\\v", "\\r"]
)
def test_p11_the_short_escapes_of_yaml_are_refused_alike(escape: str) -> None:
    assert "readers differ" in refused(f'a: "x{escape}y"\n'.encode()).message


@pytest.mark.parametrize(
    "text", ["a: high\xa0\n", "a: \xa0high\n", "a: high\xa0# a comment\n", "a: b:\u3000c\n", 'a: "\\_x"\n']
)
def test_p11_a_space_that_parts_nothing_is_refused_where_it_seems_to(text: str) -> None:
    assert "readers differ" in refused(text.encode()).message


@pytest.mark.parametrize(
    "text",
    [
        "a: \xe9t\xe9 \u2013 na\xefve # \xe7a\n", "a: x # \u26a0\ufe0f and \U0001f469\u200d\U0001f469\u200d\U0001f467\n",
        "a: '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'\n", "a: \u4e2d\u6587\u3000\u6587\u5b57\n",
        "# Politique\xa0: stricte\na: x\n", "a: 'Ce qui tourne\xa0: tout'\n", "a: x\r\nb: y\r\n", 'a: "x\\ty\\n"\n',
        "\ufeffa: x\n", "a: \u05e9\u05dc\u05d5\u05dd\n", "a: \u0915\u094d\u200d\u0937\n",
    ],
)  # fmt: skip
def test_p11_twin_what_people_write_in_their_languages_is_read(text: str) -> None:
    assert parse_yaml(text.encode(), name="p.yaml") is not None
