"""CycloneDX documents with `vulnerabilities[].analysis` as VEX statements.

`affects[].ref` is followed to the component of this document that has it; a reference that is itself a purl, or a BOM-Link
that ends in one, names that package. What cannot be followed to a purl says nothing, and a vulnerability without analysis
is no statement. A version range never clears: only versions that are written out do.

Specification: CycloneDX 1.4 to 1.6; checks reference, section 5.6; formats reference, section 12.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gate.codec.times import parse_time
from gate.model.vex import VexDocument, VexStatement, VexStatus, says_why

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import Fault, ObjectView
    from gate.model.digest import Digest

VERSIONS: Final = frozenset({"1.4", "1.5", "1.6"})
_STATES: Final[Mapping[str, VexStatus]] = MappingProxyType(
    {
        "not_affected": VexStatus.NOT_AFFECTED,
        "false_positive": VexStatus.NOT_AFFECTED,
        "resolved": VexStatus.FIXED,
        "resolved_with_pedigree": VexStatus.FIXED,
        "exploitable": VexStatus.AFFECTED,
        "in_triage": VexStatus.UNDER_INVESTIGATION,
    }
)
_JUSTIFICATIONS: Final = frozenset(
    {
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    }
)


def read_cyclonedx_vex(view: ObjectView, digest: Digest, *, source: str, products: tuple[str, ...] = ()) -> VexDocument:
    """Read a document that was parsed already, alone or as the predicate of a verified statement with this digest.

    `source` and `products` are kept as they are given.

    Raises:
        GateError: the fault of the view.
    """
    fault = view.fault
    if view.text("bomFormat") != "CycloneDX" or view.text("specVersion") not in VERSIONS:
        seen = f"{view.text('bomFormat')} {view.text('specVersion')}"
        raise fault.refuse("is of another format", expected=f"CycloneDX {', '.join(sorted(VERSIONS))}", seen=seen)
    metadata = view.object("metadata")
    issued = parse_time(metadata.text("timestamp"), fault, "metadata.timestamp")
    image = metadata.optional_object("component")
    image_purl = image.optional_text("purl") if image else ""
    purls = _purls(view, image)
    return VexDocument(
        id=f"{view.text('serialNumber')}/{view.integer('version', minimum=1)}",
        author=_author(metadata),
        digest=digest,
        source=source,
        statements=tuple(
            statement
            for item in view.optional_objects("vulnerabilities")
            for statement in _statements(item, fault, issued, purls, image_purl)
        ),
        products=products,
    )


def _author(metadata: ObjectView) -> str:
    for key in ("supplier", "manufacturer", "manufacture"):
        organisation = metadata.optional_object(key)
        if organisation and organisation.optional_text("name"):
            return organisation.text("name")
    return next((name for item in metadata.optional_objects("authors") if (name := item.optional_text("name"))), "")


def _purls(view: ObjectView, image: ObjectView | None) -> Mapping[str, str]:
    """Map each bom-ref of the document to its component's purl."""
    components = (*view.optional_objects("components"), *((image,) if image else ()))
    purls: dict[str, str] = {}
    for component in components:
        reference = component.optional_text("bom-ref")
        if reference in purls:
            raise component.refuse("bom-ref", "has a bom-ref that is given twice", seen=reference)
        if reference:
            purls[reference] = component.optional_text("purl")
    return purls


def _statements(
    view: ObjectView, fault: Fault, issued: datetime, purls: Mapping[str, str], image_purl: str
) -> Iterator[VexStatement]:
    analysis = view.optional_object("analysis")
    if analysis is None or not analysis.optional_text("state"):
        return
    made = analysis.optional_text("lastUpdated") or analysis.optional_text("firstIssued")
    moment = parse_time(made, fault, "analysis") if made else issued
    ids = frozenset({view.text("id"), *(item.text("id") for item in view.optional_objects("references"))})
    status, reason = _state(analysis)
    for affected in view.optional_objects("affects"):
        for purl, said in _packages(affected, status, purls):
            inside = image_purl.startswith("pkg:oci/") and purl != image_purl
            yield VexStatement(
                vulnerability=ids,
                products=(image_purl,) if inside else (purl,),
                subcomponents=(purl,) if inside else (),
                status=said,
                justification=reason if said is VexStatus.NOT_AFFECTED else "",
                timestamp=moment,
            )


def _state(analysis: ObjectView) -> tuple[VexStatus, str]:
    state, word = analysis.text("state"), analysis.optional_text("justification")
    if state not in _STATES:
        raise analysis.refuse("state", "has an unknown state", expected=" | ".join(_STATES), seen=state)
    if word and word not in _JUSTIFICATIONS:
        expected = " | ".join(sorted(_JUSTIFICATIONS))
        raise analysis.refuse("justification", "has an unknown justification", expected=expected, seen=word)
    detail = analysis.optional_text("detail").strip()
    fallback = state if state == "false_positive" else detail if says_why(detail) else ""
    return _STATES[state], word or fallback


def _packages(view: ObjectView, status: VexStatus, purls: Mapping[str, str]) -> Iterator[tuple[str, VexStatus]]:
    """Return each package that the entry names, with what is said of it."""
    purl = _purl(view.text("ref"), purls)
    versions = view.optional_objects("versions")
    if purl and not versions:
        yield purl, status
    for entry in versions if purl else ():
        version, state = entry.optional_text("version"), entry.optional_text("status") or "affected"
        if version and "@" not in purl.rsplit("/", 1)[-1]:
            yield f"{purl}@{version}", status if state == "unaffected" else VexStatus.AFFECTED


def _purl(reference: str, purls: Mapping[str, str]) -> str:
    if reference in purls:
        return purls[reference]
    named = unquote(reference.partition("#")[2]) if reference.startswith("urn:cdx:") else reference
    return purls.get(named, named if named.startswith("pkg:") else "")
