"""Plaintext secrets in an image's configuration: what is no file, and so is in no layer.

Environment, labels, entrypoint, command, shell, healthcheck, ONBUILD, every history entry and the manifest's annotations
(attack X02). Build arguments stand in the history of each later `RUN`. The same rules as for files decide, and names as well:
`DB_PASSWORD=...`. No part of a value stands in a finding or an error. Specification: checks reference, sections 8.3, 8.4, 8.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from gate.model.finding import Confidence, SecretFinding, SecretPlace
from gate.secrets.assignments import Assigned, find_assignment, find_assignments
from gate.secrets.budget import Budget
from gate.secrets.findings import Fingerprints, Mask, finding_of
from gate.secrets.hit import Hit, Where
from gate.secrets.search import Search
from gate.secrets.statements import MAX_PARSED_BYTES, AttachedStatement, build_texts, payload_of

if TYPE_CHECKING:
    from gate.model.image_config import ImageConfig
    from gate.model.string_map import StringMap
    from gate.secrets.rule_set import RuleSet

# One is enough to refuse; so many that a report stays readable and comparing them stays cheap.
_MAX_HITS: Final = 100
_MAX_UNOPENED: Final = 100
_READ: Final = frozenset({"config", "history", "rootfs", "architecture", "os", "created"})
_READ_OF_CONTAINER: Final = frozenset({"Env", "Labels", "Entrypoint", "Cmd", "Healthcheck", "Shell", "OnBuild"})
_STATEMENT_FILE: Final = "statement.json"
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

    def __init__(
        self, rules: RuleSet, fingerprints: Fingerprints, check_deadline: Callable[[], None] = lambda: None
    ) -> None:
        self._hits: list[Hit] = []
        self._unopened: dict[tuple[str, str], None] = {}
        self._search = Search(rules, Budget(check_deadline), self._hits.append, self._not_opened)
        self._fingerprints = fingerprints
        self._place = ""

    @property
    def unopened(self) -> tuple[tuple[str, str], ...]:
        """Return the places in which something could not be opened, with the reason; no word of what stands there."""
        return tuple(self._unopened)

    def of_config(self, config: ImageConfig, annotations: StringMap) -> tuple[SecretFinding, ...]:
        """Return the secrets of a configuration and of its manifest's annotations, each once a place, in order."""
        return self._all(chain(_config_texts(config), _pairs(SecretPlace.ANNOTATION, annotations)))

    def of_other_fields(self, content: bytes, found: Iterable[SecretFinding]) -> tuple[SecretFinding, ...]:
        """Return the secrets of all that a configuration holds besides what `of_config` reads and found.

        Older builders keep the build arguments there (`moby.buildkit.buildinfo.v1`), and nobody forbids other fields.
        """
        self._hits.clear()
        self._place = SecretPlace.CONFIG.value
        self._search.whole_text("config.json", _other_fields(content))
        known = {finding.fingerprint for finding in found}
        mask = Mask(self._hits)
        told = (
            finding_of(hit, self._fingerprints, SecretPlace.CONFIG, "configuration", mask)
            for hit in self._hits[:_MAX_HITS]
        )
        return tuple(_distinct(replace(one, line=None, offset=None) for one in told if one.fingerprint not in known))

    def of_annotations(self, annotations: Iterable[StringMap]) -> tuple[SecretFinding, ...]:
        """Return the secrets of further annotations: those of an index and of descriptors."""
        return self._all(chain.from_iterable(_pairs(SecretPlace.ANNOTATION, pairs) for pairs in annotations))

    def of_statement(self, statement: AttachedStatement) -> tuple[SecretFinding, ...]:
        """Return the secrets of what hangs on an image: provenance holds build arguments, an SBOM names of files.

        The location is the manifest that carries it, and the chain begins with its digest. Raises what its source raises.
        """
        self._place = f"{SecretPlace.ATTESTATION.value} {statement.manifest}"
        if statement.is_unparsed_provenance:
            self._note_unopened("provenance of this size is searched as plain text only")
        content = self._streamed(statement)
        payload = payload_of(content)
        outside = list(self._hits)
        inside = self._of_payload(payload) if payload is not None else []
        by_form = [hit for hit in (*inside, *outside) if not _is_by_name(hit)]
        named = chain(_of_build(content if payload is None else payload), filter(_is_by_name, (*inside, *outside)))
        found = by_form + [hit for hit in named if not any(_explains(one, hit) for one in by_form[:_MAX_HITS])]
        return tuple(_distinct(self._of_manifest(hit, statement) for hit in found[:_MAX_HITS]))

    def _streamed(self, statement: AttachedStatement) -> bytes:
        """Search a statement as a file of JSON, and give it where it is small enough to be parsed."""
        self._hits.clear()
        is_small, kept = statement.size <= MAX_PARSED_BYTES, bytearray()
        file = self._search.begin(_STATEMENT_FILE, statement.size)
        for chunk in statement.open():
            if is_small:
                kept += chunk
            else:
                file.feed(memoryview(chunk))
        if kept:
            file.feed(memoryview(bytes(kept)))
        file.finish()
        return bytes(kept)

    def _of_payload(self, payload: bytes) -> list[Hit]:
        self._hits.clear()
        self._search.whole_text(_STATEMENT_FILE, payload)
        return [replace(hit, where=replace(hit.where, chain=("payload", *hit.where.chain))) for hit in self._hits]

    def _of_manifest(self, hit: Hit, statement: AttachedStatement) -> SecretFinding:
        location = str(statement.manifest)
        finding = finding_of(hit, self._fingerprints, SecretPlace.ATTESTATION, location, Mask([hit]))
        return replace(finding, chain=(str(statement.digest), *finding.chain), file_digest=statement.digest)

    def _all(self, texts: Iterable[_Text]) -> tuple[SecretFinding, ...]:
        return tuple(_distinct(self._finding(text, hit) for text in texts for hit in self._found(text)))

    def _not_opened(self, where: Where, reason: str) -> None:  # noqa: ARG002 - a name in it could be a secret
        self._note_unopened(reason)

    def _note_unopened(self, reason: str) -> None:
        if len(self._unopened) < _MAX_UNOPENED:
            self._unopened[self._place, reason] = None

    def _found(self, text: _Text) -> list[Hit]:
        self._place = f"{text.place.value} {text.number}"
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
        return [hit for hit in self._hits if not _is_by_name(hit)]

    def _finding(self, text: _Text, hit: Hit) -> SecretFinding:
        finding = finding_of(hit, self._fingerprints, text.place, self._location(text, hit), Mask([hit]))
        return replace(finding, line=None, offset=None)

    def _location(self, text: _Text, hit: Hit) -> str:
        # A name can hold the secret, or be one: then the number of the entry has to do.
        is_plain = _SHOWABLE_NAME.fullmatch(text.name) and hit.value.decode("utf-8", "replace") not in text.name
        return text.name if is_plain and not self._by_rules(text.name) else text.number


