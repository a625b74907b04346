"""What does not belong to the image's own distribution: package databases, architectures, module labels, redirections."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.findings.accepted_places import database_place
from gate.findings.distributions import is_known
from gate.model.finding import Tool
from gate.model.policy import Quorum
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import LayerFacts
    from gate.model.image import Platform
    from gate.model.policy import CoveragePolicy, VulnerabilityPolicy

# Kinds of database by `ID` of os-release; every other distribution that both scanners know has rpm.
_KINDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "debian": frozenset({"dpkg", "chisel"}),
        "ubuntu": frozenset({"dpkg", "chisel"}),
        "alpine": frozenset({"apk"}),
        "wolfi": frozenset({"apk"}),
        "chainguard": frozenset({"apk"}),
    }
)
_RPM: Final = frozenset({"rpm"})
# GOARCH -> what rpm calls it (rpm `lib/rpmrc.in`); `noarch` fits all, and `gpg-pubkey` has none.
_ARCHITECTURES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "amd64": frozenset({"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4", "i386", "i486", "i586", "i686", "athlon"}),
        "arm64": frozenset({"aarch64", "armv8l", "armv7hl"}),
        "arm": frozenset({"armv6hl", "armv7hl", "armv7l", "armv8l"}),
        "386": frozenset({"i386", "i486", "i586", "i686", "athlon"}),
        "ppc64le": frozenset({"ppc64le"}),
        "s390x": frozenset({"s390x"}),
        "riscv64": frozenset({"riscv64"}),
    }
)
_ANY: Final = frozenset({"noarch", "", "None", "(none)"})


def foreign_problems(
    layers: LayerFacts, platform: Platform | None, subject: Digest, coverage: CoveragePolicy, now: datetime
) -> Iterator[Problem]:
    """Refuse databases of another kind than the distribution's, and packages of another architecture than the image's."""
    found = layers.distribution
    if found is None or not is_known(found):
        return
    wanted = _KINDS.get(found.id, _RPM)
    for database in layers.package_databases:
        if database.packages and database.kind not in wanted:
            yield Problem(
                code="SCAN_PKGDB_FOREIGN", message="a package database does not fit the distribution",
                expected=f"{' or '.join(sorted(wanted))}, as {found.id} has", subject=subject,
                seen=f"{database.packages} packages of {database.kind} at /{ascii(database.path)[1:-1]}",
                location=database.path,
            )  # fmt: skip
    known = _ARCHITECTURES.get(platform.architecture) if platform is not None and wanted is _RPM else None
    others = sorted(one for one in layers.os_packages if one[2] not in known | _ANY) if known is not None else []
    if others:
        yield Problem(
            code="SCAN_INCOMPLETE", message="packages are of another architecture, for which advisories do not count",
            expected=f"packages for {platform}", subject=subject,
            seen=f"{len(others)}, e.g. {ascii(' '.join(others[0]))[1:-1]}",
            location=database_place(layers, coverage, now, "rpm"),
        )  # fmt: skip


def redirect_problems(layers: LayerFacts, policy: VulnerabilityPolicy, subject: Digest) -> Iterator[Problem]:
    """Refuse what redirects Trivy, where no other scanner's finding would count without it."""
    if Tool.TRIVY not in policy.require or (Tool.GRYPE in policy.require and policy.quorum is not Quorum.ALL):
        return
    for redirect in layers.redirects:
        yield Problem(
            code="SCAN_REDIRECTED", message="a file of the image makes Trivy ask about something else",
            expected="the release and the files that the image has", subject=subject,
            seen=f"/{ascii(redirect.path)[1:-1]}: {redirect.what}", location=redirect.path,
        )  # fmt: skip


def edited_problems(layers: LayerFacts, subject: Digest, coverage: CoveragePolicy, now: datetime) -> Iterator[Problem]:
    """Refuse a package database that a later layer edited: the files of what it dropped or renamed are still there."""
    edited = [
        one
        for one in layers.dropped_entries
        if not coverage.accepted(one.path, now) and not coverage.accepted(one.database, now)
    ]
    if edited:
        first = edited[0]
        became = f"is {first.now} now" if first.now else "is gone"
        stays = f"/{first.path} stays" if first.path != first.database else "no list names its files"
        example = ascii(f"{first.name} {first.version} {became} in /{first.database}, {stays}")[1:-1]
        yield Problem(
            code="IMG_PKGDB_EDITED", message="a later layer edited the package database and left the files",
            expected="packages that leave with their files", subject=subject,
            seen=f"{len(edited)} entries, e.g. {example}", location=first.path,
        )  # fmt: skip
