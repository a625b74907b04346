"""A VEX document of either format, told apart by what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import parse_object
from gate.codec.vex_cyclonedx import read_cyclonedx_vex
from gate.codec.vex_openvex import read_openvex
from gate.codec.yaml_characters import reordering
from gate.model.digest import Digest

if TYPE_CHECKING:
    from gate.codec.strict_json import Fault, ObjectView
    from gate.model.vex import VexDocument

MAX_VEX_BYTES: Final = 16 * 1024 * 1024


def parse_vex(data: bytes, fault: Fault, *, source: str, products: tuple[str, ...] = ()) -> VexDocument:
    """Parse an OpenVEX 0.2.0 or CycloneDX document whose digest or signature was checked.

    Raises:
        GateError: of the class and code of `fault`.
    """
    view = parse_object(data, fault, limit_bytes=MAX_VEX_BYTES)
    reordered = reordering(data.decode("utf-8", "replace"))
    if reordered:
        raise fault.refuse("is shown in another order than it is read in", expected="plain text", seen=reordered)
    return read_vex(view, Digest.of(data), source=source, products=products)


def read_vex(view: ObjectView, digest: Digest, *, source: str, products: tuple[str, ...] = ()) -> VexDocument:
    """Read a document that was parsed already, alone or as the predicate of a verified statement with this digest."""
    if "@context" in view and "bomFormat" not in view:
        return read_openvex(view, digest, source=source, products=products)
    if "bomFormat" in view and "@context" not in view:
        return read_cyclonedx_vex(view, digest, source=source, products=products)
    raise view.fault.refuse("is no VEX document", expected="OpenVEX (@context) or CycloneDX (bomFormat)")
