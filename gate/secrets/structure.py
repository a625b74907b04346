"""Names that values are assigned to, in the forms that configuration files have; each with its key path.

Line by line and without a full parser, so that a template or a damaged file gives what it can: dotenv, INI, properties, YAML,
TOML, HCL, npmrc, shell; JSON as a whole; XML attributes and elements; netrc, pgpass; PHP `define`; quoted assignments in code.
Specification: checks reference, section 8.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from gate.secrets.assignments import kind_of
from gate.secrets.patterns import compile_pattern

# Files whose form alone says what is a password; no word of one stands in them.
_FORM_ALONE = re.compile(r"(?:^|/)(?:\.pgpass|[._]netrc)$")

# What the automaton looks for: a word of a secret's name just before what assigns. In settings anything may follow, in code
# only a text in quotes counts, and is looked for with it.
_WORDS: Final = (
    r"(?:passw(?:or)?[dt]|passphrase|\bpass|[_.-]pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"auth[_-]?key|encryption[_-]?key|credentials?|auth|dsn|connection[_-]?string|master[_-]?key)[a-z0-9_-]{0,24}"
)
_NAMES: Final = f"(?i){_WORDS}"
SETTING_TRIGGER: Final = rf"""{_NAMES}(?:["'\]>)]{{0,3}}[ \t]{{0,20}}(?:=>|[:=>,(])|["'][ \t]{{1,4}}value[ \t]?=)"""
_QUOTE: Final = r"""["']?\]?[ \t]{0,20}(?:=>|:=|=|:|,)[ \t]{0,20}[rbuf@]{0,2}"""
CODE_TRIGGER: Final = rf"""{_NAMES}{_QUOTE}["'][^"'\\\r\n\x00 ]{{6}}"""

_CONFIGURATION = re.compile(
    r"(?:^|/)(?:\.?env(?:\.[^/]*)?|[^/]*\.env|\.envrc|[^/]*\.(?:properties|ini|cfg|conf|cnf|config|toml|ya?ml|json|tfvars|"
    r"tfstate|xml|plist|hcl|rc|settings|secrets?|credentials)|\.npmrc|\.yarnrc|\.pypirc|\.my\.cnf|\.s3cfg|\.boto|\.gitconfig|"
    r"\.git/config|credentials|config|\.netrc|_netrc|\.pgpass|\.dockercfg|wp-config[^/]*\.php|settings[^/]*\.py|local_settings\.py|"
    r"\.(?:ba|z)?sh(?:rc|_profile|env)|\.profile|environment|Dockerfile[^/]*|docker-compose[^/]*)$",
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
    r"""^([ \t]*)(?:-[ \t]+)?(?:(?:export|set|setenv|ENV|ARG|local|readonly|const|let|var|//)[ \t]+)?["']?"""
    r"""([A-Za-z_/][\w./@:\[\]-]{0,150}?)["']?[ \t]*(?:=>|:=|=|:(?=[ \t"']|$))[ \t]*(.*)$""",
    re.ASCII,
)
_SECTION = re.compile(r"^[ \t]*\[{1,2}([^\]\r\n]{1,100})\]{1,2}[ \t]*(?:[#;].*)?$")
_STRING = re.compile(r"""[rbuf]{0,2}(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_COMMENT = re.compile(r"[ \t][#;]")
_QUOTED = compile_pattern(
    rf"""(?i)(?P<name>[\w.-]{{0,60}}{_WORDS}){_QUOTE}"""
    r"""(?:"(?P<double>[^"\\\r\n]{6,300})"|'(?P<single>[^'\\\r\n]{6,300})')"""
)
# `define("DB_PASSWORD", "...")`: a comma assigns only in a call that sets something; else it parts the items of a list.
_SETTING_CALL = re.compile(
    r"""(?:define|put|set|add|insert|config|option|property|env)\w*\s?\(\s?["']$""", re.IGNORECASE
)
_CALL_CHARACTERS: Final = 40
# Lines that can assign a secret; the keys above them are looked up only then.
# Looked for as plain text: ten look-ups in a line cost a tenth of one search that ignores case.
_TELLING: Final = ("pass", "pwd", "secret", "token", "key", "credential", "auth", "dsn", "connection", "string")
_NAMED_VALUE = re.compile(
    r"""\bname:[ \t]{1,20}["']?([\w.-]{1,100})["']?[ \t]*\r?\n[ \t]{1,80}value:[ \t]{1,20}(\S[^\r\n]{3,300})"""
)
_ABOVE: Final = 300
_XML_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{0,80})(?:\s[^<>]{0,200})?>([^<>]{4,400})</")
_XML_PAIR = re.compile(r"""(?:name|key)\s?=\s?["']([^"']{1,100})["']\s{1,20}value\s?=\s?["']([^"']{4,400})["']""")
_NETRC = re.compile(
    r"\blogin\s{1,10}\S{1,100}\s{1,10}password\s{1,10}(\S{1,200})|\bpassword\s{1,10}(\S{1,200})\s{1,10}login\b"
)
_PGPASS = re.compile(r"^(?:[^:\s]{1,250}:){2}[^:\s]{1,100}:[^:\s]{1,100}:(\S{1,200})$", re.MULTILINE)
NO_OFFSET: Final = -1
_MAX_JSON_DEPTH: Final = 60
_MAX_LINE: Final = 8192


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value and the name that it is assigned to; `offset` is where the value begins, or `NO_OFFSET`."""

    key_path: str
    name: str
    value: str
    offset: int


def is_configuration(path: str) -> bool:
    """Say whether a file of this name holds settings, so that even a weak password in it is a secret."""
    return bool(_CONFIGURATION.search(path)) and not is_prose(path)


def is_settings_by_form(path: str) -> bool:
    """Say whether a file of this name holds passwords without naming them."""
    return bool(_FORM_ALONE.search(path))


def is_prose(path: str) -> bool:
    """Say whether a file of this name is for readers: documentation, translations, schemas, lock files."""
    return bool(_PROSE.search(path))


def find_settings(path: str, text: str) -> Iterator[Assignment]:
    """Yield what a configuration file assigns; `text` is its bytes as Latin-1."""
    name = path.rpartition("/")[2].lower()
    if "netrc" in name:
        yield from (Assignment("password", "password", one[1] or one[2], one.start()) for one in _NETRC.finditer(text))
    elif name == ".pgpass":
        yield from (Assignment("password", "password", one[1], one.start(1)) for one in _PGPASS.finditer(text))
    elif text.lstrip("\ufeff\xef\xbb\xbf \t\r\n")[:1] in {"{", "["} and (found := _json(text)) is not None:
        yield from found
    elif text.lstrip("\xef\xbb\xbf \t\r\n").startswith("<") and not name.endswith(".php"):
        yield from find_xml(text)
    else:
        yield from find_lines(text)
        if name.endswith(".php"):
            yield from find_quoted(text)


def find_lines(text: str) -> Iterator[Assignment]:
    """Yield assignments that stand on a line each, with the sections or indented keys above them."""
    lines, at = text.splitlines(keepends=True), 0
    # Latin-1 in lower case has the same lines.
    for number, (line, lowered) in enumerate(zip(lines, text.lower().splitlines(), strict=True)):
        start, at = at, at + len(line)
        is_telling = any(word in lowered for word in _TELLING)
        if len(line) > _MAX_LINE or not is_telling or line.lstrip()[:1] in {"#", ";", "!"}:
            continue
        found = _LINE.match(line.rstrip("\r\n"))
        if found and found[3] not in {"", "|", ">", "|-", ">-", "{"} and kind_of(found[2]) is not None:
            keys = (*_keys_above(lines, number, len(found[1])), found[2])
            yield Assignment(".".join(keys), found[2], _plain(found[3]), start + found.start(3))
    for found in _NAMED_VALUE.finditer(text):
        yield Assignment(found[1], found[1], _plain(found[2]), found.start(2))


def _keys_above(lines: list[str], number: int, indent: int) -> list[str]:
    """Give the keys under which a line stands: those of smaller indent, or the section's name."""
    keys: list[str] = []
    for line in reversed(lines[max(0, number - _ABOVE) : number]):
        section = _SECTION.match(line.rstrip("\r\n")) if line.lstrip().startswith("[") else None
        if section:
            return [section[1].strip().strip("\"'"), *reversed(keys)]
        width = len(line) - len(line.lstrip())
        above = _LINE.match(line.rstrip("\r\n")) if indent and width < indent and len(line) <= _MAX_LINE else None
        if above and above[3] in {"", "{"}:
            keys.append(above[2])
            indent = width
    return keys[::-1]


