"""All rules of one search, compiled: one automaton over their patterns, the encodings and the assignments.

The digest is of everything that decides what is found, so that evidence under other rules is other evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from gate.model.digest import Digest
from gate.secrets.assignments import ASSIGNMENT_TEXTS
from gate.secrets.automaton import Automaton, Trigger, build_automaton
from gate.secrets.embedded import EMBEDDED_MARKS
from gate.secrets.encodings import ENCODINGS, Encoding, telling_words
from gate.secrets.file_names import FILE_NAME_TEXTS
from gate.secrets.patterns import Pattern, compile_pattern
from gate.secrets.rule import Rule
from gate.secrets.rule_file import require_distinct
from gate.secrets.structure import CODE_TRIGGER, SETTING_TRIGGER

# Of this package's own code: what it opens, decodes and rejects. Counted up with every change of what is found.
ENGINE_VERSION: Final = "6"


class RuleSet:
    """Rules that are ready to search with; `cache` is the folder that keeps the compiled automaton."""

    def __init__(self, rules: Iterable[Rule], *, cache: Path | None = None) -> None:
        self.rules = require_distinct(rules)
        self._patterns = tuple(compile_pattern(rule.pattern) for rule in self.rules)
        self._paths = tuple(compile_pattern(rule.paths) if rule.paths else None for rule in self.rules)
        words = telling_words(rule.prefix for rule in self.rules)
        self._triggers = [
            *(Trigger(number, rule.id, rule.pattern) for number, rule in enumerate(self.rules)),
            *(
                Trigger(number, one.name, text)
                for number, one in enumerate(ENCODINGS, len(self.rules))
                for text in one.triggers(words)
            ),
            Trigger(len(self.rules) + len(ENCODINGS), "settings", SETTING_TRIGGER, everywhere=True),
            Trigger(len(self.rules) + len(ENCODINGS) + 1, "code", CODE_TRIGGER, everywhere=True),
            *(Trigger(len(self.rules) + len(ENCODINGS) + 2, "embedded", mark) for mark in EMBEDDED_MARKS),
        ]
        self._cache = cache
        self._automaton: Automaton | None = None
        self.digest = _digest(self.rules, self._triggers)

    def scan(self, block: bytes | memoryview) -> Occurrences:
        """Say what occurs in a block."""
        if self._automaton is None:
            self._automaton = build_automaton(self._triggers, cache=self._cache)
        found = self._automaton.scan(block)
        return Occurrences(self, found) if found else _NOTHING

    def rule(self, number: int) -> tuple[Rule, Pattern, Pattern | None]:
        """Return a rule, its pattern, and the pattern of the paths that it is for."""
        return self.rules[number], self._patterns[number], self._paths[number]


class Occurrences:
    """What the automaton saw in one block."""

    __slots__ = ("_ends", "_rules")

    def __init__(self, rules: RuleSet | None, ends: Mapping[int, Sequence[int]]) -> None:
        self._rules = rules
        self._ends = ends

    def __bool__(self) -> bool:
        return bool(self._ends)

    def rules(self) -> Iterator[tuple[int, int]]:
        """Yield the rules by number, and where the first match of each ends."""
        count = len(self._rules.rules) if self._rules is not None else 0
        return ((number, ends[0]) for number, ends in self._ends.items() if number < count)

    def encodings(self) -> Iterator[Encoding]:
        """Yield the encodings that text in the block has."""
        count = len(self._rules.rules) if self._rules is not None else 0
        return (one for number, one in enumerate(ENCODINGS, count) if number in self._ends)

    def settings(self) -> Sequence[int]:
        """Return the places where something may be assigned to a name like one of a secret."""
        return self._places(0)

    def quoted(self) -> Sequence[int]:
        """Return the places where a text in quotes is assigned to a name like one of a secret."""
        return self._places(1)

    def has_embedded(self) -> bool:
        """Say whether a container may begin in the middle of the block."""
        return bool(self._places(2))

    def _places(self, number: int) -> Sequence[int]:
        return self._ends.get(len(self._rules.rules) + len(ENCODINGS) + number, ()) if self._rules is not None else ()


_NOTHING: Final = Occurrences(None, {})


def _digest(rules: tuple[Rule, ...], triggers: Iterable[Trigger]) -> Digest:
    parts = (ENGINE_VERSION, *map(repr, rules), *(trigger.pattern for trigger in triggers))
    parts += (*ASSIGNMENT_TEXTS, *FILE_NAME_TEXTS)
    return Digest.of("\0".join(parts).encode())
