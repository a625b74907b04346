"""A pair of policy documents that differ in one key, and short ways to write such pairs."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any, Final

from gate.model.evidence import EvidenceSet
from tests.support.evidence import good_evidence
from tests.support.policies import policy, policy_document, waiver
from tests.support.policy_effects import (
    FOLDER,
    MISSING,
    Document,
    Effect,
    limits,
    outcome,
    statement,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two documents that differ in one key, given as changes to one spec; MISSING takes the key away."""

    key: str
    place: str
    spec: Document
    left: Any
    right: Any
    effect: Effect = outcome
    evidence: Document = field(default_factory=dict)
    base: EvidenceSet = field(default_factory=good_evidence)

    def documents(self) -> tuple[Document, Document]:
        """Return the two documents."""
        return self._with(self.left), self._with(self.right)

    def _with(self, value: Any) -> Document:  # noqa: ANN401 - any YAML
        document = policy_document(**self.spec)
        *path, last = re.findall(r"[^.\[\]]+", self.place)
        at: Any = document
        for step in path:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if value is MISSING:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
        return document


def one(tool: str, name: str = "CVE-2026-1", severity: str = "high", **more: Any) -> Document:  # noqa: ANN401
    """Return changes to the evidence: one finding of one scanner."""
    finding = {"id": name, "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64", "severity": severity, **more}
    return {"subjects": {0: {tool: {"findings": [finding]}}}}


def secret(**more: Any) -> Document:  # noqa: ANN401
    found = {"rule": "aws", "title": "AWS key", "place": "file", "location": "a", "fingerprint": "a" * 16, **more}
    return {"subjects": {0: {"secrets": {"findings": [found]}}}}


VULN: Final[Document] = {"vulnerabilities": {}}
IMAGE_ANY: Final[Document] = {"image": {"user": "any"}}
SIGNED: Final[Document] = {"signature": [{"images": "**", "anyOf": [{"key": {"file": "keys/a.pub"}}]}]}
RULE: Final[Document] = {
    "image": {"user": "any"},
    "rules": [{"id": "rule", "cel": "size(image.config.entrypoint) > 9", "message": "m"}],
}
ALLOWED: Final[Document] = {
    "secrets": {"allow": [{"fingerprint": "a" * 16, "reason": "r", "owner": "o", "expires": "2026-12-31"}]}
}
MATCH: Final[Document] = {"vulnerability": "CVE-2026-1", "package": "pkg:deb/debian/libc6", "versions": "< 3"}
WAIVED: Final[Document] = {"vulnerabilities": {}, "waivers": [waiver(match=MATCH, expires="2026-03-31")]}
PORT: Final[Document] = {"subjects": {0: {"config": {"exposed_ports": ["22/tcp"]}}}}


def vulnerabilities(key: str, left: Any, right: Any, evidence: Document, **spec: Any) -> Pair:  # noqa: ANN401
    return Pair(
        key=f"spec.vulnerabilities.{key}",
        place=f"spec.vulnerabilities.{key}",
        spec={"vulnerabilities": spec},
        left=left,
        right=right,
        evidence=evidence,
    )


def image(key: str, left: Any, right: Any, evidence: Document) -> Pair:  # noqa: ANN401
    place = f"spec.image.{key}"
    return Pair(key=place, place=place, spec={"image": {"user": "any"}}, left=left, right=right, evidence=evidence)


def excusing(key: str, left: Any, right: Any, effect: Effect = outcome) -> Pair:  # noqa: ANN401
    evidence = one("trivy")
    key, place = f"spec.waivers[].{key}", f"spec.waivers.0.{key}"
    return Pair(key=key, place=place, spec=WAIVED, left=left, right=right, effect=effect, evidence=evidence)


def matching(key: str, check: str, match: Document, other: str, spec: Document, evidence: Document) -> Pair:
    whole = waiver(check=check, match=match, expires="2026-03-31")
    place = f"spec.waivers.0.match.{key}"
    return Pair(
        key=f"spec.waivers[].match.{key}",
        place=place,
        spec={**spec, "waivers": [whole]},
        left=match[key],
        right=other,
        evidence=evidence,
    )


def attest(key: str, left: Any, right: Any) -> Pair:  # noqa: ANN401
    place = f"spec.attest.{key}"
    return Pair(key=place, place=place, spec=IMAGE_ANY, left=left, right=right, effect=statement)


def head(place: str, left: Any, right: Any, effect: Effect = outcome) -> Pair:  # noqa: ANN401
    return Pair(key=place, place=place, spec=VULN, left=left, right=right, effect=effect)


def limit(key: str, left: float, right: float, effect: Effect = limits, **others: int) -> Pair:
    place = f"spec.limits.{key}"
    return Pair(key=place, place=place, spec={**VULN, "limits": others}, left=left, right=right, effect=effect)


def section(key: str, value: Any, evidence: Document | None = None) -> Pair:  # noqa: ANN401
    """Return the pair that has the section, and does not have it."""
    spec = {"references": {"registries": ["**"]}} if key != "references" else IMAGE_ANY
    place = f"spec.{key}"
    return Pair(key=place, place=place, spec=spec, left=MISSING, right=value, evidence=evidence or {})


def signing_key(key: str, left: Any, right: Any, effect: Effect = outcome, **others: Any) -> Pair:  # noqa: ANN401
    spec = {"signature": [{"images": "**", "anyOf": [{"key": others}]}]}
    return Pair(
        key=f"key.{key}", place=f"spec.signature.0.anyOf.0.key.{key}", spec=spec, left=left, right=right, effect=effect
    )


def parsed_signers(document: Document, _: EvidenceSet) -> object:
    return policy(document, FOLDER).signature
