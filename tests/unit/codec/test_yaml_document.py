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
        pytest.param(b"a: \x00\n", "POL_MALFORMED", "1:1", "YAML", id="P05-control-character"),
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
