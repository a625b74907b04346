"""What a registry lists as attached, and the manifests of attachments: untrusted lists, read entry by entry (DESIGN rule 14).

An entry that cannot be read is counted, and stops nothing: whoever may push could otherwise block an image with one. Only one
that says of itself that it is a FAILED verdict and cannot be read is an error, for it could take a PASSED one back. A list
that is no JSON, or no list at all, is an error as a whole. Everything here is an unsigned hint: what counts is signed.

Specification: OCI distribution-spec 1.1, "Listing Referrers"; formats reference, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, JsonValue, ObjectView, parse_object, printable
from gate.errors import GateError, RegistryError
from gate.model.attachment import (
    BUNDLE_PREFIX,
    COSIGN_ARTIFACT_PREFIX,
    DSSE_ENVELOPE,
    FAILED_VERDICT,
    IN_TOTO_ARTIFACT,
    SIMPLE_SIGNING,
)
from gate.model.image import CONFIG_TYPES, OCI_EMPTY, OCI_INDEX, Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LIST_BYTES: Final = 4 * 1024 * 1024
UNREADABLE: Final = "unreadable entry"
LIST_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "the list of referrers", single=True)
_FILTERS: Final = "org.opencontainers.referrers.filtersApplied"
# A registry that finds no `artifactType` writes the type of the configuration, or nothing; some write that of emptiness.
_UNTYPED: Final = CONFIG_TYPES | {"", OCI_EMPTY}
_ATTACHED: Final = frozenset({FAILED_VERDICT, SIMPLE_SIGNING, DSSE_ENVELOPE, IN_TOTO_ARTIFACT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferrerList:
    """The entries that could be read, in their order; `unread` counts the others."""

    entries: tuple[Descriptor, ...] = ()
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentManifest:
    """What an attachment's manifest says of itself: its type, and the layers that could be read."""

    artifact_type: str
    layers: tuple[Descriptor, ...] = ()
    unread: int = 0


def could_be_attached(artifact_type: str) -> bool:
    """Say whether something of this type could be a signature, an attestation or a verdict: it is worth fetching."""
    return artifact_type in _UNTYPED | _ATTACHED or artifact_type.startswith((BUNDLE_PREFIX, COSIGN_ARTIFACT_PREFIX))


def could_be_failed(artifact_type: str) -> bool:
    """Say whether something of this type could be a FAILED verdict of the gate: it says so, or it does not say what it is."""
    return artifact_type == FAILED_VERDICT or artifact_type in _UNTYPED


def parse_referrers(data: bytes, *, fault: Fault = LIST_FAULT) -> ReferrerList:
    """Parse one page of a registry's answer, or the list under the fallback tag.

    Raises:
        GateError: of `fault`: it is no list, it was filtered although nobody asked for that, or an entry that says that it is
            a FAILED verdict cannot be read.
    """
    view = parse_object(data, fault, limit_bytes=MAX_LIST_BYTES)
    kind = view.optional_text("mediaType")
    if kind not in {"", OCI_INDEX} or view.integer("schemaVersion") != 2 or _has_folded_manifests(view):
        raise view.refuse("mediaType", "is not an OCI index", expected=OCI_INDEX, seen=kind)
    if _annotated_filters(view):
        raise filtered(fault, _annotated_filters(view))
    listed = view.fields.get("manifests")
    if listed is not None and not isinstance(listed, list):
        raise view.refuse("manifests", "is not a list", expected="a list of descriptors")
    found = [_entry(item, fault) for item in listed or ()]
    entries = tuple(item for item in found if item is not None)
    return ReferrerList(entries=entries, unread=len(found) - len(entries))


def says_index(data: bytes) -> bool:
    """Say whether a document calls itself an index, whatever it is served as."""
    try:
        return parse_object(data, LIST_FAULT, limit_bytes=MAX_LIST_BYTES).optional_text("mediaType") == OCI_INDEX
    except GateError:
        return False


def filtered(fault: Fault, seen: str) -> GateError:
    """Make the error for a list from which the registry left something out, although nobody asked for it."""
    return fault.refuse("was filtered, and nobody asked for that", expected="every referrer", seen=seen)


def _annotated_filters(view: ObjectView) -> str:
    annotations = view.fields.get("annotations")
    given = annotations.get(_FILTERS) if isinstance(annotations, dict) else None
    return printable(str(given)) if given else ""


def _has_folded_manifests(view: ObjectView) -> bool:
    """Say whether a key is `manifests` to Go's reader, which ignores case, and not to this one."""
    return any(key != "manifests" and key.casefold() == "manifests" for key in view.fields)


def _entry(item: JsonValue, fault: Fault) -> Descriptor | None:
    descriptor = read_descriptor(item, fault)
    if descriptor is None and isinstance(item, dict) and item.get("artifactType") == FAILED_VERDICT:
        raise fault.refuse(
            "has an entry for a FAILED verdict that cannot be read",
            expected="a digest and a size",
            seen=str(item.get("digest")),
        )
    return descriptor


def read_descriptor(item: JsonValue, fault: Fault) -> Descriptor | None:
    """Return digest, size, type and annotations of one entry, None where it has not at least these."""
    if not isinstance(item, dict):
        return None
    view = ObjectView(item, fault)
    try:
        digest, size = view.digest("digest"), view.integer("size")
        return Descriptor(
            media_type=view.optional_text("mediaType"),
            digest=digest,
            size=size,
            artifact_type=view.optional_text("artifactType"),
            annotations=view.optional_text_map("annotations"),
        )
    except GateError:
        return None


def parse_attachment_manifest(data: bytes, *, fault: Fault = LIST_FAULT) -> AttachmentManifest:
    """Parse the manifest of an attachment by its own words: its bytes have the listed digest, whatever they are served as.

    Raises:
        GateError: of `fault`, where it is no JSON object.
    """
    view = parse_object(data, fault, limit_bytes=MAX_LIST_BYTES)
    found = list(_layers(view, fault))
    layers = tuple(item for item in found if item is not None)
    return AttachmentManifest(artifact_type=_own_type(view), layers=layers, unread=len(found) - len(layers))


def _layers(view: ObjectView, fault: Fault) -> Iterator[Descriptor | None]:
    listed = view.fields.get("layers")
    for item in listed if isinstance(listed, list) else ():
        yield read_descriptor(item, fault)


def _own_type(view: ObjectView) -> str:
    config = view.fields.get("config")
    kinds = (view.fields.get("artifactType"), config.get("mediaType") if isinstance(config, dict) else None)
    return next((kind for kind in kinds if isinstance(kind, str) and kind), "")
