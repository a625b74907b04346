"""The types of the variables that a policy's own rules may speak of, and when two values can be equal at all.

`gate.codec.rule_facts` makes the values; a test compares the two. A type knows the words or the form that its texts have, so
that a comparison which no image can meet ("hgih", a port without its protocol) is seen when the policy is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gate.model.finding import FixState, Tool
from gate.model.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a text always looks like; `words` are named where they are few."""

    pattern: re.Pattern[str]
    expected: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleType:
    """A type: `item` is of a list's values or a map's values, `fields` are of an object.

    `literals` are the texts that a literal, or a list of literals, is written with; empty for everything else.
    """

    kind: str
    item: RuleType | None = None
    fields: Mapping[str, RuleType] = field(default_factory=dict)
    form: Form | None = None
    literals: tuple[str, ...] = ()

    @property
    def value(self) -> RuleType:
        """Return the type of what a list or map holds."""
        return self.item if self.item is not None else DYN

    def __str__(self) -> str:
        """Return the type in words of CEL."""
        return f"{self.kind}({self.item})" if self.item is not None else self.kind


DYN: Final = RuleType(kind="dyn")
STRING: Final = RuleType(kind="string")
INT: Final = RuleType(kind="int")
DOUBLE: Final = RuleType(kind="double")
BOOL: Final = RuleType(kind="bool")
BYTES: Final = RuleType(kind="bytes")
NULL: Final = RuleType(kind="null")
DURATION: Final = RuleType(kind="duration")
TIMESTAMP: Final = RuleType(kind="timestamp")
TYPE: Final = RuleType(kind="type")
NUMBERS: Final = frozenset({"int", "double"})


def list_of(item: RuleType, literals: tuple[str, ...] = ()) -> RuleType:
    """Return the type of a list."""
    return RuleType(kind="list", item=item, literals=literals)


def map_of(item: RuleType) -> RuleType:
    """Return the type of a map from texts, whose keys are the image's or the builder's."""
    return RuleType(kind="map", item=item)


def _object(**fields: RuleType) -> RuleType:
    return RuleType(kind="object", fields=fields)


def _words(*words: str) -> RuleType:
    pattern = re.compile("|".join(map(re.escape, words)))
    return RuleType(kind="string", form=Form(pattern=pattern, expected=" | ".join(words), words=words))


def _formed(pattern: str, expected: str) -> RuleType:
    return RuleType(kind="string", form=Form(pattern=re.compile(pattern, re.DOTALL), expected=expected))


_DIGEST: Final = _formed(r"sha256:[0-9a-f]{64}", "sha256: and 64 lower-case hex digits")
_PORT: Final = _formed(r"[^A-Z]*/[^A-Z]*", "a port with its protocol in lower case, as 22/tcp")
_LOWER: Final = _formed(r"[^A-Z]*", "lower case")
_PACKAGE: Final = _object(
    type=_LOWER, namespace=STRING, name=STRING, version=STRING, arch=STRING, path=STRING,
    purl=_formed(r"pkg:.*", "a purl, as pkg:deb/debian/zlib1g"),
)  # fmt: skip
_FINDING: Final = _object(
    id=STRING, aliases=list_of(STRING), severity=_words(*(severity.value for severity in Severity)), severityRank=INT,
    package=_PACKAGE, fixState=_words(*(state.value for state in FixState)), fixedVersions=list_of(STRING),
    fixKnownSince=STRING, tools=list_of(_words(*(tool.value for tool in Tool))), kev=BOOL, epss=list_of(DOUBLE),
    fingerprint=STRING,
)  # fmt: skip
_CONFIG: Final = _object(
    user=STRING, created=STRING, author=STRING, exposedPorts=list_of(_PORT), env=map_of(STRING), entrypoint=list_of(STRING),
    cmd=list_of(STRING), volumes=list_of(STRING), workingDir=STRING, labels=map_of(STRING), stopSignal=STRING,
    healthcheck=list_of(STRING), onBuild=list_of(STRING), shell=list_of(STRING), layers=INT, history=list_of(STRING),
)  # fmt: skip
VARIABLES: Final[Mapping[str, RuleType]] = {
    "image": _object(
        digest=_DIGEST, mediaType=STRING, size=INT, repository=STRING, config=_CONFIG,
        platform=_object(os=_LOWER, architecture=_LOWER, variant=_LOWER),
    ),
    "packages": list_of(_PACKAGE),
    "findings": list_of(_FINDING),
    "signatures": list_of(_object(keyId=STRING, annotations=map_of(STRING))),
    "provenance": list_of(
        _object(builder=STRING, buildType=STRING, source=STRING, ref=STRING, commit=STRING, parameters=map_of(STRING), level=INT)
    ),
}  # fmt: skip


def can_equal(one: RuleType, other: RuleType) -> bool:
    """Return whether values of the two types are ever equal."""
    if (
        "dyn" in {one.kind, other.kind}
        or {one.kind, other.kind} <= NUMBERS
        or {one.kind, other.kind} == {"map", "object"}
    ):
        return True
    return one.kind == other.kind and (one.kind not in {"list", "map"} or can_equal(one.value, other.value))


def impossible(one: RuleType, other: RuleType) -> tuple[str, Form] | None:
    """Return the literal of either type that the other's form never is, with the form."""
    for formed, literal in ((one, other), (other, one)):
        if formed.form is not None:
            for text in literal.literals:
                if not formed.form.pattern.fullmatch(text):
                    return text, formed.form
    return None
