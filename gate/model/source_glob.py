"""Globs over source repositories in normal form: `git+https://host/path`, `*` within a path component, `**` across.

The scheme is always written out and never a pattern; the rest follows the one grammar of patterns (attack A19).
"""

from __future__ import annotations

from dataclasses import dataclass

from gate.model.glob import Glob

_SEPARATOR = "://"


@dataclass(frozen=True, slots=True, order=True)
class SourceGlob:
    """A pattern over sources, as `git+https://github.com/shop/**`.

    Raises:
        ValueError: it has no scheme of a git address, or is no pattern.
    """

    pattern: str

    def __post_init__(self) -> None:
        """Refuse what could be read in two ways."""
        scheme, separator, rest = self.pattern.partition(_SEPARATOR)
        if not separator or scheme not in {"git+https", "git+ssh", "git+git"}:
            raise ValueError(f"not a pattern over sources: {self.pattern!r}")
        Glob(rest)

    def matches(self, uri: str) -> bool:
        """Say whether the whole address fits."""
        scheme, _, rest = self.pattern.partition(_SEPARATOR)
        given, _, address = uri.partition(_SEPARATOR)
        return scheme == given and Glob(rest).matches(address)

    def __str__(self) -> str:
        return self.pattern
