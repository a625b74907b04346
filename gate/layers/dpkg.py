"""The dpkg database: `status`, or one file a package in `status.d` (distroless).

Counts what both scanners count: every package that has a version and whose `Status` does not hold the wish `deinstall` or
`purge` (Trivy v0.72.0 `pkg/fanal/analyzer/pkg/dpkg`, Syft v1.46.0 `debian/parse_dpkg_db.go`); and whatever the wish, a package
in a state in which its files are there: with the wish alone an author would hide it from both.
Refuses to read a file in part: one stanza that is not understood makes the whole file unread.
Specification: deb-control(5), dpkg's `lib/dpkg/parse.c`; checks reference, section 3.3.
"""

from __future__ import annotations

from gate.layers.reading import Reading, is_plain, os_package
from gate.model.evidence import OsPackage

_WISHES_AWAY = frozenset({"deinstall", "purge"})
# dpkg(1), "Package states"; without files are `not-installed` and `config-files`. Half-installed ones may have some.
_STATES_WITH_FILES = (
    ["installed"], ["half-installed"], ["unpacked"], ["half-configured"], ["triggers-awaited"], ["triggers-pending"],
)  # fmt: skip


def parse_status(body: bytes) -> Reading:
    """Read a status file, or a file of `status.d`, from an image (untrusted)."""
    # Maintainers' names may be in any old encoding; what is used of a stanza is checked to be ASCII.
    held: set[tuple[OsPackage, str]] = set()
    for number, stanza in enumerate(body.decode("latin-1").split("\n\n"), start=1):
        fields = _fields(stanza)
        if fields is None:
            return Reading(problem=f"stanza {number} is malformed")
        if not fields:
            continue
        package = _package(fields)
        if package is None:
            return Reading(problem=f"stanza {number} has no usable name, version or status")
        if _counts(fields):
            held.add((package, f"{fields.get('source', '')}; {fields.get('maintainer', '')}"))
    return Reading(frozenset(held))


def _fields(stanza: str) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for line in stanza.split("\n"):
        if not line:
            continue
        if line[0] in " \t":
            if not fields or not line.strip():
                return None
            continue
        key, colon, value = line.partition(":")
        if not colon or not is_plain(key) or key.lower() in fields:
            return None
        fields[key.lower()] = value.strip()
    return fields


def _package(fields: dict[str, str]) -> OsPackage | None:
    name, version = fields.get("package", ""), fields.get("version", "")
    architecture, status = fields.get("architecture", ""), fields.get("status")
    if not name or (status is not None and len(status.split()) != 3):
        return None
    if _is_there(fields) and not version:
        return None
    return os_package("deb", name, version, architecture) if is_plain(name, version, architecture) else None


def _counts(fields: dict[str, str]) -> bool:
    wished_away = not _WISHES_AWAY.isdisjoint(fields.get("status", "").split())
    return _is_there(fields) or (bool(fields.get("version")) and not wished_away)


def _is_there(fields: dict[str, str]) -> bool:
    status = fields.get("status")
    return status is None or status.split()[2:] in _STATES_WITH_FILES
