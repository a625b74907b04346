"""Releases of distributions: code names, and the day on which free support ends.

A release that is not here is unknown, never alive. Where sources give several days for the end of support that costs
nothing, the earliest counts (checks reference, section 6.4); paid extensions do not. Debian's LTS is free, Ubuntu's ESM and
Red Hat's ELS are not. Interim releases of Ubuntu are left out on purpose: none lives longer than nine months.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import Final


class Life(Enum):
    """What can be said of a release whose support has no day of its end."""

    ROLLING = "rolling"
    UNANNOUNCED = "supported, and no end is announced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Release:
    """One release: `ID` and the leading parts of `VERSION_ID` in os-release, code name, end of free support, source.

    `support_ends` is None for a supported release whose vendor had announced no end when the table was reviewed.
    """

    id: str
    version: str
    codename: str
    support_ends: date | None
    source: str


REVIEWED: Final = date(2026, 12, 1)


_DEBIAN = "wiki.debian.org/LTS; Trivy pkg/detector/ospkg/debian"
_UBUNTU = "distro-info-data ubuntu.csv (eol); endoflife.date/ubuntu"
_ALPINE = "alpinelinux.org/releases"
_RED_HAT = "access.redhat.com/support/policy/updates/errata (maintenance support)"
_CENTOS = "endoflife.date/centos; endoflife.date/centos-stream"
_ROCKY = "wiki.rockylinux.org/rocky/version"
_ALMA = "endoflife.date/almalinux"
_ORACLE = "oracle.com lifetime support policy (premier)"
_AMAZON = "aws.amazon.com/amazon-linux-2/faqs; docs.aws.amazon.com/linux/al2023 (standard and maintenance)"
_SUSE = "en.opensuse.org/Lifetime; endoflife.date/opensuse"
_SLES = "suse.com/lifecycle (general support); endoflife.date/sles"
_FEDORA = "docs.fedoraproject.org/en-US/releases/lifecycle; endoflife.date/fedora"
_PHOTON = "Trivy pkg/detector/ospkg/photon; endoflife.date/vmware-photon"
_AZURE = "learn.microsoft.com/azure/azure-linux support policy"

RELEASES: Final[tuple[Release, ...]] = (
    Release("debian", "8", "jessie", date(2020, 6, 30), _DEBIAN),
    Release("debian", "9", "stretch", date(2022, 6, 30), _DEBIAN),
    Release("debian", "10", "buster", date(2024, 6, 30), _DEBIAN),
    Release("debian", "11", "bullseye", date(2026, 8, 14), _DEBIAN),
    Release("debian", "12", "bookworm", date(2028, 6, 10), _DEBIAN),
    Release("debian", "13", "trixie", date(2030, 6, 30), _DEBIAN),
    Release("ubuntu", "14.04", "trusty", date(2019, 4, 25), _UBUNTU),
    Release("ubuntu", "16.04", "xenial", date(2021, 4, 30), _UBUNTU),
    Release("ubuntu", "18.04", "bionic", date(2023, 5, 31), _UBUNTU),
    Release("ubuntu", "20.04", "focal", date(2025, 5, 29), _UBUNTU),
    Release("ubuntu", "22.04", "jammy", date(2027, 4, 1), _UBUNTU),
    Release("ubuntu", "22.10", "kinetic", date(2023, 7, 20), _UBUNTU),
    Release("ubuntu", "23.04", "lunar", date(2024, 1, 20), _UBUNTU),
    Release("ubuntu", "23.10", "mantic", date(2024, 7, 11), _UBUNTU),
    Release("ubuntu", "24.04", "noble", date(2029, 4, 25), _UBUNTU),
    Release("ubuntu", "24.10", "oracular", date(2025, 7, 10), _UBUNTU),
    Release("ubuntu", "25.04", "plucky", date(2026, 1, 15), _UBUNTU),
    Release("ubuntu", "25.10", "questing", date(2026, 7, 1), _UBUNTU),
    Release("ubuntu", "26.04", "resolute", date(2031, 4, 30), _UBUNTU),
    Release("alpine", "3.10", "", date(2021, 5, 1), _ALPINE),
    Release("alpine", "3.11", "", date(2021, 11, 1), _ALPINE),
    Release("alpine", "3.12", "", date(2022, 5, 1), _ALPINE),
    Release("alpine", "3.13", "", date(2022, 11, 1), _ALPINE),
    Release("alpine", "3.14", "", date(2023, 5, 1), _ALPINE),
    Release("alpine", "3.15", "", date(2023, 11, 1), _ALPINE),
    Release("alpine", "3.16", "", date(2024, 5, 23), _ALPINE),
    Release("alpine", "3.17", "", date(2024, 11, 22), _ALPINE),
    Release("alpine", "3.18", "", date(2025, 5, 9), _ALPINE),
    Release("alpine", "3.19", "", date(2025, 11, 1), _ALPINE),
    Release("alpine", "3.20", "", date(2026, 4, 1), _ALPINE),
    Release("alpine", "3.21", "", date(2026, 11, 1), _ALPINE),
    Release("alpine", "3.22", "", date(2027, 5, 1), _ALPINE),
    Release("alpine", "3.23", "", date(2027, 11, 1), _ALPINE),
    Release("alpine", "3.24", "", date(2028, 6, 1), _ALPINE),
    Release("rhel", "6", "", date(2020, 11, 30), _RED_HAT),
    Release("rhel", "7", "", date(2024, 6, 30), _RED_HAT),
    Release("rhel", "8", "", date(2029, 5, 31), _RED_HAT),
    Release("rhel", "9", "", date(2032, 5, 31), _RED_HAT),
    Release("rhel", "10", "", date(2035, 5, 31), _RED_HAT),
    # CentOS Linux 8 and CentOS Stream 8 both say `ID=centos`, `VERSION_ID=8`: the earlier end counts.
    Release("centos", "7", "", date(2024, 6, 30), _CENTOS),
    Release("centos", "8", "", date(2021, 12, 31), _CENTOS),
    Release("centos", "9", "", date(2027, 5, 31), _CENTOS),
    Release("centos", "10", "", date(2030, 5, 31), _CENTOS),
    Release("rocky", "8", "", date(2029, 5, 31), _ROCKY),
    Release("rocky", "9", "", date(2032, 5, 31), _ROCKY),
    Release("rocky", "10", "", date(2035, 5, 31), _ROCKY),
    Release("almalinux", "8", "", date(2029, 3, 1), _ALMA),
    Release("almalinux", "9", "", date(2032, 5, 31), _ALMA),
    Release("almalinux", "10", "", date(2035, 5, 31), _ALMA),
    Release("ol", "7", "", date(2024, 12, 31), _ORACLE),
    Release("ol", "8", "", date(2029, 7, 31), _ORACLE),
    Release("ol", "9", "", date(2032, 6, 30), _ORACLE),
    Release("ol", "10", "", date(2035, 6, 30), _ORACLE),
    Release("amzn", "2018.03", "", date(2023, 12, 31), _AMAZON),
    Release("amzn", "2", "", date(2026, 6, 30), _AMAZON),
    Release("amzn", "2023", "", date(2029, 6, 30), _AMAZON),
    Release("opensuse-leap", "15.5", "", date(2024, 12, 31), _SUSE),
    Release("opensuse-leap", "15.6", "", date(2026, 4, 30), _SUSE),
    Release("opensuse-leap", "16.0", "", date(2027, 10, 31), _SUSE),
    *(
        Release("sles", version, "", end, _SLES)
        for version, end in (
            ("12.5", date(2024, 10, 31)),
            ("15", date(2019, 12, 31)),
            ("15.1", date(2021, 1, 31)),
            ("15.2", date(2021, 12, 31)),
            ("15.3", date(2022, 12, 31)),
            ("15.4", date(2023, 12, 31)),
            ("15.5", date(2024, 12, 31)),
            ("15.6", date(2025, 12, 31)),
            ("15.7", date(2031, 7, 31)),
            ("16.0", date(2027, 11, 30)),
            ("16.1", date(2028, 11, 30)),
        )
    ),
    *(
        Release("fedora", version, "", end, _FEDORA)
        for version, end in (
            ("39", date(2024, 11, 26)),
            ("40", date(2025, 5, 13)),
            ("41", date(2025, 12, 15)),
            ("42", date(2026, 5, 27)),
            ("43", date(2026, 12, 9)),
            ("44", date(2027, 6, 2)),
        )
    ),
    Release("photon", "3.0", "", date(2024, 3, 31), _PHOTON),
    Release("photon", "4.0", "", date(2026, 3, 31), _PHOTON),
    Release("photon", "5.0", "", None, _PHOTON),
    Release("azurelinux", "3.0", "", None, _AZURE),
    Release("mariner", "2.0", "", date(2025, 7, 31), _AZURE),
)

# Distributions without releases: always current, as far as their packages are.
ROLLING: Final = frozenset({"wolfi", "chainguard", "arch", "opensuse-tumbleweed"})
# Every `ID` that is known at all.
KNOWN_IDS: Final = frozenset({release.id for release in RELEASES}) | ROLLING

_BY_VERSION: Final[Mapping[tuple[str, str], Release]] = MappingProxyType(
    {(release.id, release.version): release for release in RELEASES}
)


# Where a service pack has a life of its own, and the first of a major version has the name of them all (`15`).
_MINOR_RELEASES: Final = frozenset({"sles"})


def find_release(distribution: str, version: str) -> Release | None:
    """Return the release with this `ID` and `VERSION_ID`; `3.20.1` belongs to `3.20`, `9.4` to `9`. None: unknown."""
    parts = version.split(".")
    for count in range(len(parts), 0, -1):
        found = _BY_VERSION.get((distribution, ".".join(parts[:count])))
        if found is not None:
            return found
    return None


def end_of_life(distribution: str, version: str) -> date | Life:
    """Return the last day of free support; `Life.ROLLING` where there are no releases, `Life.UNKNOWN` else."""
    if distribution in ROLLING:
        return Life.ROLLING
    found = find_release(distribution, version)
    if found is None or (found.id in _MINOR_RELEASES and found.version != version):
        return Life.UNKNOWN
    return found.support_ends or Life.UNANNOUNCED
