"""Places in code that are written for readers: Python's docstrings, samples in comments, texts of compiled Python.

They exempt nothing: what stands there must look random before it counts as a secret, as in a README. Forms and checksums of
vendors are found there as everywhere. Specification: checks reference, section 8.6; PEP 257; RDoc and Javadoc comments.
"""

from __future__ import annotations

import bisect
import re
from typing import Final

_PYTHON: Final = (".py", ".pyi")
# In compiled Python an assignment with quotes stands inside a text: code that assigned it has none.
_COMPILED: Final = ".pyc"
# Comments and strings of Python as wholes, so that a quote inside one opens nothing. What is not closed goes to the end of its
# line or text: no branch can fail after its first quote, so that the whole is linear in a hostile text, too.
_TOKEN = re.compile(
    r'''#[^\n]*|[rRbBuUfF]{0,2}(?:"""(?:[^"\\]|\\(?:.|\Z)|"(?!""))*(?:"""|\Z)|"(?:[^"\\\n]|\\(?:.|\Z))*"?'''
    r"""|'{3}(?:[^'\\]|\\(?:.|\Z)|'(?!''))*(?:'{3}|\Z)|'(?:[^'\\\n]|\\(?:.|\Z))*'?)""",
    re.DOTALL,
)
_TRIPLE = re.compile(r"""[rRuU]{0,1}(?:\"{3}|'{3})""")
# A line of a comment that is set in: how RDoc, Javadoc and most people write a sample between sentences.
_SAMPLE_LINE = re.compile(r"[ \t]*(?:#|//|\*)(?:[ ]{2,}|[ ]?\t|[ ]?>>> )")
_SENTENCE_LINE = re.compile(r"[ \t]*(?:#|//|/?\*+)[ ]?[^\s={};]+(?:[ ][^\s={};]+){4,}")
_COMMENT_LINE = re.compile(r"[ \t]*(?:#|//|/?\*)")
_LINES_ABOVE: Final = 40
_MAX_LINE: Final = 400


class Documentation:
    """The places for readers of one block of a file; looked up where an assignment was found, so made only then."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._is_compiled = path.endswith(_COMPILED)
        self._docstrings = _docstrings(text) if path.endswith(_PYTHON) else ()

    def holds(self, at: int) -> bool:
        """Say whether the character at this place is written for readers."""
        if self._is_compiled:
            return True
        number = bisect.bisect_right(self._docstrings, (at, len(self._text))) - 1
        return (number >= 0 and at < self._docstrings[number][1]) or self._is_sample_in_comment(at)

    def _is_sample_in_comment(self, at: int) -> bool:
        start = self._line_start(at)
        if start is None or not _SAMPLE_LINE.match(self._text, start, at):
            return False
        for _ in range(_LINES_ABOVE):
            end = start - 1
            start = self._line_start(end) if end > 0 else None
            if start is None or not _COMMENT_LINE.match(self._text, start, end):
                return False
            if _SENTENCE_LINE.match(self._text, start, end):
                return True
        return False

    def _line_start(self, at: int) -> int | None:
        """Return where the line of a place begins; None where it is longer than a comment is."""
        low = max(0, at - _MAX_LINE)
        found = self._text.rfind("\n", low, at)
        return found + 1 if found >= 0 or low == 0 else None


def _docstrings(text: str) -> tuple[tuple[int, int], ...]:
    """Return start and end of the strings in three quotes that follow a colon or stand before all code."""
    found = []
    code_end = 0
    before = ""
    for token in _TOKEN.finditer(text):
        code = text[code_end : token.start()].rstrip()
        before = code[-1:] or before
        code_end = token.end()
        if token[0].startswith("#"):
            continue
        if before in {"", ":"} and _TRIPLE.match(token[0]):
            found.append((token.start(), token.end()))
        before = token[0][-1:]
    return tuple(found)
