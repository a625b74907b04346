"""Whether what is assigned to a name of a secret can be one: what a generator makes, and what only fills the place.

A generator may put `<`, `${`, a blank or a leading `!` into a password; so nothing is rejected for a character alone, but for the
form of the whole. Specification: checks reference, sections 8.3 and 8.4; YAML 1.2, sections 5.3 and 6.8.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from gate.secrets.validators import entropy, is_mixed, is_type_name

_CODE_MIN: Final = 8
_CODE_ENTROPY: Final = 2.75
_PROSE_MIN: Final = 20
_PROSE_ENTROPY: Final = 4.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What YAML means by these where no quotes stand: a tag, an anchor, an alias.
_YAML_MARK = re.compile(r"!(?:[A-Za-z!][\w/.:-]*)?(?:\s|$)|![A-Za-z][\w/.:-]*\[|[&*][A-Za-z_][\w-]*(?:\s|$)")
_STRUCTURE = re.compile(r"[\[{]\s*(?:[\"'\[{\]}]|$)|\{.*\}|\[.*\]|%\(.*", re.DOTALL)
# References in forms of one program each: Grafana's and PowerShell's, a file or a store that holds the value.
_LOOKED_UP = re.compile(r"\$(?:__)?(?:env|file|vault|secrets?)[:{(].*|\$\[.*\]|\$\w+::\w+", re.IGNORECASE | re.DOTALL)
_ROFF = re.compile(r"\\f[RBIP1-4]|\\\(")
_BEGINS_CALL = re.compile(r"[A-Za-z_][A-Za-z_.]{2,60}\(")
_NAME_SERVICES = re.compile(
    r"(?:(?:compat|files|systemd|ldap|nisplus|nis|db|winbind|sss|altfiles|mymachines|extrausers|\[\S{1,40}\])\s*)+"
)
_WORDS = re.compile(r"[^\W\d_]+(?:['.,:;!?()/-]*\s+[^\W\d_]+)*['.,:;!?()]*")
_SENTENCE = re.compile(r"[A-Z][a-z']{0,20}[,:]?(?:\s+[\w'\"(),.:;/-]+){2,}[.!?]?")
_LEADS_ELSEWHERE = re.compile(r"(?:^|\s)(?:-{1,2}[A-Za-z]|[./~]*/\w|\$|https?:)")
_TWO_WORDS = re.compile(r"(?:^|\s)[A-Za-z]{2,}[,.:;]?\s+[A-Za-z]{2,}")
# Values of code that are no literals: formats, markup, calls, patterns.
_FORMAT = re.compile(
    r"%[-+0-9.]{0,6}[sdiuxfr](?![A-Za-z0-9])|[#$]\{|\{(?:[0-9]{0,2}|[a-z_][a-z_.]{0,40}|[A-Z_.]{1,40})(?:[:!][^{}]{0,40})?\}|</?[A-Za-z][^<>]{0,80}>|\\[A-Za-z0-9]|\[\^?[A-Za-z0-9]-[A-Za-z0-9]"
    r"|^[A-Za-z_][\w.]*\(.*\)$|^[./~]{1,3}\w[\w.-]*(?:/[\w.-]+)*$|^https?:",
    re.DOTALL,
)
# What stands between two strings that code joins, or hands over one after the other: `"password: "+h.hex}throw"`.
_BETWEEN_STRINGS = re.compile(r"\s*(?:[+,.&]|<<|\.\.)\s*[A-Za-z_$][\w$.]*\s*(?:[(\[{})\];,]|(?:[+.&]|<<)\s*$)")
_CAPITALS = re.compile(r"[A-Z0-9_]+", re.ASCII)
_DIGIT = re.compile(r"[0-9]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIN_DIGITS: Final = 2


class Worth(Enum):
    """What a value is worth by its form: none, one that may be a word about secrets, one that looks like a secret."""

    NONE = 0
    DOUBTFUL = 1
    LIKELY = 2


def of_setting(value: str, *, sign: str) -> Worth:
    """Judge a value of a configuration; `sign` is what assigned it without quotes, empty where it stood in quotes."""
    if _CONTROL.search(value) or _LOOKED_UP.fullmatch(value) or _STRUCTURE.fullmatch(value):
        return Worth.NONE
    if sign == ":" and _YAML_MARK.match(value):
        return Worth.NONE
    # What a manual page marks, a call of a program, and the tables of a name service are no values.
    if _ROFF.search(value) or (sign and _BEGINS_CALL.match(value)) or _NAME_SERVICES.fullmatch(value):
        return Worth.NONE
    if " " not in value.strip():
        return Worth.LIKELY
    if _SENTENCE.fullmatch(value) or _LEADS_ELSEWHERE.search(value):
        return Worth.NONE
    return Worth.DOUBTFUL if is_of_words(value) else Worth.LIKELY


def of_code(value: str) -> Worth:
    """Judge a text in quotes of a program: it must look like a secret."""
    if (
        len(value) < _CODE_MIN
        or _CONTROL.search(value)
        or _FORMAT.search(value.replace("\\\\", ""))
        or _BETWEEN_STRINGS.match(value)
        or is_type_name(value)
    ):
        return Worth.NONE
    if _TWO_WORDS.search(value) or (_CAPITALS.fullmatch(value) and not _is_code_of_capitals(value)):
        return Worth.NONE
    is_random = is_mixed(value) and not _UUID.fullmatch(value) and entropy(value) >= _CODE_ENTROPY
    return Worth.LIKELY if is_random else Worth.NONE


def is_random_text(value: str) -> bool:
    """Say whether a value looks random enough to be somebody's in a text for readers."""
    is_long = len(value) >= _PROSE_MIN and entropy(value) >= _PROSE_ENTROPY
    return is_long and all(re.search(one, value) for one in (r"[0-9]", r"[a-z]", r"[A-Z]"))


def is_of_words(value: str) -> bool:
    """Say whether a value is only words, as a translation of "password" is."""
    return bool(_WORDS.fullmatch(_as_text(value)))


def _as_text(value: str) -> str:
    """Return a value whose bytes were read as Latin-1 as the text of UTF-8 that it may be."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _is_code_of_capitals(value: str) -> bool:
    """Say whether capitals are those of a random text, not of a constant: `SHA256`, `AES_128`."""
    return "_" not in value and len(_DIGIT.findall(value)) >= _MIN_DIGITS and entropy(value) >= _CODE_ENTROPY