def _other_fields(content: bytes) -> bytes:
    """Return a configuration, which was parsed before, without what is searched field by field."""
    document = json.loads(content)
    rest = {key: value for key, value in document.items() if key not in _READ}
    if isinstance(document.get("config"), dict):
        rest["config"] = {key: value for key, value in document["config"].items() if key not in _READ_OF_CONTAINER}
    return json.dumps(rest, ensure_ascii=False).encode("utf-8", "surrogatepass")


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


def _of_build(content: bytes) -> Iterator[Hit]:
    """Yield what a provenance statement assigns to names, in its keys and in the commands that it tells of."""
    for path, name, text in build_texts(content):
        by_name = find_assignment(name, text) if name else None
        for one in chain([by_name] if by_name else [], find_assignments(text)):
            yield replace(_hit_of(one), key_path=path)


def _is_by_name(hit: Hit) -> bool:
    return hit.rule.endswith("-assignment")


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
        *((f"onbuild[{number}]", (step,)) for number, step in enumerate(config.on_build)),
    ):
        if words:
            yield _Text(SecretPlace.COMMAND, name, " ".join(words))
    for number, step in enumerate(config.history):
        for field, text in (("created_by", step.created_by), ("comment", step.comment), ("author", step.author)):
            if text:
                yield _Text(SecretPlace.HISTORY, f"history[{number}].{field}", text)
