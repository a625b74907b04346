"""OpenVEX 0.2.0 documents as statements.

Refuses other versions of the format (their products are written differently), fields that the specification does not have
(a misspelt `subcomponents` would change what is cleared), `not_affected` without a reason, and times without a zone. Whether
the document may speak, and of what, is judged elsewhere.

Specification: OpenVEX specification v0.2.0; checks reference, section 5.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.times import parse_time
from gate.model.vex import VexDocument, VexStatement, VexStatus, says_why

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import Fault, ObjectView
    from gate.model.digest import Digest

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
JUSTIFICATIONS: Final = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)
_DOCUMENT: Final = (
    "@context", "@id", "author", "role", "timestamp", "last_updated", "version", "tooling", "statements",
)  # fmt: skip
_STATEMENT: Final = (
    "@id", "version", "vulnerability", "timestamp", "last_updated", "products", "status", "supplier", "status_notes",
    "justification", "impact_statement", "action_statement", "action_statement_timestamp",
)  # fmt: skip
_COMPONENT: Final = ("@id", "identifiers", "hashes", "supplier")


def read_openvex(view: ObjectView, digest: Digest, *, source: str, products: tuple[str, ...] = ()) -> VexDocument:
    """Read a document that was parsed already, alone or as the predicate of a verified statement with this digest.

    `source` and `products` are kept as they are given.

    Raises:
        GateError: the fault of the view.
    """
    fault = view.fault
    view.only(_DOCUMENT)
    if view.text("@context") != CONTEXT:
        raise view.refuse("@context", "is of another version", expected=CONTEXT, seen=view.text("@context"))
    view.integer("version", minimum=1)
    issued = parse_time(view.text("timestamp"), fault, "timestamp")
    return VexDocument(
        id=view.text("@id"),
        author=view.text("author"),
        digest=digest,
        source=source,
        statements=tuple(
            statement for item in view.objects("statements") for statement in _statements(item, fault, issued)
        ),
        products=products,
    )


def _statements(view: ObjectView, fault: Fault, issued: datetime) -> tuple[VexStatement, ...]:
    """Return one statement a product, because each has packages of its own inside it."""
    view.only(_STATEMENT)
    status = _status(view)
    made = view.optional_text("last_updated") or view.optional_text("timestamp")
    moment = parse_time(made, fault, "statement") if made else issued
    ids = _ids(view.object("vulnerability"))
    reason = _reason(view, status)
    return tuple(
        VexStatement(
            vulnerability=ids,
            products=_names(product),
            subcomponents=tuple(
                name for part in product.optional_objects("subcomponents") for name in _component(part)
            ),
            hashes=_hashes(product),
            status=status,
            justification=reason,
            timestamp=moment,
        )
        for product in view.objects("products")
    )


def _status(view: ObjectView) -> VexStatus:
    try:
        return VexStatus(view.text("status"))
    except ValueError as error:
        expected = " | ".join(VexStatus)
        raise view.refuse("status", "has an unknown status", expected=expected, seen=view.text("status")) from error


def _reason(view: ObjectView, status: VexStatus) -> str:
    word, impact = view.optional_text("justification"), view.optional_text("impact_statement").strip()
    if word and (word not in JUSTIFICATIONS or status is not VexStatus.NOT_AFFECTED):
        raise view.refuse("justification", "has a wrong reason", expected=" | ".join(sorted(JUSTIFICATIONS)), seen=word)
    if status is VexStatus.NOT_AFFECTED and not word and not says_why(impact):
        expected = "a justification, or an impact_statement of a few words"
        raise view.refuse("status", "says not_affected without a reason", expected=expected)
    return word or (impact if status is VexStatus.NOT_AFFECTED else "")


def _ids(view: ObjectView) -> frozenset[str]:
    view.only(("@id", "name", "description", "aliases"))
    ids = frozenset({view.text("name"), *view.optional_texts("aliases")})
    if "" in ids:
        raise view.refuse("name", "has an empty id", expected="the id of a vulnerability")
    return ids


def _names(view: ObjectView) -> tuple[str, ...]:
    view.only((*_COMPONENT, "subcomponents"))
    return _identifiers(view)


def _component(view: ObjectView) -> tuple[str, ...]:
    """Return the names of a package inside the product; one that is told apart by a hash names nothing that can be compared."""
    view.only(_COMPONENT)
    names = _identifiers(view)
    return () if _hashes(view) else names


def _hashes(view: ObjectView) -> tuple[str, ...]:
    """Return what the component hashes to; a hash that is not SHA-256 is kept by its name, so that nothing equals it."""
    hashes = view.optional_object("hashes")
    return tuple(_hash(name, hashes) for name in sorted(hashes.fields)) if hashes else ()


def _hash(name: str, hashes: ObjectView) -> str:
    value = hashes.text(name).lower()
    return f"sha256:{value}" if name == "sha-256" else f"{name}:{value}"


def _identifiers(view: ObjectView) -> tuple[str, ...]:
    """Return what names the component: its IRI and its purl, each once; neither is a document that names nothing."""
    identifiers = view.optional_object("identifiers")
    found = (view.optional_text("@id"), identifiers.optional_text("purl") if identifiers else "")
    names = tuple(dict.fromkeys(name for name in found if name))
    if not names:
        raise view.refuse("", "names no component", expected="@id or identifiers.purl")
    return names
