"""Passwords and tokens that are known by the name that they are assigned to, in files of settings and in code.

In a configuration a weak password is a secret; in code a value must look like one; in prose and translations it must look
random, for they speak about passwords. Specification: checks reference, sections 8.3 and 8.4.
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
from gate.secrets.hit import Hit, Where, line_of
from gate.secrets.names import kind_of
from gate.secrets.places import NO_OFFSET, Assignment
from gate.secrets.rule_set import Occurrences
from gate.secrets.structure import find_quoted, find_settings, is_configuration, is_prose
from gate.secrets.validators import entropy, is_placeholder, is_type_name

MAX_ASSIGNED: Final = 200
_CODE_MIN: Final = 8
_CODE_ENTROPY: Final = 3.0
_PROSE_MIN: Final = 20
_PROSE_ENTROPY: Final = 4.0
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# It begins with a literal, which the search can jump to.
_KUBERNETES = re.compile(r"""kind["']?\s{0,4}:\s{0,4}["']?Secret\b""")
# Values of code that are no literals, or hold more than a secret has.
_NO_LITERAL = re.compile(r"[\s(){}<>$]|\\|^[./~]|^[A-Z0-9_]+$|^[a-z]+(?:[._-][a-z]+)*$|[.:/]$|^https?:")


@dataclass(frozen=True, slots=True)
class _Place:
    block: bytes
    is_settings: bool


def find_assigned(block: bytes, where: Where, seen: Occurrences) -> Iterator[Hit]:
    """Yield what a block assigns to names of secrets; the untrusted name of the file says which rules hold for it."""
    path = where.innermost
    is_settings = is_configuration(path)
    text = block.decode("latin-1") if is_settings else ""
    found: Iterable[Assignment] = find_quoted(block, seen.quoted())
    if is_settings:
        found = chain(find_settings(path, text, seen.settings()), found)
    is_kubernetes = bool(_KUBERNETES.search(text))
    readers = _Readers(block, path)
    count = 0
    for one in found:
        if kind_of(one.name) is None or is_placeholder(one.value):
            continue
        value = _opened(one) if is_kubernetes else one.value
        if not (_is_setting(value) if is_settings else _is_in_code(value) and readers.may_have(value, one.offset)):
            continue
        hit = find_assignment(one.name, value)
        if hit is None:
            continue
        place = _Place(block, is_settings)
        yield _hit((hit.rule, hit.title, hit.severity), one, value, where, place=place)
        count += 1
        if count >= MAX_ASSIGNED:
            return


def _opened(one: Assignment) -> str:
    """Give what a value of a Kubernetes Secret's `data` says; it is always base64, of however short a text."""
    plain = decoded(one.value)
    is_text = bool(plain) and all(0x20 <= byte < 0x7F for byte in plain.strip())
    return plain.strip().decode("ascii") if is_text and "data" in one.key_path else one.value


def _is_setting(value: str) -> bool:
    # A sentence or a list is none; a translated word for "password" stands beside others with capitals or blanks.
    return " " not in value and not value.startswith(("{", "[", "<", "&", "*", "!", "$", "%(")) and value.isprintable()


def _is_in_code(value: str) -> bool:
    if len(value) < _CODE_MIN or _NO_LITERAL.search(value) or is_type_name(value):
        return False
    is_mixed = bool(re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value))
    return is_mixed and not _UUID.fullmatch(value) and entropy(value) >= _CODE_ENTROPY


class _Readers:
    """What a text for readers may hold: one that speaks about passwords holds samples of them."""

    def __init__(self, block: bytes, path: str) -> None:
        self._is_prose = is_prose(path)
        self._block = block
        self._path = path

    @cached_property
    def _documentation(self) -> Documentation:
        return Documentation(self._block.decode("latin-1"), self._path)

    def may_have(self, value: str, at: int) -> bool:
        """Say whether a value at this place counts: where it is written for readers it must look random."""
        if not self._is_prose and not self._documentation.holds(at):
            return True
        is_long = len(value) >= _PROSE_MIN and entropy(value) >= _PROSE_ENTROPY
        return is_long and all(re.search(one, value) for one in (r"[0-9]", r"[a-z]", r"[A-Z]"))


def _hit(rule: tuple[str, str, Severity], one: Assignment, value: str, where: Where, *, place: _Place) -> Hit:
    offset = one.offset if one.offset != NO_OFFSET else max(0, place.block.find(one.value.encode("latin-1", "replace")))
    return Hit(
        rule=rule[0],
        title=rule[1],
        severity=rule[2],
        confidence=Confidence.HIGH if place.is_settings else Confidence.MEDIUM,
        value=value.encode("latin-1", "replace"),
        where=where,
        offset=offset,
        line=line_of(place.block, offset),
        key_path=one.key_path,
    )
