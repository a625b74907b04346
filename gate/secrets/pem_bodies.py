"""The base64 of a PEM block as people write it in sources: in comments, in diffs, and as strings that are joined.

Each reading is only a guess; that one of them is a key is proved by its DER, whose length must be that of all its bytes. Each is
linear in the block. Specification: RFC 7468, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}-----|-----END [A-Z0-9 ]{0,30}-----")
_LINE = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BREAK = re.compile(r"\s+|(?:\\+[nrt])+|&#(?:10|13|xA|xD);", re.IGNORECASE)
_LINE_BREAK = re.compile(r"[\r\n]+|(?:\\+[nr])+|&#(?:10|13|xA|xD);", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}")
_TOKEN = re.compile(r"[+/]*[A-Za-z0-9][A-Za-z0-9+/]*={0,2}")
_END = re.compile("-----END")
_QUOTE = re.compile("[\"'`]")
_ESCAPE = re.compile(r"\\+[nrt]")


def pem_bodies(text: str) -> Iterator[str]:
    """Yield what the base64 of a block may be, the likeliest reading first; `text` begins with its first line."""
    body = _HEADER.sub("\n", text)
    yield "".join(word for word in _BREAK.split(body) if _LINE.fullmatch(word))
    yield _of_marked_lines(text)
    yield _of_strings(text)
    yield "".join(_TOKEN.findall(_ESCAPE.sub(" ", body)))


def _of_marked_lines(text: str) -> str:
    """Return the longest run of each line, without what stands before the last line as well: `// `, ` * `, `REM `, `+`."""
    lines = [line.strip() for line in _LINE_BREAK.split(text)]
    mark = _END.split(lines[-1])[0].strip()
    runs = (_RUN.findall(_HEADER.sub("", line).removeprefix(mark)) for line in lines)
    return "".join(max(found, key=len) for found in runs if found)


def _of_strings(text: str) -> str:
    """Return what stands in quotes, where the block begins in a string and goes on in others."""
    quote = _QUOTE.search(text)
    if quote is None:
        return ""
    inside = " ".join(text.split(quote[0])[::2])
    return "".join(_TOKEN.findall(_ESCAPE.sub(" ", _HEADER.sub(" ", inside))))
