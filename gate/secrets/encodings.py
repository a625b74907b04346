"""Text in other clothes: base64, hexadecimal, percent signs, escapes of JSON and XML, UTF-16 and UTF-32.

Looking for encoded text everywhere would cost more than everything else, so that the automaton looks for telling words (names
of secrets, vendors' prefixes) as each encoding spells them: three literals a word for the three phases of base64. Where one
occurs, the block's runs of encoded text are found exactly: printable ASCII leaves bits unset that random data sets, which tells
text from a digest. Everything is bounded by the block. Specification: checks reference, section 8.5; RFC 4648.
"""

from __future__ import annotations

import base64
import html
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gate.secrets.encoded import decoded
from gate.secrets.patterns import Pattern, compile_pattern

# The four letters that three printable bytes (or tab, line feed, carriage return) become: which bits of each can be set.
_QUAD: Final = r"[C-DI-Za-f][ACDEFGHQSTUVWXgijklmnwyz0123][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_SPACE: Final = r"(?:\\[nr]|[\r\n\t ]){0,12}"
_BINARY_BEGINNINGS: Final = {
    # What these become depends on nothing behind them: the first bytes fill whole groups.
    "gzip": "H4sI", "zip": "UEsDB", "java-keystore": "/u3+7QA", "pkcs12": "MI[IJ][A-Za-z0-9+/]{4}IBAz",
    "bzip2": "QlpoO", "xz": "/Td6WFo", "zstd": "KLUv/", "zlib": "eJ[w-z0-9]|eNp?[a-z0-9]|eAE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding: its triggers for telling words, and what decodes all of its runs in a block to (start, text)."""

    name: str
    triggers: Callable[[tuple[str, ...]], tuple[str, ...]]
    decode: Callable[[bytes], Iterator[tuple[int, bytes]]]


# Parts of names of secrets, and of what holds one; each also in capitals and with a first capital.
_WORDS: Final = (
    "pass", "secret", "token", "api_key", "apikey", "_key", "-key", "private", "credential", "auth", "pwd=", "pwd:", "dsn=",
    "username", "http", "postgres", "mysql", "mongodb", "redis", "amqp", "smtp", "connectionstring", "accountkey",
)  # fmt: skip
_EXACT_WORDS: Final = ("apiKey", "ApiKey", "-----BEGIN", "AKIA", "ASIA", "eyJh", '{"auths', "$apr1$")
_MIN_WORD: Final = 4


def telling_words(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return the words that encoded text is looked for by: the common ones, and rules' own prefixes."""
    spelled = (form for word in _WORDS for form in (word, word.upper(), word.capitalize()))
    own = (prefix for prefix in prefixes if len(prefix) >= _MIN_WORD)
    return tuple(dict.fromkeys((*spelled, *_EXACT_WORDS, *own)))


def base64_phases(word: str) -> tuple[str, ...]:
    """Return what base64 makes of a word at each of the three places in a group, without what its neighbours decide."""
    raw = word.encode()
    spelled = (base64.b64encode(bytes(phase) + raw + bytes(3)).decode("ascii") for phase in range(3))
    return tuple(text[(phase * 8 + 5) // 6 : (phase + len(raw)) * 8 // 6] for phase, text in enumerate(spelled))


_LONG_WORDS: Final = ("password", "Password", "PASSWORD", "passwd", "PASSWD", "apikey", "APIKEY")
# What the beginnings of gzip, zip, xz, zstd and bzip2 in base64 become in base64 once more.
_TWICE_BEGINNINGS: Final = ("SDRzS", "VUVzRE", "L1RkNldG", "S0xVdi", "UWxwb0")


def _base64_triggers(words: tuple[str, ...]) -> tuple[str, ...]:
    phases = dict.fromkeys(phase for word in words for phase in base64_phases(word))
    # A short literal counts only among others of the alphabet.
    alphabet = "[A-Za-z0-9+/_-]{8}"
    once = tuple(
        re.escape(phase) if len(phase) > 5 else f"{alphabet}{re.escape(phase)}|{re.escape(phase)}{alphabet}"
        for phase in phases
    )
    # Base64 of base64: only the longer ones, which no other text holds by chance.
    longer = dict.fromkeys(phase for word in (*words, *_LONG_WORDS) for phase in base64_phases(word) if len(phase) > 5)
    twice = dict.fromkeys(again for phase in longer for again in base64_phases(phase) if len(again) > 6)
    return (*once, *map(re.escape, twice), *_TWICE_BEGINNINGS)


def _hex_triggers(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"(?i){word.encode().hex()}" for word in words))


def _wide_triggers(width: int) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    gap = r"\x00" * (width - 1)

    def triggers(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(gap.join(re.escape(letter) for letter in word) for word in words)

    return triggers


def _only(*patterns: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    return lambda _: patterns


_BASE64_TEXT = compile_pattern(rf"(?:{_QUAD}{_SPACE}){{6,}}(?:[A-Za-z0-9+/_-]{{1,3}}={{0,2}})?")
# What begins in the middle of a run is a digest or a picture by chance; a literal line feed ends with a letter.
_BASE64_ANY = compile_pattern(
    rf"(?:^|[^A-Za-z0-9+/]|\\[nrt])((?:{'|'.join(_BINARY_BEGINNINGS.values())})"
    rf"[A-Za-z0-9+/_-]{{16,}}(?:{_SPACE}[A-Za-z0-9+/_-]{{16,}})*"
    r"(?:(?:\\[nr]|[\r\n]){1,2}[ \t]{0,40}[A-Za-z0-9+/_-]{1,15})?={0,2})"
)
# Base64 in lines of any length, each with a mark of a comment or as a string before it: joined, whatever stands between.
_LINE_HEAD: Final = r"""[ \t]{0,40}(?:[#>*;]{1,2}|//|--)?[ \t]{0,4}["'`]?[A-Za-z0-9+/_-]"""
_MARKED_LINE: Final = _LINE_HEAD + r"""{15,}={0,2}["'`]?[ \t]{0,4}[,+.\\&]{0,2}[ \t]{0,4}\r?\n"""
_LINES = compile_pattern(rf"(?:{_MARKED_LINE}){{2,}}(?:{_LINE_HEAD}{{1,200}}={{0,2}})?")
_LINES_TRIGGER: Final = rf"(?:{_MARKED_LINE}){{2}}"
_LINE_RUN = re.compile(rb"[A-Za-z0-9+/_-]{2,}={0,2}")
_BEGINNINGS: Final = (
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"x\x9c",
    b"x\xda",
    b"x\x01",
)
_MIN_JOINED: Final = 24
_TEXT_SHARE: Final = 0.9
_BYTES_ARRAY = compile_pattern(r"(?i)(?:0x[0-9a-f]{2}[, \t\r\n]{1,12}){8,}(?:0x[0-9a-f]{2})?")
_SPACES = re.compile(rb"\\[nr]|\s+")
_HEX_TEXT = compile_pattern(r"(?:[2-7][0-9a-fA-F]|0[9aAdD]){14,}")
_PERCENT = re.compile(rb"%[2-7][0-9A-Fa-f]")
_NAMES: Final = r"(?i)(?:pass(?:w(?:or)?d)?|pwd|secret|token|key|auth|credentials?)"
_PERCENT_TRIGGERS: Final = (
    rf"{_NAMES}(?:%2[27])?(?:%20)?%3[ad]", r"(?i)%3a%2f%2f", r"BEGIN(?:%20|\+)", r"(?i)(?:%[2-7][0-9a-f]){6}",
)  # fmt: skip
_ESCAPE_TRIGGERS: Final = (
    rf"{_NAMES}(?:\\u00|\\x|&#x?)(?:2[27]|3[ad49]|61|58)", rf"{_NAMES}(?:&quot;|&apos;|\\{{1,7}}[\"'])",
    r"(?i)(?:\\u00[2-7][0-9a-f]){4}", r"(?i)(?:\\x[2-7][0-9a-f]){4}", r"(?i)(?:&#x?[0-9a-f]{2,3};){4}",
    r"(?i)[A-Za-z0-9+/]{8}\\u00(?:2[bf]|3d)", r":\\/\\/[^\s\"@]{2,80}@", r"[A-Za-z0-9+/]{6}\\/[A-Za-z0-9+/]{6}",
)  # fmt: skip
_MARK = re.compile(rb"\\u00[2-7][0-9a-fA-F]|\\x[2-7][0-9a-fA-F]|&#x?[0-9]|&quot;|&apos;|\\[/\"']")
# A text in a text in a text has several backslashes before each quote.
_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])|\\x([2-7][0-9a-fA-F])|\\{1,7}([/\"'])")
_UTF16 = compile_pattern(r"(?:[\t\n\r\x20-\x7e]\x00){6,}[\t\n\r\x20-\x7e]?")
_UTF32 = compile_pattern(r"(?:[\t\n\r\x20-\x7e]\x00\x00\x00){6,}[\t\n\r\x20-\x7e]?")
# An escaped character tells that text near it is escaped, too: so far before and behind it.
_BEFORE: Final = 256
_AFTER: Final = 4096


def _runs(pattern: Pattern, decode: Callable[[bytes], bytes]) -> Callable[[bytes], Iterator[tuple[int, bytes]]]:
    def decode_all(block: bytes) -> Iterator[tuple[int, bytes]]:
        for found in pattern.find(block):
            start, end = found.value
            yield start, decode(block[start:end])

    return decode_all


def _around(
    mark: re.Pattern[bytes], decode: Callable[[bytes], bytes]
) -> Callable[[bytes], Iterator[tuple[int, bytes]]]:
    """Decode what stands near the marks; windows that touch are one, so that each byte is decoded once."""

    def decode_all(block: bytes) -> Iterator[tuple[int, bytes]]:
        start = end = -1
        for found in mark.finditer(block):
            if end >= 0 and found.start() > end + _BEFORE:
                yield start, decode(block[start:end])
                start = -1
            start = max(0, found.start() - _BEFORE) if start < 0 else start
            end = min(len(block), found.end() + _AFTER)
        if end >= 0:
            yield start, decode(block[start:end])

    return decode_all


def _from_base64(run: bytes) -> bytes:
    text = _SPACES.sub(b"", run).decode("ascii").rstrip("=")
    return decoded(text) or decoded(text[: len(text) - len(text) % 4])


def _joined_lines(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Decode what stands on lines; text, or what begins like a container."""
    for found in _LINES.find(block):
        runs = (_LINE_RUN.findall(line) for line in block[found.start : found.end].splitlines())
        data = _from_base64(b"".join(max(line, key=len) for line in runs if line).rstrip(b"="))
        if len(data) >= _MIN_JOINED and (_is_text(data) or data.startswith(_BEGINNINGS)):
            yield found.start, data


def _is_text(data: bytes) -> bool:
    return sum(0x20 <= byte < 0x7F or byte in b"\t\r\n" for byte in data) >= _TEXT_SHARE * len(data)


def _from_array(run: bytes) -> bytes:
    return bytes(int(one, 16) for one in re.findall(rb"0[xX]([0-9A-Fa-f]{2})", run))


def _from_hex(run: bytes) -> bytes:
    return bytes.fromhex(run.decode("ascii"))


def _from_escapes(text: bytes) -> bytes:
    plain = _ESCAPE.sub(lambda one: one[3] or bytes.fromhex((one[1] or one[2]).decode("ascii")), text)
    return html.unescape(plain.decode("latin-1")).encode("utf-8") if b"&" in plain else plain


def _from_wide(run: bytes) -> bytes:
    return run.replace(b"\0", b"")


# The order of the list is that of the report; base64 of text, and of what begins like a container.
ENCODINGS: Final = (
    Encoding("base64", _base64_triggers, _runs(_BASE64_TEXT, _from_base64)),
    Encoding(
        "base64",
        _only(rf"(?:{'|'.join(_BINARY_BEGINNINGS.values())})[A-Za-z0-9+/_-]{{16}}"),
        _runs(_BASE64_ANY, _from_base64),
    ),
    Encoding("base64", _only(_LINES_TRIGGER), _joined_lines),
    Encoding("hex", _only(r"(?i)(?:0x[2-7][0-9a-f][, ]{1,2}){8}"), _runs(_BYTES_ARRAY, _from_array)),
    Encoding("hex", _hex_triggers, _runs(_HEX_TEXT, _from_hex)),
    Encoding("url-encoding", _only(*_PERCENT_TRIGGERS), _around(_PERCENT, urllib.parse.unquote_to_bytes)),
    Encoding("escapes", _only(*_ESCAPE_TRIGGERS), _around(_MARK, _from_escapes)),
    Encoding("utf-16", _wide_triggers(2), _runs(_UTF16, _from_wide)),
    Encoding("utf-32", _wide_triggers(4), _runs(_UTF32, _from_wide)),
)
