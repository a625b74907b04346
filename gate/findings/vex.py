"""VEX: apply statements once, after the merge, never inside a scanner.

Rules: `checks` reference, section 5.6. Only `not_affected` with a reason takes a finding out of the decision. `fixed` while
a scanner still sees the vulnerable version is a conflict, and the finding stays; so is a pair of statements of one time that
disagree. A product without the package inside it would clear the whole image, and a package without version every version:
neither is accepted. Whether a document may speak at all was settled before (`VexDocument.source`, attack L11).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gate.codec.purl import DISTRIBUTION_TYPES, package_key
from gate.errors import GateError
from gate.model.vex import VexStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.finding import Finding, Package, PackageKey
    from gate.model.vex import VexDocument, VexStatement


@dataclass(frozen=True, slots=True, kw_only=True)
class VexEffect:
    """What VEX says of one finding: the document and status that count, and whether the finding is taken out."""

    document: str
    status: VexStatus
    clears: bool
    detail: str


def vex_effect(finding: Finding, image: Digest, documents: Iterable[VexDocument], now: datetime) -> VexEffect | None:
    """Return the effect of the newest statements about this finding, or None where nothing speaks of it."""
    speaking = [
        (statement, document)
        for document in documents
        for statement in document.statements
        if statement.timestamp <= now and _speaks(statement, document, finding, image)
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


def _speaks(statement: VexStatement, document: VexDocument, finding: Finding, image: Digest) -> bool:
    if not statement.vulnerability & finding.aliases:
        return False
    named = _named_packages(statement, image)
    return any(_same_package(purl, finding) and _may_speak(document, purl) for purl in named)


def _named_packages(statement: VexStatement, image: Digest) -> tuple[str, ...]:
    """Return the purls of packages that the statement is about: inside this image, or anywhere with their version."""
    inside = statement.subcomponents if any(_is_image(product, image) for product in statement.products) else ()
    alone = () if statement.subcomponents else tuple(p for p in statement.products if not p.startswith("pkg:oci/"))
    return inside + alone


def _is_image(product: str, image: Digest) -> bool:
    name = product.split("?", 1)[0].replace("%3A", ":").replace("%3a", ":")
    return name.startswith("pkg:oci/") and name.endswith(f"@{image}")


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
    return _vendor(purl) == _vendor(package.purl)


def _vendor(purl: str) -> str:
    return purl.split("@", 1)[0].rpartition("/")[0].lower()


def _covers(named: PackageKey, found: PackageKey) -> bool:
    """Compare without path, and without architecture where the statement names none."""
    bare = replace(found, path="", arch=named.arch and found.arch)
    return replace(named, path="") == bare


def _may_speak(document: VexDocument, purl: str) -> bool:
    bare = purl.split("?", 1)[0].rsplit("@", 1)[0]
    return not document.products or any(fnmatchcase(bare, pattern) for pattern in document.products)
