"""Characters in a document that decides which its reviewer and its parser do not read alike.

A line break of YAML 1.1 that is none in YAML 1.2 or in an editor (U+0085, U+2028, U+2029, a carriage return alone) lets a
comment hold a working entry, or an entry stand in a comment. Bidirectional controls show text in another order than it is
read in (CVE-2021-42574), and what is invisible makes two different words look alike. The first two are refused everywhere,
comments included; joiners and variation selectors stay where writing needs them, behind a character beyond ASCII.

Specification: YAML 1.1, section 4.2; YAML 1.2.2, section 5.4; UAX #9; Unicode's property Default_Ignorable_Code_Point, written
down here and compared on 2026-12-01 with version 16.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BREAKS: Final = "\x85\u2028\u2029\v\f\x1c-\x1f"
_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Needed by emoji and by scripts such as Persian and Hindi: they join, part or vary what stands before them.
_JOINERS: Final = "\u200c\u200d\ufe00-\ufe0f"
_INVISIBLE: Final = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROLS: Final = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff"
_ANYWHERE: Final = re.compile(
    f"[{_BREAKS}]|(?P<return>\r(?!\n))|(?P<bidi>[{_BIDI}])|(?P<invisible>[{_INVISIBLE}])|(?P<control>[{_CONTROLS}])"
    f"|(?P<joiner>(?:(?<=[\x00-\x7f])|\\A)[{_JOINERS}])"
)
_REORDERING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WORDS: Final = {
    "bidi": "a character that changes the order in which text is shown",
    "invisible": "a character that nobody sees",
    "joiner": "a character that nobody sees",
    "control": "a control character",
}
_BREAK: Final = "a line break that not every reader takes for one"
# Spaces that look like one and part nothing: at the ends of a word, or where a comment or a value seems to begin.
_SPACES: Final = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_MISLEADING_SPACE: Final = re.compile(f"\\A[{_SPACES}]|[{_SPACES}]\\Z|[{_SPACES}](?=#)|(?<=:)[{_SPACES}]")


def deceiving(text: str) -> tuple[int, str] | None:
    """Return where a text first holds what two readers read differently, and what it is in words; None where nowhere."""
    found = _ANYWHERE.search(text)
    if found is None:
        return None
    return found.start(), f"{_WORDS.get(found.lastgroup or '', _BREAK)}, {_name(found[0])}"


def deceiving_value(value: str) -> str:
    """Return what a scalar holds that two readers read differently, written or as an escape; "" for nothing."""
    found = deceiving(value.replace("\r\n", "\r"))
    if found is not None:
        return found[1]
    space = _MISLEADING_SPACE.search(value)
    return f"a space that is none for YAML, {_name(space[0])}" if space is not None else ""


def reordering(text: str) -> str:
    """Return the first embedding, override or isolate in a text (a document of others that is reviewed as it is), or ""."""
    found = _REORDERING.search(text)
    return _name(found[0]) if found is not None else ""


def _name(char: str) -> str:
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X}" + (f" ({name})" if name else "")
