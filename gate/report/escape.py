r"""Foreign text made harmless before it is shown: on a terminal, in a log, in the output of a CI step.

Everything that comes from an image, a registry, a scanner or a policy may be written to deceive its reader: control and
escape sequences that rewrite the screen, characters that turn the direction of text or cannot be seen, letters of another
script that look like Latin ones, and lines that a CI runner takes for commands (`::stop-commands::`, `##[error]`, which the
GitHub and Azure runners find in any output of a step). What is replaced stays readable, as `\x1b`, `\u202e` or `\x3a`.

Specification: attacks O01, O02, O04; the runner's grammar is that of `ActionCommand` in actions/runner.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gate.codec.strict_json import JsonValue

MAX_LENGTH: Final = 400
# Cc controls, Cf invisible and bidirectional formats, Co private use, Cs half pairs (bytes of a path that is not UTF-8),
# Cn unassigned, Zl and Zp line and paragraph separators.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# More marks on one letter than any script needs hide the lines above and below it.
_STACKED: Final = re.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3,}")
# `[::1]` is an address of a registry; everything else with two colons could begin a command of the runner.
_COMMAND: Final = re.compile(r"(?<!\[):(?=:)")
# `##[error]` is a command anywhere in a line, `##vso[...]` and `##teamcity[...]` at its start.
_LEGACY_COMMAND: Final = re.compile(r"#(?=#[A-Za-z.]{0,20}\[)")
_LINE_COMMAND: Final = re.compile(r"^((?:\x1b\[[0-9;]*m|\s)*):(?=:)", re.MULTILINE)
# Each escape of a JSON string, a whole pair as one; a half pair, which no strict reader takes, in the group.
_JSON_ESCAPE: Final = re.compile(r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(ud[89a-f][0-9a-f]{2})|.)")


def visible(text: str, limit: int = MAX_LENGTH) -> str:
    """Return one line of prose without anything that acts: letters of every script stay, `limit` is in characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    shown = "".join(_shown(character) for character in cut)
    return _break_commands(_STACKED.sub(lambda match: "".join(map(_coded, match[0])), shown))


def identifier(text: str, limit: int = MAX_LENGTH) -> str:
    """Return a name that two readers must not confuse (package, version, path, reference): ASCII, everything else coded."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return _break_commands("".join(item if " " <= item <= "~" else _coded(item) for item in cut))


def guard_lines(rendered: str) -> str:
    """Return the finished text without a line that begins as a command, however a table has wrapped it."""
    return _LINE_COMMAND.sub(r"\1\\x3a", rendered)


def json_document(value: JsonValue, indent: int) -> str:
    """Return a document as `harmless_json` has it, with a newline at its end."""
    return harmless_json(json.dumps(value, indent=indent, ensure_ascii=True)) + "\n"


def harmless_json(document: str) -> str:
    """Return an ASCII JSON text of the same value in which nothing begins a command; half pairs become U+FFFD.

    `::` and `##` stand nowhere but within strings, where a character may be written by its number.
    """
    whole = _JSON_ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], document)
    return whole.replace("::", ":\\u003a").replace("##", "#\\u0023")


def _break_commands(text: str) -> str:
    return _LEGACY_COMMAND.sub(r"\\x23", _COMMAND.sub(r"\\x3a", text))


def _shown(character: str) -> str:
    return _coded(character) if unicodedata.category(character) in _INVISIBLE else character


def _coded(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
