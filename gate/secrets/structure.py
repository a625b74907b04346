"""Names that values are assigned to, in the forms that configuration files have; each with its key path.

Line by line and without a full parser, so that a template or a damaged file gives what it can: dotenv, INI, properties, YAML,
TOML, HCL, npmrc, shell; JSON as a whole; XML attributes and elements; netrc, pgpass; PHP `define`; quoted assignments in code.
Only what is near a place that the automaton pointed at is read, so that the cost is that of the places and not of the text.
Specification: checks reference, section 8.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gate.secrets.json_settings import find_json, is_json
from gate.secrets.names import TRIGGER_WORDS, kind_of
from gate.secrets.places import Assignment, windows

# Files whose form alone says what is a password; no word of one stands in them.
_FORM_ALONE = re.compile(r"(?:^|/)(?:\.pgpass|[._]netrc)$")

# What the automaton looks for: a word of a secret's name just before what assigns. In settings anything may follow, in code
# only a text in quotes counts, and is looked for with it.
_NAMES: Final = f"(?i){TRIGGER_WORDS}"
SETTING_TRIGGER: Final = (
    rf"""{_NAMES}(?:["'\]>)]{{0,3}}[ \t]{{0,20}}(?:=>|[:=>,(])|["'][ \t]{{1,4}}value[ \t]?=|"""
    r"""["']?[ \t]{0,20}\r?\n[ \t]{1,80}value:)"""
)
_QUOTE: Final = r"""["']?\]?[ \t]{0,20}(?:=>|:=|=|:|,)[ \t]{0,20}[rbuf@]{0,2}"""
CODE_TRIGGER: Final = rf"""{_NAMES}{_QUOTE}(?:"[^"\\\r\n\x00 ]{{6}}|'[^'\\\r\n\x00 ]{{6}})"""

_CONFIGURATION = re.compile(
    r"(?:^|/)(?:\.?env(?:\.[^/]*)?|[^/]*\.env|\.envrc|[^/]*\.(?:properties|ini|cfg|conf|cnf|config|toml|ya?ml|json|tfvars|"
    r"tfstate|xml|plist|hcl|rc|settings|secrets?|credentials)|\.npmrc|\.yarnrc|\.pypirc|\.my\.cnf|\.s3cfg|\.boto|\.gitconfig|"
    r"\.git/config|credentials|config|\.netrc|_netrc|\.pgpass|\.dockercfg|wp-config[^/]*\.php|settings[^/]*\.py|local_settings\.py|"
    r"\.(?:ba|z)?sh(?:rc|_profile|env)|\.(?:ba|z|a)?sh_history|\.profile|environment|Dockerfile[^/]*|docker-compose[^/]*)$",
    re.IGNORECASE,
)
# Files for readers and translators, whose passwords are words about passwords.
_PROSE = re.compile(
    r"\.(?:md|markdown|rst|adoc|html?|txt|po|pot|mo|[1-9]|tex|texi|info|css|svg|csv|lock|sum|d\.ts|map)$"
    r"|(?:^|/)(?:locales?|i18n|lang|l10n|translations?|man\d?|schemas?)/"
    r"|(?:^|/)(?:messages|strings)[^/]*\.|[/._-][a-z]{2}[-_][A-Za-z]{2}\.[a-z]{2,10}$",
    re.IGNORECASE,
)
_LINE = re.compile(
    r"""^(?:\xef\xbb\xbf)?([ \t]*)(?:-[ \t]+)?(?:(?:export|set|setenv|ENV|ARG|local|readonly|const|let|var|//)[ \t]+)?["']?"""
    r"""([A-Za-z_/][\w./@:\[\]-]{0,150}?)["']?[ \t]*(?:=>|:=|=|:(?=[ \t"']|$))[ \t]*(.*)$""",
    re.ASCII,
)
_SECTION = re.compile(r"^[ \t]*\[{1,2}([^\]\r\n]{1,100})\]{1,2}[ \t]*(?:[#;].*)?$")
_STRING = re.compile(r"""[rbuf]{0,2}(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_COMMENT = re.compile(r"[ \t][#;]")
# What stands before a quoted text, read backwards from it: what assigns, and the name.
_NAME_BEFORE = re.compile(
    rb"""[@fubr]{0,2}[ \t]{0,20}(>=|=:|=|:|,)[ \t]{0,20}\]?["']?([\w.-]{1,120})""", re.ASCII | re.IGNORECASE
)
_REST = {quote: re.compile(rb"""[^%b\\\r\n]{0,294}(?=%b)""" % (quote, quote)) for quote in (b'"', b"'")}
# `define("DB_PASSWORD", "...")`: a comma assigns only in a call that sets something; else it parts the items of a list.
_SETTING_CALL = re.compile(
    rb"""(?:define|put|set|add|insert|config|option|property|env)\w*\s?\(\s?["']$""", re.IGNORECASE
)
_CALL_CHARACTERS: Final = 40
_BEFORE_QUOTE: Final = 200
# So much of a value is in what the automaton matches.
_QUOTED_HEAD: Final = 6
_NAMED_VALUE = re.compile(
    r"""\bname:[ \t]{1,20}["']?([\w.-]{1,100})["']?[ \t]*\r?\n[ \t]{1,80}value:[ \t]{1,20}(\S[^\r\n]{3,300})"""
)
_ABOVE: Final = 300
_ABOVE_CHARACTERS: Final = 32 * 1024
# So far before a place its name may begin, and so far behind it its value may end.
_NAME_REACH: Final = 400
_VALUE_REACH: Final = 500
_XML_BEGINNING = re.compile(r"[\xef\xbb\xbf \t\r\n]*<")
_XML_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{0,80})(?:\s[^<>]{0,200})?>([^<>]{4,400})</")
_XML_PAIR = re.compile(r"""(?:name|key)\s?=\s?["']([^"']{1,100})["']\s{1,20}value\s?=\s?["']([^"']{4,400})["']""")
_NETRC = re.compile(
    r"\blogin\s{1,10}\S{1,100}\s{1,10}password\s{1,10}(\S{1,200})|\bpassword\s{1,10}(\S{1,200})\s{1,10}login\b"
)
_PGPASS = re.compile(r"^(?:[^:\s]{1,250}:){2}[^:\s]{1,100}:[^:\s]{1,100}:(\S{1,200})$", re.MULTILINE)
_MAX_LINE: Final = 8192
_LINE_END = re.compile(r"[\r\n]")
# Shorter ones are no secrets, nor what begins a block of several lines.
_MIN_VALUE: Final = 6


