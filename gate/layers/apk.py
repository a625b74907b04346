"""The apk database: `lib/apk/db/installed` of Alpine, Wolfi and Chainguard.

Refuses to read a file in part. Specification: apk-tools `apk-installed` format (`X:value` lines, blank line between
packages); checks reference, section 3.3.
"""

from __future__ import annotations

from gate.layers.reading import Reading, is_plain, os_package
from gate.model.evidence import OsPackage

_USED = frozenset("PVAo")


def parse_installed(body: bytes) -> Reading:
    """Read the database of an image (untrusted)."""
    held: set[tuple[OsPackage, str]] = set()
    for number, stanza in enumerate(body.decode("latin-1").split("\n\n"), start=1):
        fields = _fields(stanza)
        if fields is None:
            return Reading(problem=f"stanza {number} is malformed")
        if not fields:
            continue
        name, version, architecture = fields.get("P", ""), fields.get("V", ""), fields.get("A", "")
        if not name or not version or not is_plain(name, version, architecture):
            return Reading(problem=f"stanza {number} has no usable name or version")
        held.add((os_package("apk", name, version, architecture), fields.get("o", "")))
    return Reading(frozenset(held))


def _fields(stanza: str) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    seen = False
    for line in stanza.split("\n"):
        if not line:
            continue
        if line[1:2] != ":":
            return None
        seen = True
        if line[0] in _USED:
            if line[0] in fields:
                return None
            fields[line[0]] = line[2:].strip()
    # Lines without a package would vanish silently; so they count as a package without a name.
    return fields or ({"P": ""} if seen else {})
