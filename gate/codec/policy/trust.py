"""`spec.trust`: trusted roots by name, and what is demanded of signatures under each.

The public instance is there under the name `public` without being written; writing it pins another file for it, and loosens
nothing: what may be waived for a private instance (a certificate log that it has not, a log that it has not) may not be
for the public one.

Specification: DESIGN, section 6; formats reference, sections 8.2, 9.1 and 13.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.keys import ed25519_key
from gate.codec.policy.keys import TRUST_KEYS, WITNESS_KEYS
from gate.codec.policy.patterns import distinct, read_count, read_trust_name
from gate.codec.yaml_node import Node
from gate.errors import UsageError
from gate.model.evidence_demand import EvidenceDemand, Inclusion
from gate.model.trust import PUBLIC, Trust, TrustSource, Witness

if TYPE_CHECKING:
    from gate.codec.policy.files import FileReader, ShippedRoot
    from gate.codec.yaml_node import Fields
    from gate.model.trust import TrustedRoot

_VKEY: Final = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44,48}={0,2})", re.ASCII)
# C2SP signed-note: the kind of key that cosigns (cosignature/v1).
_COSIGNATURE: Final = 4


def read_trust(node: Node, files: FileReader) -> dict[str, Trust]:
    """Read the section: name → trust, not empty."""
    found: dict[str, Trust] = {}
    for entry in node.entries(most=20):
        name = read_trust_name(entry.key, entry.node)
        found[name] = _trust(name, entry.node, files)
    if not found:
        raise node.refuse("names no trusted root", expected="NAME: {trustedRoot: ...}")
    return found


def public_trust(shipped: ShippedRoot) -> Trust:
    """Return the trust that is there without being written."""
    root = _parsed(shipped.content)
    return Trust(name=PUBLIC, root=root, source=TrustSource.SHIPPED, place=shipped.package)


def _trust(name: str, node: Node, files: FileReader) -> Trust:
    fields = node.fields(TRUST_KEYS)
    if name == PUBLIC:
        _expect_nothing_loosened(fields)
    demand = EvidenceDemand(
        logs=fields.get("log", read_count, 1),
        timestamps=fields.get("timestamps", read_count, 0),
        sct=fields.get("sct", Node.boolean, default=True),
        inclusion=fields.get("inclusion", _inclusion, Inclusion.BUNDLES),
    )
    if demand.logs + demand.timestamps == 0:
        raise node.refuse(
            "demands nothing that says when a certificate was used", expected="log or timestamps of at least 1"
        )
    root, place = fields.demand("trustedRoot", partial(_root, files=files))
    trust = Trust(name=name, root=root, place=place, demand=demand)
    if "witnesses" not in fields:
        return trust
    witnesses, witnessed = fields.demand("witnesses", _witnesses)
    return replace(trust, witnesses=witnesses, witnessed=witnessed)


def _expect_nothing_loosened(fields: Fields) -> None:
    for key in ("sct", "log"):
        if key in fields:
            raise fields.values[key].refuse("may not be changed for the public instance", expected=f"no {key} here")
    if fields.get("inclusion", _inclusion, Inclusion.PROOF) is Inclusion.PROMISE:
        raise fields.values["inclusion"].refuse("may only be strict for the public instance", expected="proof")


def _inclusion(node: Node) -> Inclusion:
    text = node.text()
    if text not in {Inclusion.PROOF, Inclusion.PROMISE}:
        raise node.refuse("is not acceptable", expected="proof or promise", seen=text)
    return Inclusion(text)


def _root(node: Node, files: FileReader) -> tuple[TrustedRoot, str]:
    file = files.node(node)
    try:
        return _parsed(file.data), file.path
    except UsageError as error:
        raise node.refuse(error.message, code=error.code, expected=error.expected, seen=error.seen) from error


def _parsed(root: bytes) -> TrustedRoot:
    # Imported where a policy names an identity: keys need no certificates.
    from gate.codec.trusted_root import parse_trusted_root  # noqa: PLC0415

    return parse_trusted_root(root)


def _witnesses(node: Node) -> tuple[tuple[Witness, ...], int]:
    fields = node.fields(WITNESS_KEYS)
    keys = fields.demand("keys", lambda value: tuple(map(_witness, value.items(most=16, empty_code="POL_MALFORMED"))))
    distinct(node, (witness.name for witness in keys), "witness")
    return keys, fields.demand("count", lambda value: value.integer(1, len(keys)))


def _witness(node: Node) -> Witness:
    """Read a verifier key of C2SP signed-note: `name+hash+base64`."""
    text = node.text()
    match = _VKEY.fullmatch(text)
    try:
        raw = base64.b64decode(match.group(3), validate=True) if match else b""
    except binascii.Error:
        raw = b""
    if match is None or len(raw) != 33 or raw[0] != _COSIGNATURE:
        raise node.refuse("is not the key of a witness", expected="name+hash+key of kind 4 (cosignature/v1)", seen=text)
    name, hint = match.group(1), bytes.fromhex(match.group(2))
    if hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4] != hint:
        raise node.refuse(
            "has a hash that is not its key's", expected="the line as the witness publishes it", seen=text
        )
    return Witness(name=name, hint=hint, key=ed25519_key(raw[1:]))