def is_configuration(path: str) -> bool:
    """Say whether a file of this name holds settings, so that even a weak password in it is a secret."""
    return bool(_CONFIGURATION.search(path)) and not is_prose(path)


def is_settings_by_form(path: str) -> bool:
    """Say whether a file of this name holds passwords without naming them."""
    return bool(_FORM_ALONE.search(path))


def is_prose(path: str) -> bool:
    """Say whether a file of this name is for readers: documentation, translations, schemas, lock files."""
    return bool(_PROSE.search(path))


def find_settings(path: str, text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield what a configuration file assigns; `text` is its bytes as Latin-1, `ends` where `SETTING_TRIGGER` fits."""
    name = path.rpartition("/")[2].lower()
    if "netrc" in name:
        yield from (Assignment("password", "password", one[1] or one[2], one.start()) for one in _NETRC.finditer(text))
    elif name == ".pgpass":
        yield from (Assignment("password", "password", one[1], one.start(1)) for one in _PGPASS.finditer(text))
    elif is_json(text) and (found := find_json(text, ends)) is not None:
        yield from found
    elif _XML_BEGINNING.match(text) and not name.endswith(".php"):
        yield from find_xml(text, ends)
    else:
        yield from find_lines(text, ends)


def find_lines(text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield assignments that stand on a line each, with the sections or indented keys above them."""
    for start, line in _lines_at(text, ends):
        found = _LINE.match(line) if line.lstrip()[:1] not in {"#", ";", "!"} else None
        if found and len(found[3]) >= _MIN_VALUE and kind_of(found[2]) is not None:
            keys = (*_keys_above(text, start, len(found[1])), found[2])
            yield Assignment(".".join(keys), found[2], _plain(found[3]), start + found.start(3))
    for low, high in windows(ends, len(text), before=_NAME_REACH, after=_VALUE_REACH):
        for found in _NAMED_VALUE.finditer(text, low, high):
            yield Assignment(found[1], found[1], _plain(found[2]), found.start(2))


def _lines_at(text: str, ends: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield where a line with a place in it begins, and the line; each once, a line over the limit not at all."""
    over = 0
    for end in ends:
        if end <= over:
            continue
        start = max(over, text.rfind("\n", over, end) + 1, text.rfind("\r", over, end) + 1)
        found = _LINE_END.search(text, end)
        over = found.start() if found else len(text)
        if over - start <= _MAX_LINE:
            yield start, text[start:over]


def _keys_above(text: str, start: int, indent: int) -> list[str]:
    """Give the keys under which a line stands: those of smaller indent, or the section's name."""
    keys: list[str] = []
    for line in _lines_above(text, start):
        section = _SECTION.match(line) if line.lstrip().startswith("[") else None
        if section:
            return [section[1].strip().strip("\"'"), *reversed(keys)]
        width = len(line) - len(line.lstrip())
        above = _LINE.match(line) if indent and width < indent else None
        if above and above[3] in {"", "{"}:
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


def _plain(written: str) -> str:
    """Give a value without its quotes, comment and comma."""
    string = _STRING.match(written)
    if string:
        return str(string[1] if string[1] is not None else string[2])
    comment = _COMMENT.search(written)
    return (written[: comment.start()] if comment else written).strip().rstrip(",;")


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
        if before[1] != b"," or _SETTING_CALL.search(block, max(0, call - _CALL_CHARACTERS), call):
            name = before[2][::-1].decode("latin-1")
            yield Assignment(name, name, block[start:over].decode("latin-1"), start)


def find_xml(text: str, ends: Sequence[int]) -> Iterator[Assignment]:
    """Yield elements and `name`/`value` pairs of XML."""
    for low, high in windows(ends, len(text), before=_NAME_REACH, after=_VALUE_REACH):
        for pattern in (_XML_ELEMENT, _XML_PAIR):
            yield from (
                Assignment(one[1], one[1], one[2].strip(), one.start(2)) for one in pattern.finditer(text, low, high)
            )
