"""Images of each family of distributions that rpm installs, with a database that rpm itself wrote."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate.model.evidence import Distribution
from tools.images.archive import Entry, file

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "rpm"


def rpm_database(vendor: str) -> bytes:
    """Return a database of `fixtures/rpm`."""
    return gzip.decompress((FIXTURES / f"{vendor}.sqlite.gz").read_bytes())


@dataclass(frozen=True, slots=True)
class RpmFamily:
    """A release: its id, version, the vendor of its database, the database's folder, and release files by name.

    `judged_by` are the scanners that look up advisories for it at all. `content_sets` are the repositories that Red Hat's
    builds name in an image.
    """

    id: str
    version: str
    vendor: str
    folder: str
    files: tuple[tuple[str, str], ...]
    judged_by: tuple[str, ...] = ("trivy", "grype")
    content_sets: tuple[str, ...] = ()

    @property
    def distribution(self) -> Distribution:
        return Distribution(id=self.id, version_id=self.version)

    def release_files(self) -> list[Entry]:
        os_release = f'NAME="{self.id}"\nID="{self.id}"\nVERSION_ID="{self.version}"\n'
        return [file("etc/os-release", os_release), *(file(f"etc/{name}", text) for name, text in self.files)]

    def entries(self) -> list[Entry]:
        entries = [*self.release_files(), file(f"{self.folder}/rpmdb.sqlite", rpm_database(self.vendor))]
        if self.content_sets:
            sets = json.dumps({"content_sets": self.content_sets})
            entries.append(file("root/buildinfo/content_manifests/ubi-container.json", sets))
        return entries


_OLD, _NEW = "var/lib/rpm", "usr/lib/sysimage/rpm"
_CENTOS = "CentOS Stream release 10 (Coughlan)\n"
_FEDORA = "Fedora release 44 (Forty Four)\n"
_AZURE = "Microsoft Azure Linux 3.0.20240727\nAZURELINUX_BUILD_NUMBER=1\n"
AZURE: Final = RpmFamily("azurelinux", "3.0", "microsoft", _OLD, (
    ("azurelinux-release", _AZURE), ("lsb-release", 'DISTRIB_ID="azurelinux"\nDISTRIB_RELEASE="3.0.20240727"\n'),
))  # fmt: skip
FAMILIES: Final = (
    RpmFamily("rhel", "9.4", "redhat", _OLD, (("redhat-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n"),),
              content_sets=("rhel-9-for-x86_64-baseos-rpms", "rhel-9-for-x86_64-appstream-rpms")),
    RpmFamily("rhel", "10.0", "redhat", _NEW, (
        ("redhat-release", "Red Hat Enterprise Linux release 10.0 (Coughlan)\n"),
    ), content_sets=("rhel-10-for-x86_64-baseos-rpms", "rhel-10-for-x86_64-appstream-rpms")),
    RpmFamily("centos", "10", "centos", _NEW, (("redhat-release", _CENTOS), ("centos-release", _CENTOS)), ("grype",)),
    RpmFamily("rocky", "9.4", "rocky", _OLD, (
        ("redhat-release", "Rocky Linux release 9.4 (Blue Onyx)\n"), ("rocky-release", "Rocky Linux release 9.4 (Blue Onyx)\n"),
    )),
    RpmFamily("almalinux", "9.4", "almalinux", _OLD, (
        ("redhat-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n"),
        ("almalinux-release", "AlmaLinux release 9.4 (Seafoam Ocelot)\n"),
    )),
    RpmFamily("ol", "9.4", "oracle", _OLD, (
        ("redhat-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n"),
        ("oracle-release", "Oracle Linux Server release 9.4\n"),
    )),
    RpmFamily("amzn", "2023", "amazon", _OLD, (
        ("system-release", "Amazon Linux release 2023.6.20250107 (Amazon Linux)\n"),
    )),
    AZURE,
    RpmFamily("photon", "5.0", "vmware", _NEW, (
        ("photon-release", "VMware Photon OS 5.0\nPHOTON_BUILD_NUMBER=dde71ec57\n"),
        ("lsb-release", 'DISTRIB_ID="VMware Photon OS"\nDISTRIB_RELEASE="5.0"\nDISTRIB_CODENAME=Photon\n'),
    )),
    RpmFamily("opensuse-leap", "15.6", "suse", _NEW, ()),
    RpmFamily("opensuse-leap", "16.0", "suse", _NEW, ()),
    RpmFamily("sles", "15.7", "suse", _NEW, ()),
    RpmFamily("sles", "16.0", "suse", _NEW, ()),
    RpmFamily("fedora", "44", "fedora", _NEW, (
        ("fedora-release", _FEDORA), ("redhat-release", _FEDORA), ("system-release", _FEDORA),
    ), ("grype",)),
)  # fmt: skip


def azure_manifest() -> str:
    """Return `container-manifest-2` of Azure Linux's distroless form, with the packages of its database."""
    rows = (
        ("bash", "5.1.8-6.azl3", "x86_64", "0", "bash-5.1.8-6.azl3.src.rpm"),
        ("openssl-libs", "3.0.7-1.azl3", "x86_64", "0", "openssl-libs-3.0.7-1.azl3.src.rpm"),
        ("tzdata", "2024a-1.azl3", "noarch", "0", "tzdata-2024a-1.azl3.src.rpm"),
        ("glibc", "2.38-8.azl3", "x86_64", "0", "glibc-2.38-8.azl3.src.rpm"),
    )
    return "".join(
        f"{name}\t{version}\t1700000000\t1700000000\tMicrosoft Corporation\t"
        f"{'(none)' if epoch == '0' else epoch}\t10\t{arch}\t{epoch}\t{source}\n"
        for name, version, arch, epoch, source in rows
    )
