"""Whether a text holds settings, where no name tells: what stood in an encoding or a container, and files without an ending.

A wrapper takes the telling name of a file away, but not its form: most of its lines assign.
"""

from __future__ import annotations

import re
from typing import Final

from gate.secrets.file_names import is_configuration
from gate.secrets.hit import Where

_HEAD_BYTES: Final = 16 * 1024
_MAX_LINES: Final = 80
_SHARE: Final = 0.6
_SETTING = re.compile(
    rb"""[ \t]{0,80}(?:-[ \t]{1,4})?(?:(?:export|set|ENV|ARG)[ \t]{1,4})?["']?[A-Za-z_][\w.-]{0,80}["']?[ \t]{0,20}"""
    rb"""(?::?=[ \t]{0,20}[^=\s(].{0,2000}|:(?:[ \t]{1,20}\S.{0,2000})?)|[ \t]{0,8}\[{1,2}[\w.: \"'-]{1,80}\]{1,2}"""
)
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,80}[\[{]\s{0,80}[\"{\[]")
# Statements of a program assign as well.
_STATEMENT = re.compile(rb"[;{(]\s{0,8}$|\w\(.{0,200}\)\s{0,8}$")
_COMMENT: Final = (b"#", b";", b"//", b"--", b"!")
# Endings that say nothing of what a file holds.
_SILENT = re.compile(
    r"\.(?:txt|text|dat|data|out|log|bin|b64|base64|enc|gz|raw|msg|payload|export|dump|blob)$", re.IGNORECASE
)


def holds_settings(where: Where, block: bytes) -> bool:
    """Say whether a text holds settings: by the name of its file, or by its form where no name says what it is."""
    if is_configuration(where.innermost):
        return True
    is_wrapped = bool(where.chain) and where.chain[-1] != where.file
    name = where.innermost.rpartition("/")[2]
    is_silent = is_wrapped or "." not in name.lstrip(".") or bool(_SILENT.search(name))
    return is_silent and has_form_of_settings(block)


def has_form_of_settings(block: bytes) -> bool:
    """Say whether most lines of a text assign something, or it is a document of JSON."""
    head = block[:_HEAD_BYTES]
    if b"\0" in head:
        return False
    if _JSON.match(head):
        return True
    lines = [line for line in (one.rstrip() for one in head.splitlines()[:_MAX_LINES]) if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith(_COMMENT)]
    fitting = sum(bool(_SETTING.fullmatch(line)) and not _STATEMENT.search(line) for line in lines)
    return bool(lines) and fitting >= _SHARE * len(lines)
