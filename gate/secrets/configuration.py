"""Plaintext secrets in an image's configuration: what is no file, and so is in no layer.

Environment, labels, entrypoint, command, shell, healthcheck, ONBUILD, every history entry and the manifest's annotations
(attack X02). Build arguments stand in the history of each later `RUN`. The same rules as for files decide, and names as well:
`DB_PASSWORD=...`. No part of a value stands in a finding or an error. Specification: checks reference, sections 8.3, 8.4, 8.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from gate.model.finding import Confidence, SecretFinding, SecretPlace
from gate.secrets.assignments import Assigned, find_assignment, find_assignments
from gate.secrets.budget import Budget
from gate.secrets.findings import Fingerprints, Mask, finding_of
from gate.secrets.hit import Hit, Where
from gate.secrets.search import Search

if TYPE_CHECKING:
    from gate.model.image_config import ImageConfig
    from gate.model.string_map import StringMap
    from gate.secrets.rule_set import RuleSet

# One is enough to refuse; so many that a report stays readable and comparing them stays cheap.
_MAX_HITS: Final = 100
_SHOWABLE_NAME = re.compile(r"[A-Za-z0-9_./-]{1,120}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of the configuration: where it stands, its number there, and its name, which its author chose."""

    place: SecretPlace
    number: str
    text: str
    name: str = ""


class ConfigurationSearch:
    """Search the texts around an image's files with one set of rules; all texts are untrusted."""

    def __init__(self, rules: RuleSet, fingerprints: Fingerprints) -> None:
        self._hits: list[Hit] = []
        self._search = Search(rules, Budget(), self._hits.append, lambda where, reason: None)  # noqa: ARG005 - no files
        self._fingerprints = fingerprints

    def of_config(self, config: ImageConfig, annotations: StringMap) -> tuple[SecretFinding, ...]:
        """Give the secrets of a configuration and of its manifest's annotations, each once a place, in order."""
        return self._all(chain(_config_texts(config), _pairs(SecretPlace.ANNOTATION, annotations)))

    def of_annotations(self, annotations: Iterable[StringMap]) -> tuple[SecretFinding, ...]:
        """Give the secrets of further annotations: those of an index and of descriptors."""
        return self._all(chain.from_iterable(_pairs(SecretPlace.ANNOTATION, pairs) for pairs in annotations))

    def of_attestation(self, name: str, content: bytes) -> tuple[SecretFinding, ...]:
        """Give the secrets of what a builder attached: provenance holds build arguments (SLSA v0.2 and v1), an SBOM paths."""
        self._hits.clear()
        self._search.whole_text(f"{name}.json", content)
        found = (finding_of(hit, self._fingerprints, SecretPlace.ATTESTATION, name, Mask([hit])) for hit in self._hits)
        return tuple(_distinct(found))

    def _all(self, texts: Iterable[_Text]) -> tuple[SecretFinding, ...]:
        return tuple(_distinct(self._finding(text, hit) for text in texts for hit in self._found(text)))

    def _found(self, text: _Text) -> list[Hit]:
        by_form = [hit for part in (text.text, text.name) for hit in self._by_rules(part)][:_MAX_HITS]
        assigned = find_assignment(text.name, text.text) if text.name else None
        by_name = chain([assigned] if assigned else [], find_assignments(text.text))
        named = [_hit_of(one) for one in islice(by_name, _MAX_HITS)]
        # What a rule of its own form explains is not told a second time as some password.
        return by_form + [hit for hit in named if not any(_explains(one, hit) for one in by_form)]

    def _by_rules(self, text: str) -> list[Hit]:
        self._hits.clear()
        self._search.whole_text("", text.encode("utf-8", "surrogatepass"))
        # What code assigns in quotes is judged by names below, where even a weak password counts.
        return [hit for hit in self._hits if not hit.rule.endswith("-assignment")]

    def _finding(self, text: _Text, hit: Hit) -> SecretFinding:
        finding = finding_of(hit, self._fingerprints, text.place, self._location(text, hit), Mask([hit]))
        return replace(finding, line=None, offset=None)

    def _location(self, text: _Text, hit: Hit) -> str:
        # A name can hold the secret, or be one: then the number of the entry has to do.
        is_plain = _SHOWABLE_NAME.fullmatch(text.name) and hit.value.decode("utf-8", "replace") not in text.name
        return text.name if is_plain and not self._by_rules(text.name) else text.number


def _distinct(findings: Iterable[SecretFinding]) -> Iterator[SecretFinding]:
    seen: set[tuple[str, str, str]] = set()
    for finding in findings:
        key = (finding.rule, finding.location, finding.fingerprint)
        if key not in seen:
            seen.add(key)
            yield finding


def _hit_of(one: Assigned) -> Hit:
    return Hit(
        rule=one.rule,
        title=one.title,
        severity=one.severity,
        confidence=Confidence.HIGH,
        value=one.value.encode("utf-8", "surrogatepass"),
        where=Where(""),
        offset=0,
    )


def _explains(one: Hit, other: Hit) -> bool:
    return one.value in other.value or other.value in one.value


def _pairs(place: SecretPlace, pairs: StringMap) -> Iterator[_Text]:
    for number, (name, value) in enumerate(pairs.pairs):
        yield _Text(place, f"{place.value}[{number}]", value, name)


def _config_texts(config: ImageConfig) -> Iterator[_Text]:
    for number, entry in enumerate(config.env):
        name, _, value = entry.partition("=")
        yield _Text(SecretPlace.ENV, f"env[{number}]", value, name)
    yield from _pairs(SecretPlace.LABEL, config.labels)
    for name, words in (
        ("entrypoint", config.entrypoint),
        ("cmd", config.cmd),
        ("healthcheck", config.healthcheck),
        ("shell", config.shell),
        ("onbuild", config.on_build),
    ):
        if words:
            yield _Text(SecretPlace.COMMAND, name, " ".join(words))
    for number, step in enumerate(config.history):
        for field, text in (("created_by", step.created_by), ("comment", step.comment), ("author", step.author)):
            if text:
                yield _Text(SecretPlace.HISTORY, f"history[{number}].{field}", text)
