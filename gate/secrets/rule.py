"""A rule of the search as a value: what it finds, how a candidate is judged, and what proves it.

Specification: docs/secret-rules.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gate.model.finding import Confidence
from gate.model.severity import Severity


@dataclass(frozen=True, slots=True)
class ValidatorUse:
    """A validator by its registered name, with its parameter as text (empty: it takes none)."""

    name: str
    parameter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a rule file.

    `pattern` is RE2 syntax over bytes; its group `secret`, else its first group, else all of the match is the value.
    `keywords` are lower-case words of which one must stand near the match; none: no word is asked for. `prefix` is what a
    report may show of the value: the vendor's fixed beginning. `paths` is RE2 syntax that must fit the file's whole path;
    empty: every place. `match` and `no_match` are templates of examples. `reviewed` is the day on which the form was last held
    against `source`; None: never. `checksum_source` names the published example or the vendor's own code that the checksum was
    held against; empty: there is none, so that a checksum proves nothing and a wrong one rejects nothing.
    """

    id: str
    title: str
    pattern: str
    severity: Severity
    confidence: Confidence
    source: str
    match: tuple[str, ...]
    no_match: tuple[str, ...]
    description: str = ""
    keywords: tuple[str, ...] = ()
    validators: tuple[ValidatorUse, ...] = ()
    prefix: str = ""
    paths: str = ""
    reviewed: date | None = None
    checksum_source: str = ""
