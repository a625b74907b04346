"""The tokens of a CEL expression, and the text of its literals.

Specification: the Common Expression Language, lexis (cel-spec, doc/langdef.md).
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[bB]?[rR]?(?:\"{3}(?s:.*?)\"{3}|'{3}(?s:.*?)'{3}))
    |(?P<raw>[bB]?[rR](?:"[^"\n]*"|'[^'\n]*'))
    |(?P<text>[bB]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    |(?P<int>0[xX][0-9a-fA-F]+[uU]?|[0-9]+[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"'`?])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)
_PLAIN_ESCAPES: Final = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


class ExpressionError(Exception):
    """What is wrong with an expression: `place` is the character (from 1), `expected` what would be right, or empty."""

    def __init__(self, place: int, message: str, expected: str = "") -> None:
        """Keep the three."""
        super().__init__(message)
        self.place, self.message, self.expected = place, message, expected


def tokens_of(text: str) -> list[tuple[str, str, int]]:
    """Return kind, text and place (from 1) of each token, and one of the kind `end`.

    Raises:
        ExpressionError: something is no token.
    """
    tokens: list[tuple[str, str, int]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(place + 1, "cannot be read here")
        if match.lastgroup != "space":
            tokens.append((match.lastgroup or "", match[0], place + 1))
        place = match.end()
    return [*tokens, ("end", "", len(text) + 1)]


def literal_text(text: str) -> str:
    """Return the text of a literal without its quotes, escapes resolved."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    width = 3 if body[:3] in {'"""', "'''"} else 1
    body = body[width:-width]
    return body if raw else _ESCAPE.sub(_unescaped, body)


def _unescaped(match: re.Match[str]) -> str:
    plain, *coded = match.groups()
    if plain is not None:
        return _PLAIN_ESCAPES.get(plain, plain)
    value = next((int(digits, 8 if place == 3 else 16) for place, digits in enumerate(coded) if digits is not None), 0)
    return chr(value) if value <= 0x10FFFF else ""
