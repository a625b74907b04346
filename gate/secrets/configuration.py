"""Plaintext secrets in an image's configuration: what is no file, and so is in no layer.

Environment, labels, entrypoint, command, shell, healthcheck, ONBUILD, every history entry and the manifest's annotations
(attack X02). Build arguments stand in the history of each later `RUN`. No part of a value stands in a finding or an error;
its fingerprint is keyed with the installation's key, for a plain hash of a short password is the password.
Specification: checks reference, sections 8.3, 8.4 and 8.7.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from gate.errors import InternalError
from gate.model.digest import Digest
from gate.model.finding import SecretFinding, SecretPlace
from gate.model.image import ImageConfig
from gate.model.string_map import StringMap
from gate.secrets.assignments import ASSIGNMENT_TEXTS, find_assignment, find_assignments
from gate.secrets.rules import RULE_TEXTS, Hit, find_forms

# As long as half the digest: a shorter key could be guessed together with a short password.
MIN_KEY_BYTES: Final = 16
_FINGERPRINT_DIGITS: Final = 16
# Of everything that decides what is found here; evidence under other rules is other evidence.
RULES_DIGEST: Final = Digest.of("\n".join((*RULE_TEXTS, *ASSIGNMENT_TEXTS)).encode())
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


def find_configuration_secrets(config: ImageConfig, annotations: StringMap, key: bytes) -> tuple[SecretFinding, ...]:
    """Give the secrets of a configuration and of a manifest's annotations (untrusted), each once a place, in order.

    Raises:
        InternalError: the key is too short to protect a fingerprint.
    """
    return _search(chain(_config_texts(config), _pairs(SecretPlace.ANNOTATION, annotations)), key)


def find_annotation_secrets(annotations: Iterable[StringMap], key: bytes) -> tuple[SecretFinding, ...]:
    """Give the secrets of further annotations (untrusted): those of an index and of descriptors.

    Raises:
        InternalError: the key is too short to protect a fingerprint.
    """
    return _search(chain.from_iterable(_pairs(SecretPlace.ANNOTATION, pairs) for pairs in annotations), key)


def _search(texts: Iterable[_Text], key: bytes) -> tuple[SecretFinding, ...]:
    if len(key) < MIN_KEY_BYTES:
        raise InternalError("the key of fingerprints is too short", expected=f"at least {MIN_KEY_BYTES} bytes")
    found: dict[tuple[str, str, str], SecretFinding] = {}
    for text in texts:
        for hit in _hits(text):
            finding = _finding(text, hit, key)
            found.setdefault((finding.rule, finding.location, finding.fingerprint), finding)
    return tuple(found.values())


def fingerprint(value: str, key: bytes) -> str:
    """Give the keyed fingerprint of a secret: 16 hexadecimal digits of HMAC-SHA-256."""
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_FINGERPRINT_DIGITS]


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


def _hits(text: _Text) -> Iterator[Hit]:
    by_form = list(islice(chain(find_forms(text.text), find_forms(text.name)), _MAX_HITS))
    yield from by_form
    assigned = find_assignment(text.name, text.text) if text.name else None
    by_name = chain([assigned] if assigned else [], find_assignments(text.text))
    for hit in islice(by_name, _MAX_HITS):
        # What a rule of its own form explains is not told a second time as some password.
        if not any(one.value in hit.value or hit.value in one.value for one in by_form):
            yield hit


def _finding(text: _Text, hit: Hit, key: bytes) -> SecretFinding:
    return SecretFinding(
        rule=hit.rule,
        title=hit.title,
        place=text.place,
        location=_location(text, hit),
        fingerprint=fingerprint(hit.value, key),
        severity=hit.severity,
    )


def _location(text: _Text, hit: Hit) -> str:
    # A name can hold the secret, or be one: then the number of the entry has to do.
    is_safe = _SHOWABLE_NAME.fullmatch(text.name) and hit.value not in text.name and not any(find_forms(text.name))
    return text.name if is_safe else text.number
