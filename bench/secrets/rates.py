"""From findings and labels to rates: recall, precision, and the worst kind and carrier, for a mean hides what is missed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tools.secrets_corpus.generate import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How a tool did on one part; fractions from 0 to 1, the worst ones by name."""

    recall: float
    precision: float
    worst_kind: tuple[str, float]
    worst_carrier: tuple[str, float]
    false_alarms: int
    by_kind: tuple[tuple[str, float], ...]
    by_carrier: tuple[tuple[str, float], ...]
    alarms_by_kind: tuple[tuple[str, int], ...]

    @property
    def f1(self) -> float:
        """Return the harmonic mean of recall and precision."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def rates_of(labels: Collection[Label], found: Collection[str]) -> Rates:
    """Compare the files with a finding with the labels; a file counts once."""
    hit = frozenset(found)
    planted = [label for label in labels if label.is_secret]
    true = sum(label.path in hit for label in planted)
    false = [label for label in labels if not label.is_secret and label.path in hit]
    by_kind = _recall_by(planted, hit, lambda label: label.kind)
    by_carrier = _recall_by(planted, hit, lambda label: label.carrier)
    alarms: dict[str, int] = defaultdict(int)
    for label in false:
        alarms[label.kind] += 1
    return Rates(
        recall=true / len(planted),
        precision=true / (true + len(false)) if true + len(false) else 1.0,
        worst_kind=by_kind[0],
        worst_carrier=by_carrier[0],
        false_alarms=len(false),
        by_kind=by_kind,
        by_carrier=by_carrier,
        alarms_by_kind=tuple(sorted(alarms.items(), key=lambda pair: -pair[1])),
    )


def _recall_by(
    planted: list[Label], hit: frozenset[str], name_of: Callable[[Label], str]
) -> tuple[tuple[str, float], ...]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for label in planted:
        groups[name_of(label)].append(label.path in hit)
    rates = ((name, sum(found) / len(found)) for name, found in groups.items())
    return tuple(sorted(rates, key=lambda pair: (pair[1], pair[0])))
