"""The list of packages of an rpm image without a database: `container-manifest-2` of Azure Linux's distroless form.

One line a package, ten fields between tabs, as `rpm -qa` writes them there: name, version-release, times of installation and
build, vendor, epoch or `(none)`, size, architecture, epoch as a number, source package. Refuses to read in part, and whatever
the scanners' readers refuse or skip.
Specification: Azure Linux toolkit `imagecustomizer`; Trivy `pkg/fanal/analyzer/pkg/rpm/rpmqa.go`; Syft
`redhat/parse_rpm_manifest.go`.
"""

from __future__ import annotations

from gate.layers.reading import Reading, is_plain, os_package
from gate.model.evidence import OsPackage

_FIELDS = 10
# Go's scanner, which both scanners read it with, fails or ends at a longer line.
_MAX_LINE_BYTES = 64 * 1024


def parse_manifest(body: bytes) -> Reading:
    """Read the manifest of an image (untrusted)."""
    held: set[tuple[OsPackage, str]] = set()
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line:
            continue
        fields = line.decode("latin-1").split("\t")
        package = _package(fields) if len(line) < _MAX_LINE_BYTES else None
        if package is None:
            return Reading(problem=f"line {number} has no usable name, version or architecture")
        held.add((package, f"{fields[9]}; {fields[4]}"))
    return Reading(frozenset(held))


def _package(fields: list[str]) -> OsPackage | None:
    if len(fields) != _FIELDS:
        return None
    name, version, architecture, epoch = fields[0], fields[1], fields[7], fields[8]
    # Trivy takes the epoch from the ninth field. Syft asks the sixth whether there is one, and then reads the size for it: an
    # entry with an epoch is read here, and differs in Grype's report.
    if fields[5] != epoch and (fields[5], epoch) != ("(none)", "0"):
        return None
    if not name or not is_plain(name, version, architecture) or version.count("-") != 1 or not epoch.isdecimal():
        return None
    return os_package("rpm", name, f"{int(epoch)}:{version}", architecture)
