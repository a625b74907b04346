"""Attack A16: JSON that Python reads and another reader reads otherwise, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.strict_json import (
    Fault,
    JsonValue,
    ObjectView,
    canonical_json,
    parse_json,
    parse_object,
    parse_objects,
    printable,
)
from gate.errors import AttestationError, GateError, ImageError, RegistryError

FAULT = Fault(ImageError, "IMG_MALFORMED", "the manifest")


def parse(data: bytes, limit: int = 1 << 22) -> JsonValue:
    return parse_json(data, FAULT, limit_bytes=limit, limit_code="LIMIT_BLOB")


def view(**fields: JsonValue) -> ObjectView:
    return ObjectView(fields, FAULT)


@pytest.mark.parametrize(
    "data",
    [
        b'{"verdict":"FAIL","verdict":"PASS"}', b'{"verdict":"PASS","verdict":"FAIL"}', b'[{"a":{"b":1,"b":1}}]',
        b"[NaN]", b"[Infinity]", b"[-Infinity]", b"[1e999]", b"[-1e999]", b"[" + b"9" * 5000 + b"]",
        b"[18446744073709551616]", b'["\\ud800"]', b'["\\udc00\\ud800"]', b'{"\\ud800":1}', b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"), "{}".encode("utf-32"), b'["\xff"]', b'["\xc0\x80"]', b'["\xed\xa0\x80"]', b"", b"{",
        b"{}{}", b"[1,]", b"{'a':1}", b"[01]", b"[+1]", b'["\n"]', b"// x\n[]", b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000, b'["\\"' + b"[" * 3, b"\\" + b"[" * 200_000,
    ],
)  # fmt: skip
def test_a16_refused(data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        parse(data)
    assert caught.value.code == "IMG_MALFORMED"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"verdict":"PASS"}', {"verdict": "PASS"}),
        (b"[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b'["[[[[", "\\"[", "\\\\"]', ["[[[[", '"[', "\\"]),
        (b'["\\ufeff"]', ["\ufeff"]),
        (b" [1.5e3, true, null] ", [1500.0, True, None]),
    ],
)
def test_accepted(data: bytes, value: JsonValue) -> None:
    assert parse(data) == value


def test_depth_is_exact() -> None:
    assert parse(b"[" * 64 + b"]" * 64)
    # Brackets in texts are no depth, however many, and escapes do not hide the end of a text.
    assert parse(b'["' + b"[{" * 1000 + b'\\\\", "\\\\\\"' + b"[" * 1000 + b'"]')


def test_the_caller_names_the_error() -> None:
    with pytest.raises(AttestationError) as caught:
        parse_object(b"[]", Fault(AttestationError, "ATT_MALFORMED", "the statement"), limit_bytes=10)
    assert caught.value.code == "ATT_MALFORMED"


def test_size_is_bounded_before_anything_is_parsed() -> None:
    assert parse(b"[1]", 3) == [1]
    with pytest.raises(ImageError) as caught:
        parse(b"[" * 4, 3)
    assert caught.value.code == "LIMIT_BLOB"


def test_a_single_fault_has_one_code() -> None:
    fault = Fault(RegistryError, "REG_MALFORMED", "the list", single=True)
    assert fault.refuse("is ambiguous", code="IMG_AMBIGUOUS").code == "REG_MALFORMED"
    assert FAULT.refuse("is ambiguous", code="IMG_AMBIGUOUS").code == "IMG_AMBIGUOUS"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_and_written_again(value: JsonValue) -> None:
    written = canonical_json(value)
    assert parse(written) == value
    assert canonical_json(parse(written)) == written
    # Another spelling of the same document comes to the same bytes.
    assert canonical_json(parse(json.dumps(value, indent=1).encode())) == written


@given(st.binary(max_size=60))
def test_no_bytes_end_in_another_error(data: bytes) -> None:
    try:
        parse(data)
    except ImageError:
        return
    json.loads(data.decode("utf-8"))


def test_canonical_form() -> None:
    assert canonical_json({"b": [1, "é/<"], "a": None}) == '{"a":null,"b":[1,"é/<"]}'.encode()


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), {"a": [0.5]}, {1: "a"}, (1, 2), b"x"])
def test_what_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)  # type: ignore[arg-type]


def test_accessors() -> None:
    digest = "sha256:" + "a" * 64
    shown = view(
        text="x", number=3, yes=True, ratio=0.5, digest=digest, object={"a": 1}, objects=[{"a": 1}, {"a": 2}],
        texts=["a", "b"], map={"k": "v"}, null=None,
    )  # fmt: skip
    assert (shown.text("text"), shown.integer("number"), shown.digest("digest").text) == ("x", 3, digest)
    assert (shown.optional_boolean("yes"), shown.optional_number("ratio")) == (True, 0.5)
    assert [item.integer("a") for item in shown.objects("objects")] == [1, 2]
    assert (shown.texts("texts"), dict(shown.optional_text_map("map"))) == (("a", "b"), {"k": "v"})
    assert shown.object("object").integer("a") == 1
    assert "null" in shown
    assert not shown.has("null")


@pytest.mark.parametrize("key", ["null", "absent"])
def test_optional_fields_are_empty_where_they_are_absent_or_null(key: str) -> None:
    shown = view(null=None)
    assert (shown.optional_text(key), shown.optional_integer(key), shown.optional_number(key)) == ("", None, None)
    assert (shown.optional_object(key), shown.optional_objects(key), shown.optional_texts(key)) == (None, (), ())
    assert (shown.optional_boolean(key), dict(shown.optional_text_map(key))) == (False, {})


@pytest.mark.parametrize(
    ("accessor", "value"),
    [
        ("text", 1), ("text", None), ("integer", "1"), ("integer", True), ("integer", 1.0), ("integer", -1),
        ("digest", "sha256:x"), ("digest", "SHA256:" + "a" * 64), ("object", []), ("objects", {}), ("objects", [1]),
        ("texts", [1]), ("texts", "a"), ("optional_text", 1), ("optional_integer", "1"), ("optional_number", True),
        ("optional_boolean", 1), ("optional_boolean", "true"), ("optional_object", ""), ("optional_texts", {}),
        ("optional_text_map", {"a": 1}), ("optional_objects", [None]),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_refused_with_its_place(accessor: str, value: JsonValue) -> None:
    inner = ObjectView({"outer": {"field": value}}, FAULT).object("outer")
    with pytest.raises(ImageError) as caught:
        getattr(inner, accessor)("field")
    assert caught.value.code == "IMG_MALFORMED"
    assert "outer.field" in str(caught.value)


def test_unknown_fields_are_refused() -> None:
    view(a=1).only(("a", "b"))
    with pytest.raises(ImageError):
        view(a=1, c=2).only(("a", "b"))


def test_a_list_of_objects() -> None:
    assert [item.integer("a") for item in parse_objects(b'[{"a":1}]', FAULT, limit_bytes=99)] == [1]
    for data in (b"{}", b"[1]"):
        with pytest.raises(ImageError):
            parse_objects(data, FAULT, limit_bytes=99)


def test_o01_foreign_text_cannot_command_a_terminal() -> None:
    assert printable("a\r\n::stop\x1b[31m\u202eé") == "a\\r\\n::stop\\x1b[31m\\u202e\\xe9"
    assert printable("x" * 500) == "x" * 120 + "..."
    with pytest.raises(GateError) as caught:
        parse(b'{"\\u001b[31m":"' + b"x" * 5 + b'","\\u001b[31m":1}')
    assert "\x1b" not in str(caught.value)
