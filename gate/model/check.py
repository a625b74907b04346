"""The form of a check: one rule, pure, that names the evidence it needs as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gate.model.evidence import EvidenceKind, EvidenceSet
from gate.model.policy import Policy
from gate.model.trust import Trust
from gate.model.verdict import AcceptedSignature, Disagreement, JudgedFinding, JudgedSecret, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a check says before waivers: `message` is the sentence for the case that no problem is left.

    The outcome is not part of it: `decide` computes it from the classes of the problems' codes, in one place for all
    checks. `trusts` are what attachments were judged with, whatever came of it.
    """

    message: str
    problems: tuple[Problem, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    findings: tuple[JudgedFinding, ...] = ()
    secrets: tuple[JudgedSecret, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    signatures: tuple[AcceptedSignature, ...] = ()
    trusts: tuple[Trust, ...] = ()
    build_level: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule.

    `asked` says whether the policy asks for it, `needs` which evidence it then needs of every subject, `judge` answers. All
    three are pure; `judge` gets the time as an argument and must answer for any evidence, obtained or not.
    """

    id: str
    title: str
    asked: Callable[[Policy], bool]
    needs: Callable[[Policy], frozenset[EvidenceKind]]
    judge: Callable[[EvidenceSet, Policy, datetime], Answer]
