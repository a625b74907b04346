"""VEX: apply statements once, after the merge, never inside a scanner.

Rules: `checks` reference, section 5.6. Only `not_affected` with a reason takes a finding out of the decision. `fixed` while
a scanner still sees the vulnerable version is a conflict, and the finding stays; so is a pair of statements of one time that
disagree. A product without the package inside it would clear the whole image, and a package without version every version:
neither is accepted. Whether a document may speak at all was settled before (`VexDocument.source`, attack L11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from gate.codec.purl import DISTRIBUTION_TYPES, package_key
from gate.errors import GateError
from gate.model.vex import VexStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.finding import Finding, Package, PackageKey
    from gate.model.vex import VexDocument, VexStatement


_VENDOR: Final = re.compile(r"^[a-z][a-z._-]*-(?=[0-9])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexEffect:
    """What VEX says of one finding: the document and status that count, and whether the finding is taken out."""

    document: str
    status: VexStatus
    clears: bool
    detail: str


def vex_effect(
    finding: Finding, images: frozenset[Digest], documents: Iterable[VexDocument], now: datetime
) -> VexEffect | None:
    """Return the effect of the newest statements about this finding, or None where nothing speaks of it.

    `images` are the digests under which the image is known: its manifest's, and that of the index it was reached through.
    """
    speaking = [
        (statement, document)
        for document in documents
        for statement in document.statements
        if statement.timestamp <= now and _speaks(statement, document, finding, images)
    ]
    if not speaking:
        return None
    newest = max(statement.timestamp for statement, _ in speaking)
    latest = sorted(
        ((s, d) for s, d in speaking if s.timestamp == newest), key=lambda pair: (pair[1].id, pair[0].status)
    )
    statement, document = latest[0]
    statuses = {said.status for said, _ in latest}
    if len(statuses) > 1:
        return VexEffect(
            document=document.id, status=VexStatus.AFFECTED, clears=False, detail="statements of one time disagree"
        )
    return _effect(statement, document)


def _effect(statement: VexStatement, document: VexDocument) -> VexEffect:
    clears = statement.status is VexStatus.NOT_AFFECTED and bool(statement.justification)
    return VexEffect(document=document.id, status=statement.status, clears=clears, detail=_detail(statement))


def _detail(statement: VexStatement) -> str:
    match statement.status:
        case VexStatus.NOT_AFFECTED:
            return statement.justification or "not_affected without a justification does not count"
        case VexStatus.FIXED:
            return "said to be fixed, while a scanner sees the vulnerable version"
        case VexStatus.AFFECTED | VexStatus.UNDER_INVESTIGATION:
            return statement.status.value


def _speaks(statement: VexStatement, document: VexDocument, finding: Finding, images: frozenset[Digest]) -> bool:
    if not statement.vulnerability & finding.aliases:
        return False
    named = _named_packages(statement, images)
    return any(_same_package(purl, finding) and _may_speak(document, purl) for purl in named)


def _named_packages(statement: VexStatement, images: frozenset[Digest]) -> tuple[str, ...]:
    """Return the purls of packages that the statement is about: inside this image, or anywhere with their version.

    A package that is told apart by its hash is none of them: what was installed from it has another.
    """
    is_image = any(_is_image(product, statement.hashes, images) for product in statement.products)
    inside = statement.subcomponents if is_image else ()
    apart = statement.subcomponents or statement.hashes
    alone = () if apart else tuple(p for p in statement.products if not p.startswith("pkg:oci/"))
    return inside + alone


def _is_image(product: str, hashes: tuple[str, ...], images: frozenset[Digest]) -> bool:
    """Return whether a product is the image: by the digest in its purl, and by its hash where it has one."""
    name = product.split("?", 1)[0].replace("%3A", ":").replace("%3a", ":")
    if not name.startswith("pkg:oci/"):
        return False
    known = {str(image) for image in images}
    _, named, digest = name.partition("@")
    by_name = digest in known if named else bool(hashes)
    return by_name and (not hashes or any(value in known for value in hashes))


def _same_package(purl: str, finding: Finding) -> bool:
    try:
        named = package_key(purl)
    except GateError:
        return False
    return bool(named.version) and any(
        _covers(named, seen.package.key) and _same_distribution(purl, seen.package) for seen in finding.seen_by
    )


def _same_distribution(purl: str, package: Package) -> bool:
    """Compare the vendor of a distribution's package, which no key holds: Ubuntu does not speak for Debian's build."""
    if package.key.type not in DISTRIBUTION_TYPES:
        return True
    return _vendor(purl) == _vendor(package.purl) and _same_release(_release(purl), _release(package.purl))


def _release(purl: str) -> str:
    """Return the qualifier `distro`: the release of the distribution that the package was built for, or nothing."""
    qualifiers = purl.partition("#")[0].partition("?")[2].split("&")
    release = next((unquote(item[7:]) for item in qualifiers if item.lower().startswith("distro=")), "").lower()
    # The vendor is compared by itself, and Trivy writes Alpine's release without it.
    return _VENDOR.sub("", release)


def _same_release(named: str, found: str) -> bool:
    """Compare releases where the statement names one: `debian-12` is that of `debian-12.5`, and the other way round."""
    if not named:
        return True
    shorter, longer = sorted((named, found), key=len)
    return bool(shorter) and (longer == shorter or longer.startswith(f"{shorter}."))


def _vendor(purl: str) -> str:
    return purl.split("@", 1)[0].rpartition("/")[0].lower()


def _covers(named: PackageKey, found: PackageKey) -> bool:
    """Compare without path, and without architecture where the statement names none."""
    bare = replace(found, path="", arch=named.arch and found.arch)
    return replace(named, path="") == bare


def _may_speak(document: VexDocument, purl: str) -> bool:
    bare = purl.split("?", 1)[0].rsplit("@", 1)[0]
    return not document.products or any(fnmatchcase(bare, pattern) for pattern in document.products)
