"""What a demanded attestation holds: SBOM, vulnerability report, VEX or test result, read as far as it must be believed.

Refuses a document that is not of its kind, an SBOM that lists nothing, and a CycloneDX one in which a reference names two
things. It does not judge what the document says of the software: the gate scans for itself, and an SBOM takes nothing away from
what was found (attack L05). Only statements whose signature was verified come here. Whether a CycloneDX document meets the
schema of its version takes seconds and is asked elsewhere (`gate.sandbox.cyclonedx`).

Specification: CycloneDX 1.2 to 1.7 (JSON), SPDX 2.2 and 2.3 (JSON), OpenVEX 0.2.0, in-toto vulns and test-result predicates;
formats reference, section 10.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from gate.codec.times import parse_time
from gate.model.predicate import AttestationKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.codec.statement import Statement
    from gate.codec.strict_json import ObjectView
    from gate.errors import GateError

MAX_COMPONENTS: Final = 200_000
_CYCLONEDX_VERSION: Final = re.compile(r"1\.[2-7]", re.ASCII)
_SPDX_VERSION: Final = re.compile(r"SPDX-2\.[23]", re.ASCII)
_SPDX_DOCUMENT: Final = "SPDXRef-DOCUMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedDocument:
    """A document as it was attested: `created` is its author's word, None where it names no time; `items` counts its entries.

    `result` is that of a test, "" for every other kind.
    """

    kind: AttestationKind | None
    created: datetime | None = None
    items: int = 0
    result: str = ""


def read_attested(statement: Statement) -> AttestedDocument:
    """Read the predicate of a statement by its type; of a type that no word names only that it is an object.

    Raises:
        AttestationError: `ATT_MALFORMED`.
    """
    kind = kind_of(statement.predicate_type)
    if kind is AttestationKind.CYCLONEDX and isinstance(statement.view.fields.get("predicate"), str):
        raise statement.view.refuse(
            "predicate", "is a text", expected="CycloneDX as a JSON object", seen="XML, or another text"
        )
    predicate = statement.view.object("predicate")
    match kind:
        case AttestationKind.CYCLONEDX:
            return _cyclonedx(predicate)
        case AttestationKind.SPDX:
            return _spdx(predicate)
        case AttestationKind.VULNERABILITIES:
            return _vulnerabilities(predicate)
        case AttestationKind.OPENVEX:
            items = _counted(predicate, "statements")
            return AttestedDocument(kind=kind, created=_time(predicate, "timestamp"), items=items)
        case AttestationKind.TEST_RESULT:
            return AttestedDocument(kind=kind, result=predicate.text("result"))
        case None:
            return AttestedDocument(kind=None)
        case _ as unreachable:
            assert_never(unreachable)


def _cyclonedx(predicate: ObjectView) -> AttestedDocument:
    _literally(predicate, "bomFormat", re.compile("CycloneDX"))
    _literally(predicate, "specVersion", _CYCLONEDX_VERSION)
    items, metadata = _listed(predicate, "components"), predicate.optional_object("metadata")
    _expect_distinct_references(predicate, metadata)
    return AttestedDocument(
        kind=AttestationKind.CYCLONEDX,
        created=_time(metadata, "timestamp") if metadata is not None else None,
        items=items,
    )


def _expect_distinct_references(predicate: ObjectView, metadata: ObjectView | None) -> None:
    """Demand that each `bom-ref` names one thing, as the specification does and its schema cannot say.

    With one reference for two components a document says two things of what each depends on. What the document is about may be
    listed once more among the components, as auditwheel does, if it is the same there.
    """
    named: dict[str, ObjectView] = {}
    for view in _described(predicate):
        reference = view.optional_text("bom-ref")
        if reference in named:
            raise _names_a_second(view, reference)
        named |= {reference: view} if reference else {}
    subject = metadata.optional_object("component") if metadata is not None else None
    again = named.get(subject.optional_text("bom-ref")) if subject is not None else None
    if subject is None or again is None:
        return
    if any(subject.fields.get(key) != again.fields.get(key) for key in ("name", "version")):
        raise _names_a_second(again, subject.text("bom-ref"))


def _names_a_second(view: ObjectView, reference: str) -> GateError:
    return view.refuse("bom-ref", "names a second thing", expected="each reference once", seen=reference)


def _described(view: ObjectView) -> Iterator[ObjectView]:
    """Return what a document or a component lists, at every depth."""
    for key in ("components", "services"):
        for item in view.optional_objects(key):
            yield item
            yield from _described(item)


def _spdx(predicate: ObjectView) -> AttestedDocument:
    _literally(predicate, "spdxVersion", _SPDX_VERSION)
    _literally(predicate, "SPDXID", re.compile(_SPDX_DOCUMENT))
    return AttestedDocument(
        kind=AttestationKind.SPDX,
        created=_time(predicate.object("creationInfo"), "created"),
        items=_listed(predicate, "packages"),
    )


def _vulnerabilities(predicate: ObjectView) -> AttestedDocument:
    """Read Cosign's and in-toto's reports: the scanner is named, and when it ended."""
    scanner, metadata = predicate.object("scanner"), predicate.object("metadata")
    scanner.text("uri")
    results = scanner.fields.get("result")
    return AttestedDocument(
        kind=AttestationKind.VULNERABILITIES,
        created=_time(metadata, "scanFinishedOn"),
        items=len(results) if isinstance(results, list) else 0,
    )


def _literally(view: ObjectView, key: str, pattern: re.Pattern[str]) -> None:
    text = view.text(key)
    if not pattern.fullmatch(text):
        raise view.refuse(key, "is of another kind", expected=pattern.pattern.replace("\\", ""), seen=text)


def _listed(view: ObjectView, key: str) -> int:
    count = _counted(view, key)
    if not count:
        raise view.refuse(key, "lists nothing", expected="at least one entry", seen="none")
    return count


def _counted(view: ObjectView, key: str) -> int:
    items = view.optional_objects(key)
    if len(items) > MAX_COMPONENTS:
        raise view.refuse(key, "has too many items", expected=f"at most {MAX_COMPONENTS}", seen=str(len(items)))
    return len(items)


def _time(view: ObjectView, key: str) -> datetime | None:
    text = view.optional_text(key)
    return parse_time(text, view.fault, key) if text else None
