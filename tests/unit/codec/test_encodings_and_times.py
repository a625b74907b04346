"""One spelling a value: base64, hexadecimal, numbers in text, and times."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.encodings import decode_base64, decode_hex, encode_base64, parse_integer
from gate.codec.strict_json import Fault
from gate.codec.times import format_time, parse_time
from gate.errors import SignatureError

FAULT = Fault(SignatureError, "SIG_MALFORMED", "the bundle")


@given(st.binary())
def test_base64_round_trip(data: bytes) -> None:
    assert decode_base64(encode_base64(data), FAULT, "x") == data


@pytest.mark.parametrize(
    "text", ["QR==", "QQ", "QQ=", "QQ==\n", " QQ==", "Q Q==", "-_-_", "QQ==QQ==", "é", "====", "A"]
)
def test_s27_other_spellings_of_base64(text: str) -> None:
    with pytest.raises(SignatureError) as caught:
        decode_base64(text, FAULT, "x")
    assert caught.value.code == "SIG_MALFORMED"


@given(st.text(max_size=12))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = decode_base64(text, FAULT, "x")
    except SignatureError:
        return
    assert base64.b64encode(data).decode() == text


def test_hexadecimal() -> None:
    assert decode_hex("00ff", FAULT, "x") == b"\x00\xff"
    for text in ("0", "0F", "0x00", " 00", "zz", "00\n"):
        with pytest.raises(SignatureError):
            decode_hex(text, FAULT, "x")


def test_numbers() -> None:
    assert [parse_integer(text, FAULT, "x") for text in ("0", "735", "-2")] == [0, 735, -2]
    for text in ("", "7_3", " 73 ", "+73", "٧٣", "073", "-0", "7.0", "1e3", "73\n", "9" * 30):
        with pytest.raises(SignatureError):
            parse_integer(text, FAULT, "x")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T03:04:05.9999999Z", datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5+02:00", datetime(2026, 1, 2, 1, 4, 5, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    parsed = parse_time(text, FAULT, "x")
    assert parsed == moment
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-01-02", "2026-W01-1", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02t03:04:05z",
        "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+2:00", "2026-01-02T03:04:05+99:00", "2026-01-02T03:04:05Z\n", "0001-01-01T00:00:00+01:00",
        "٢٠٢٦-01-02T03:04:05Z", "2026-01-02T03:04:05.Z",
    ],
)  # fmt: skip
def test_other_times(text: str) -> None:
    with pytest.raises(SignatureError) as caught:
        parse_time(text, FAULT, "x")
    assert caught.value.code == "SIG_MALFORMED"


def test_written_times() -> None:
    east = timezone(timedelta(hours=2))
    assert format_time(datetime(2026, 1, 2, 3, 4, 5, 999999, tzinfo=east)) == "2026-01-02T01:04:05Z"
    assert format_time(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"
    with pytest.raises(ValueError, match="without zone"):
        format_time(datetime(2026, 1, 2))  # noqa: DTZ001 - that is what is refused


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_round_trip(moment: datetime) -> None:
    assert parse_time(format_time(moment), FAULT, "x") == moment.replace(microsecond=0)