def _plain(written: str) -> str:
    """Give a value without its quotes, comment and comma."""
    string = _STRING.match(written)
    if string:
        return str(string[1] if string[1] is not None else string[2])
    comment = _COMMENT.search(written)
    return (written[: comment.start()] if comment else written).strip().rstrip(",;")


def find_quoted(text: str) -> Iterator[Assignment]:
    """Yield quoted texts that code assigns to names."""
    for found in _QUOTED.find(text.encode("latin-1")):
        name = found.groups["name"].decode("latin-1")
        value = found.groups.get("double", found.groups.get("single", b"")).decode("latin-1")
        start = text.rfind(name, 0, found.end - len(value))
        is_list = "," in text[start + len(name) : found.end - len(value) - 1]
        if not is_list or _SETTING_CALL.search(text, max(0, start - _CALL_CHARACTERS), start):
            yield Assignment(name, name, value, found.end - len(value) - 1)


def find_xml(text: str) -> Iterator[Assignment]:
    """Yield elements and `name`/`value` pairs of XML, and quoted attributes."""
    for pattern in (_XML_ELEMENT, _XML_PAIR):
        yield from (Assignment(one[1], one[1], one[2].strip(), one.start(2)) for one in pattern.finditer(text))
    yield from find_quoted(text)


# The steps from the top of a document, the last one first: written out only for the few that are shown.
_Path: TypeAlias = "tuple[_Path, str] | None"


def _dotted(path: _Path) -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return "".join(reversed(steps)).lstrip(".")


def _json(text: str) -> list[Assignment] | None:
    try:
        value = json.loads(text.lstrip("\ufeff\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    found: list[Assignment] = []
    stack: list[tuple[_Path, str, object, int]] = [(None, "", value, 0)]
    while stack:
        path, name, node, depth = stack.pop()
        if isinstance(node, str):
            if len(node) >= 4 and name and kind_of(name) is not None:
                found.append(Assignment(_dotted(path), name, node, NO_OFFSET))
        elif depth < _MAX_JSON_DEPTH and isinstance(node, dict):
            pairs = [((path, f".{key}"), str(key), item, depth + 1) for key, item in node.items()]
            stack.extend(reversed([*pairs, *_named_pair(path, node, depth)]))
        elif depth < _MAX_JSON_DEPTH and isinstance(node, list):
            stack.extend(((path, f"[{number}]"), "", item, depth + 1) for number, item in enumerate(node))
    return found


def _named_pair(path: _Path, node: dict[str, object], depth: int) -> list[tuple[_Path, str, object, int]]:
    """Read `{"name": "DB_PASSWORD", "value": "..."}` as what it says: containers' environments are written so."""
    name, value = node.get("name", node.get("key")), node.get("value")
    if not isinstance(name, str) or not isinstance(value, str):
        return []
    return [((path, f".{name}"), name, value, depth + 1)]
