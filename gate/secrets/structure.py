"""Names that values are assigned to, in the forms that configuration files have; each with its key path.

Line by line and without a full parser, so that a template or a damaged file gives what it can: dotenv, INI, properties, YAML,
TOML, HCL, npmrc, shell; JSON as a whole; XML attributes and elements; netrc, pgpass; PHP `define`; quoted assignments in code.
Only what is near a place that the automaton pointed at is read, so that the cost is that of the places and not of the text.
Specification: checks reference, section 8.4.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from gate.secrets.file_names import name_of_secret_file
from gate.secrets.json_settings import find_json, is_json
from gate.secrets.names import TRIGGER_WORDS, kind_of
from gate.secrets.places import Assignment, windows

# What the automaton looks for: a word of a secret's name just before what assigns. In settings anything may follow, in code
# only a text in quotes counts, and is looked for with it.
_NAMES: Final = f"(?i){TRIGGER_WORDS}"
SETTING_TRIGGER: Final = (
    rf"""{_NAMES}(?:["'\]>)]{{0,3}}[ \t]{{0,20}}(?:=>|[:=>,(])|["'][ \t]{{1,4}}value[ \t]?=|"""
    r"""["']?[ \t]{0,20}\r?\n[ \t]{1,80}value:)"""
)
_QUOTE: Final = r"""["']?\]?[ \t]{0,20}(?:=>|:=|=|:|,|\()[ \t]{0,20}[rbuf@]{0,2}"""
CODE_TRIGGER: Final = rf"""{_NAMES}{_QUOTE}(?:"[^"\r\n\x00]{{6}}|'[^'\r\n\x00]{{6}})"""

_LINE = re.compile(
    r"""^(?:\xef\xbb\xbf)?([ \t]*)(?:-[ \t]+)?"""
    r"""(?:(?:export|set|setenv|setx|ENV|ARG|local|readonly|declare|const|let|var|env|//)[ \t]+)?["']?"""
    r"""([A-Za-z_/][\w./@:\[\]-]{0,150}?)["']?[ \t]*(=>|:=|\?=|=|:(?=[ \t"']|$))[ \t]*(.*)$""",
    re.ASCII,
)
# For lines that are too long to be read as one: what stands before and behind the sign.
_NAME_BEFORE_SIGN = re.compile(r"""(>=|=:|[=:])[ \t]{0,20}["']?([\w.-]{1,150})(?![\w.:/-])""", re.ASCII)
_VALUE_AT = re.compile(r"""[ \t]{0,20}(?:"([^"]{1,512})"|'([^']{1,512})'|((?:[^\s"'&|;,<>\\]|\\[^nrt]){1,512}))""")
_UNQUOTED: Final = 3
_SECTION = re.compile(r"^[ \t]*\[{1,2}([^\]\r\n]{1,100})\]{1,2}[ \t]*(?:[#;].*)?$")
_STRING = re.compile(r"""[rbuf]{0,2}(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_COMMENT = re.compile(r"[ \t][#;]")
# What stands before a quoted text, read backwards from it: what assigns, and the name.
_NAME_BEFORE = re.compile(
    rb"""[@fubr]{0,2}[ \t]{0,20}(>=|=:|=|:|,|\()[ \t]{0,20}\]?["']?([\w.-]{1,120})""", re.ASCII | re.IGNORECASE
)
_REST = {quote: re.compile(rb"""(?:[^%b\\\r\n]|\\[^\r\n]){0,294}(?=%b)""" % (quote, quote)) for quote in (b'"', b"'")}
# `define("DB_PASSWORD", "...")`: a comma assigns only in a call that sets something; else it parts the items of a list.
_SETTING_CALL = re.compile(
    rb"""(?:define|put|set|add|insert|config|option|property|env)\w*\s?\(\s?["']$""", re.IGNORECASE
)
# `setPassword("...")`, `.password("...")`: what reads or translates has such a name as well.
_SETTER = re.compile(
    rb"(?i)(?:[\w.]*\.)?(?:set|with|use|put)?_?(?:[a-z]{0,20}_?)(?:password|passwd|pwd|passphrase|secret|token|key)"
)
_CALL_CHARACTERS: Final = 40
_BEFORE_QUOTE: Final = 200
# So much of a value is in what the automaton matches.
_QUOTED_HEAD: Final = 6
_NAMED_VALUE = re.compile(
    r"""\b(?:name|key):[ \t]{1,20}["']?([\w.-]{1,100})["']?[ \t]*\r?\n[ \t]{1,80}value:[ \t]{1,20}(\S[^\r\n]{3,300})"""
)
# A value in a block below its name.
_BLOCK_VALUE = re.compile(
    r"""(?m)^[ \t]{0,80}(?:-[ \t]{1,8})?["']?([\w.-]{1,100})["']?:[ \t]{1,20}[|>][+-]?[ \t]*\r?\n[ \t]{1,80}(\S[^\r\n]{3,300})"""
)
_ABOVE: Final = 300
_ABOVE_CHARACTERS: Final = 32 * 1024
# So far before a place its name may begin, and so far behind it its value may end.
_NAME_REACH: Final = 400
_VALUE_REACH: Final = 500
_XML_BEGINNING = re.compile(r"[\xef\xbb\xbf \t\r\n]*<")
_XML_ELEMENT = re.compile(
    r"<([A-Za-z_][\w.:-]{0,80})(?:\s[^<>]{0,200})?>\s{0,80}(?:<!\[CDATA\[)?([^<]{4,400}?)(?:\]\]>)?\s{0,80}</"
)
_XML_PAIR = re.compile(r"""(?:name|key)\s?=\s?["']([^"']{1,100})["']\s{1,20}value\s?=\s?["']([^"']{4,400})["']""")
_NETRC = re.compile(
    r"\blogin\s{1,10}\S{1,100}\s{1,10}password\s{1,10}(\S{1,200})|\bpassword\s{1,10}(\S{1,200})\s{1,10}login\b"
)
_PGPASS = re.compile(r"^(?:[^:\s]{1,250}:){2}[^:\s]{1,100}:[^:\s]{1,100}:(\S{1,200})$", re.MULTILINE)
_MAX_LINE: Final = 8192
_MAX_INDENT: Final = 200
# A file that is one secret is not larger; one that assigns is settings.
_MAX_WHOLE_BYTES: Final = 4096
_ASSIGNS = re.compile(r"[A-Za-z_][\w.-]{0,80}(?:[ \t]*=[^=]|:[ \t])|[#<{\[]")
_LINE_END = re.compile(r"[\r\n]")
# Shorter ones are no secrets, nor what begins a block of several lines.
_MIN_VALUE: Final = 6


def find_settings(path: str, text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield what a configuration file assigns; `text` is its bytes as Latin-1, `ends` where `SETTING_TRIGGER` fits."""
    name = path.rpartition("/")[2].lower()
    if is_json(text) and (found := find_json(text, ends)) is not None:
        yield from found
    elif _XML_BEGINNING.match(text) and not name.endswith(".php"):
        yield from find_xml(text, ends)
    else:
        yield from find_lines(text, ends)


def find_lines(text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield assignments that stand on a line each, with the sections or indented keys above them."""
    for start, over, places in _lines_at(text, ends):
        line = list(_on_line(text, start, over)) if over - start <= _MAX_LINE else []
        # A line that is too long, or that is about something else: a command, a list of variables, options of a program.
        yield from line or _inside_line(text, start, places)
    for low, high in windows(ends, len(text), before=_NAME_REACH, after=_VALUE_REACH):
        for pattern in (_NAMED_VALUE, _BLOCK_VALUE):
            for found in pattern.finditer(text, low, high):
                yield Assignment(found[1], found[1], _plain(found[2])[0], found.start(2))


def _on_line(text: str, start: int, over: int) -> Iterator[Assignment]:
    line = text[start:over]
    found = _LINE.match(line) if line.lstrip()[:1] not in {"#", ";", "!"} else None
    if found and len(found[4]) >= _MIN_VALUE and kind_of(found[2]) is not None and not _is_result(found):
        keys = (*_keys_above(text, start, len(found[1])), found[2])
        value, is_quoted = _plain(found[4])
        sign = "" if is_quoted else found[3][-1]
        yield Assignment(".".join(keys), found[2], value, start + found.start(4), sign=sign)


def _is_result(found: re.Match[str]) -> bool:
    """Say whether a line is the result of a test: `PASS: name of it`."""
    return found[2] == "PASS" and found[3] == ":"


def _inside_line(text: str, start: int, places: Sequence[int]) -> Iterator[Assignment]:
    """Yield what stands in a line, each by what is right before and behind its sign; nothing of a comment."""
    if text[start : start + _MAX_INDENT].lstrip()[:1] in {"#", ";", "!"}:
        return
    over = start
    for end in places:
        if end < over:
            continue
        before = _NAME_BEFORE_SIGN.match(text[max(start, end - _NAME_REACH) : end][::-1])
        value = _VALUE_AT.match(text, end) if before else None
        name = before[2][::-1] if before else ""
        if before and name == "PASS" and before[1] == ":":
            continue
        if before and value and kind_of(name) is not None:
            over = value.end()
            group = next(number for number in (1, 2, 3) if value[number] is not None)
            sign = before[1][0] if group == _UNQUOTED else ""
            yield Assignment(name, name, value[group], value.start(group), sign=sign)


def _lines_at(text: str, ends: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield start and end of each line with places in it, and these places."""
    over, start, places = -1, 0, list[int]()
    for end in ends:
        if end > over:
            if places:
                yield start, over, places
            low = max(0, over)
            start = max(low, text.rfind("\n", low, end) + 1, text.rfind("\r", low, end) + 1)
            found = _LINE_END.search(text, end)
            over, places = found.start() if found else len(text), []
        places.append(end)
    if places:
        yield start, over, places


def _keys_above(text: str, start: int, indent: int) -> list[str]:
    """Return the keys under which a line stands: those of smaller indent, or the section's name."""
    keys: list[str] = []
    for line in _lines_above(text, start):
        section = _SECTION.match(line) if line.lstrip().startswith("[") else None
        if section:
            return [section[1].strip().strip("\"'"), *reversed(keys)]
        width = len(line) - len(line.lstrip())
        above = _LINE.match(line) if indent and width < indent else None
        if above and above[4] in {"", "{"}:
            keys.append(above[2])
            indent = width
    return keys[::-1]


def _lines_above(text: str, start: int) -> Iterator[str]:
    """Yield the whole lines before a place, the nearest one first: so many of so many characters in all."""
    low = max(0, start - _ABOVE_CHARACTERS)
    for _ in range(_ABOVE):
        end, start = start - 1, text.rfind("\n", low, start - 1) + 1
        if end <= low or (low and not start):
            return
        yield text[start:end].rstrip("\r")


def _plain(written: str) -> tuple[str, bool]:
    """Return a value without its quotes, comment and comma, and whether it stood in quotes."""
    string = _STRING.match(written)
    if string:
        return str(string[1] if string[1] is not None else string[2]), True
    comment = _COMMENT.search(written)
    return (written[: comment.start()] if comment else written).strip().rstrip(",;"), False


def find_by_form(path: str, block: bytes) -> Iterator[Assignment]:
    """Yield the passwords of a file whose form or name alone says where they stand."""
    name, whole = path.rpartition("/")[2].lower(), name_of_secret_file(path)
    if "netrc" in name:
        text = block.decode("latin-1")
        yield from (Assignment("password", "password", one[1] or one[2], one.start()) for one in _NETRC.finditer(text))
    elif "pgpass" in name:
        text = block.decode("latin-1")
        yield from (Assignment("password", "password", one[1], one.start(1)) for one in _PGPASS.finditer(text))
    elif whole is not None and len(block) <= _MAX_WHOLE_BYTES:
        value = block.strip().decode("latin-1")
        if len(value) >= _MIN_VALUE and not _LINE_END.search(value) and not _ASSIGNS.match(value):
            yield Assignment(whole, whole, value, block.find(value.encode("latin-1")), is_whole_file=True)


def find_quoted(block: bytes, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield quoted texts that code assigns to names; `ends` are where `CODE_TRIGGER` fits."""
    over = 0
    for end in ends:
        start = end - _QUOTED_HEAD
        rest = _REST[block[start - 1 : start]].match(block, end) if start > over else None
        before = _NAME_BEFORE.match(block[max(0, start - 1 - _BEFORE_QUOTE) : start - 1][::-1]) if rest else None
        if rest is None or before is None:
            continue
        over = rest.end()
        call = start - 1 - before.end()
        if before[1] == b"(" and not _SETTER.fullmatch(before[2][::-1]):
            continue
        if before[1] != b"," or _SETTING_CALL.search(block, max(0, call - _CALL_CHARACTERS), call):
            name = before[2][::-1].decode("latin-1")
            yield Assignment(name, name, block[start:over].decode("latin-1"), start)


def find_xml(text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield elements and `name`/`value` pairs of XML."""
    for low, high in windows(ends, len(text), before=_NAME_REACH, after=_VALUE_REACH):
        for pattern in (_XML_ELEMENT, _XML_PAIR):
            yield from (
                Assignment(one[1], one[1], html.unescape(one[2].strip()), one.start(2))
                for one in pattern.finditer(text, low, high)
            )
