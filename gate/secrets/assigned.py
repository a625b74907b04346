"""Passwords and tokens that are known by the name that they are assigned to, in files of settings and in code.

In a configuration a weak password is a secret; in code a value must look like one; in prose and translations, which speak about
passwords, what does not look random is doubtful. Specification: checks reference, sections 8.3 and 8.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final

from gate.model.finding import Confidence
from gate.model.severity import Severity
from gate.secrets.assignments import find_assignment
from gate.secrets.documentation import Documentation
from gate.secrets.encoded import decoded
from gate.secrets.file_names import is_configuration, is_for_readers, is_for_translators, is_settings_by_form
from gate.secrets.hit import Hit, Where, line_of
from gate.secrets.names import kind_of
from gate.secrets.places import NO_OFFSET, Assignment
from gate.secrets.rule_set import Occurrences
from gate.secrets.settings_form import holds_settings
from gate.secrets.structure import find_by_form, find_quoted, find_settings
from gate.secrets.validators import is_placeholder
from gate.secrets.value_forms import Worth, is_of_words, is_random_text, of_code, of_setting

MAX_ASSIGNED: Final = 200
# It begins with a literal, which the search can jump to.
_KUBERNETES = re.compile(r"""kind["']?\s{0,4}:\s{0,4}["']?Secret\b""")


@dataclass(frozen=True, slots=True)
class _Place:
    block: bytes
    is_settings: bool
    is_doubtful: bool


def find_assigned(block: bytes, where: Where, seen: Occurrences) -> Iterator[Hit]:
    """Yield what a block assigns to names of secrets; the untrusted name of the file says which rules hold for it."""
    path = where.innermost
    is_settings = holds_settings(where, block)
    text = block.decode("latin-1") if is_settings else ""
    found: Iterable[Assignment] = find_quoted(block, seen.quoted())
    if is_settings:
        found = chain(find_settings(path, text, seen.settings()), found)
    if is_settings_by_form(path):
        found = chain(find_by_form(path, block), found)
    is_kubernetes = bool(_KUBERNETES.search(text))
    judge = _Judge(block, path, is_settings=is_settings)
    count = 0
    for one in found:
        if kind_of(one.name) is None or is_placeholder(one.value):
            continue
        value = _opened(one) if is_kubernetes else one.value
        worth = judge.worth(one, value)
        hit = find_assignment(one.name, value) if worth is not Worth.NONE else None
        if hit is None:
            continue
        place = _Place(block, is_settings or one.is_whole_file, worth is Worth.DOUBTFUL)
        yield _hit((hit.rule, hit.title, hit.severity), one, value, where, place=place)
        count += 1
        if count >= MAX_ASSIGNED:
            return


def _opened(one: Assignment) -> str:
    """Return what a value of a Kubernetes Secret's `data` says; it is always base64, of however short a text."""
    plain = decoded(one.value)
    is_text = bool(plain) and all(0x20 <= byte < 0x7F for byte in plain.strip())
    return plain.strip().decode("ascii") if is_text and "data" in one.key_path else one.value


class _Judge:
    """What the values of one file are worth: in settings a weak password counts, in code a value must look like one.

    What stands in documentation must look random; in a file for readers and translators, what does not is doubtful.
    """

    def __init__(self, block: bytes, path: str, *, is_settings: bool) -> None:
        self._block = block
        self._path = path
        self._is_settings = is_settings

    @cached_property
    def _documentation(self) -> Documentation:
        return Documentation(self._block.decode("latin-1"), self._path)

    def worth(self, one: Assignment, value: str) -> Worth:
        """Judge a value at its place."""
        if self._is_settings or one.is_whole_file:
            worth = of_setting(value, sign=one.sign)
            if one.sign and " " in value and not (one.is_whole_file or is_configuration(self._path)):
                # Settings by their form alone: a sentence behind a colon is likelier than a password with blanks.
                return Worth.NONE
            is_translated = worth is Worth.LIKELY and is_of_words(value) and is_for_translators(self._path)
            return Worth.DOUBTFUL if is_translated else worth
        worth = of_code(value)
        if worth is Worth.NONE or is_random_text(value):
            return worth
        if self._documentation.holds(one.offset):
            return Worth.NONE
        return Worth.DOUBTFUL if is_for_readers(self._path) else worth


def _hit(rule: tuple[str, str, Severity], one: Assignment, value: str, where: Where, *, place: _Place) -> Hit:
    offset = one.offset if one.offset != NO_OFFSET else max(0, place.block.find(one.value.encode("latin-1", "replace")))
    confidence = Confidence.HIGH if place.is_settings else Confidence.MEDIUM
    return Hit(
        rule=rule[0],
        title=rule[1],
        severity=Severity.LOW if place.is_doubtful else rule[2],
        confidence=Confidence.LOW if place.is_doubtful else confidence,
        value=value.encode("latin-1", "replace"),
        where=where,
        offset=offset,
        line=line_of(place.block, offset),
        key_path=one.key_path,
    )
