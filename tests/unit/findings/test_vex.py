"""VEX takes a finding out only where it names this very package, gives a reason, and nothing newer says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gate.findings.merge import merge_findings
from gate.findings.vex import vex_effect
from gate.model.digest import Digest
from gate.model.finding import Finding, Package, Tool
from gate.model.vex import VexDocument, VexStatement, VexStatus
from tests.support.evidence import ZLIB, found, package
from tests.support.signing import CHILD, IMAGE, NOW

PURL = "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64"
OCI = f"pkg:oci/web@{IMAGE}".replace(":", "%3A").replace("pkg%3A", "pkg:")
DAY = timedelta(days=1)


def finding(where: Package = ZLIB) -> Finding:
    records = [found(Tool.TRIVY, "CVE-1", where), found(Tool.GRYPE, "GHSA-a", where, aliases=frozenset({"CVE-1"}))]
    return merge_findings(records)[0]


STATEMENT = VexStatement(
    vulnerability=frozenset({"CVE-1"}),
    products=(PURL,),
    status=VexStatus.NOT_AFFECTED,
    justification="component_not_present",
    timestamp=NOW - DAY,
)


def document(*statements: VexStatement, products: tuple[str, ...] = (), name: str = "vex") -> VexDocument:
    return VexDocument(
        id=name, author="vendor", digest=Digest.of(b""), source="file", statements=statements, products=products
    )


def clears(*statements: VexStatement, about: Finding | None = None, products: tuple[str, ...] = ()) -> bool:
    effect = vex_effect(about or finding(), frozenset({IMAGE}), [document(*statements, products=products)], NOW)
    return effect is not None and effect.clears


@pytest.mark.parametrize(
    "statement",
    [
        STATEMENT,
        replace(STATEMENT, vulnerability=frozenset({"GHSA-a"})),
        replace(STATEMENT, products=("pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1",)),
        replace(STATEMENT, products=(OCI,), subcomponents=(PURL,)),
        replace(STATEMENT, products=(OCI + "?repository_url=x",), subcomponents=(PURL,)),
        replace(STATEMENT, products=("pkg:deb/debian/other@1", PURL)),
    ],
    ids=["package", "any-alias", "no-architecture", "inside-the-image", "image-with-qualifiers", "second-product"],
)
def test_it_takes_the_finding_out(statement: VexStatement) -> None:
    assert clears(statement)


@pytest.mark.parametrize(
    "statement",
    [
        replace(STATEMENT, vulnerability=frozenset({"CVE-2"})),
        replace(STATEMENT, justification=""),
        replace(STATEMENT, products=("pkg:deb/debian/zlib1g?arch=amd64",)),
        replace(STATEMENT, products=("pkg:deb/debian/zlib1g@1%3A1.3?arch=amd64",)),
        replace(STATEMENT, products=("pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=arm64",)),
        replace(STATEMENT, products=("pkg:deb/ubuntu/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64",)),
        replace(STATEMENT, products=(OCI,)),
        replace(STATEMENT, products=(OCI,), subcomponents=("pkg:deb/debian/zlib1g",)),
        replace(STATEMENT, products=(f"pkg:oci/web@{CHILD}",), subcomponents=(PURL,)),
        replace(STATEMENT, products=(PURL,), subcomponents=("pkg:deb/debian/other@1",)),
        replace(STATEMENT, products=("no purl",)),
        replace(STATEMENT, timestamp=NOW + DAY),
        *(replace(STATEMENT, status=status) for status in VexStatus if status is not VexStatus.NOT_AFFECTED),
    ],
    ids=[
        "another-vulnerability",
        "no-reason",
        "every-version",
        "another-version",
        "another-architecture",
        "another-vendors-build",
        "the-whole-image",
        "every-version-inside",
        "another-image",
        "a-package-inside-a-package",
        "no-purl",
        "from-the-future",
        "affected",
        "fixed",
        "under-investigation",
    ],
)
def test_it_takes_nothing_out(statement: VexStatement) -> None:
    assert clears(STATEMENT)
    assert not clears(statement)


def test_the_newest_statement_counts() -> None:
    older = replace(STATEMENT, status=VexStatus.AFFECTED, timestamp=NOW - 2 * DAY)
    newer = replace(STATEMENT, status=VexStatus.AFFECTED, timestamp=NOW)
    assert clears(older, STATEMENT)
    assert not clears(STATEMENT, newer)


def test_a_statement_from_the_future_does_not_hide_the_newest() -> None:
    assert clears(STATEMENT, replace(STATEMENT, status=VexStatus.AFFECTED, timestamp=NOW + DAY))


@pytest.mark.parametrize("status", [status for status in VexStatus if status is not VexStatus.NOT_AFFECTED])
def test_two_of_one_time_that_disagree_clear_nothing(status: VexStatus) -> None:
    effect = vex_effect(finding(), frozenset({IMAGE}), [document(STATEMENT, replace(STATEMENT, status=status))], NOW)
    assert effect is not None
    assert (effect.clears, effect.status) == (False, VexStatus.AFFECTED)


def test_two_documents_are_one_body_of_statements_in_any_order() -> None:
    both = [document(STATEMENT, name="b"), document(replace(STATEMENT, timestamp=NOW - DAY), name="a")]
    assert vex_effect(finding(), frozenset({IMAGE}), both, NOW) == vex_effect(
        finding(), frozenset({IMAGE}), both[::-1], NOW
    )


def test_fixed_while_a_scanner_sees_it_is_a_conflict_that_is_told() -> None:
    effect = vex_effect(finding(), frozenset({IMAGE}), [document(replace(STATEMENT, status=VexStatus.FIXED))], NOW)
    assert effect is not None
    assert (effect.clears, effect.detail) == (False, "said to be fixed, while a scanner sees the vulnerable version")


def test_a_document_speaks_only_for_its_products() -> None:
    assert clears(STATEMENT, products=("pkg:deb/debian/*",))
    assert clears(STATEMENT, products=("pkg:pypi/*", "pkg:deb/debian/zlib1g"))
    assert not clears(STATEMENT, products=("pkg:deb/ubuntu/*",))
    assert not clears(STATEMENT, products=("pkg:deb/debian/zlib",))


def test_a_language_package_is_named_without_its_path() -> None:
    lodash = package("npm", "lodash", "4.17.11", path="app/package.json")
    assert clears(replace(STATEMENT, products=("pkg:npm/lodash@4.17.11",)), about=finding(lodash))
    assert not clears(replace(STATEMENT, products=("pkg:npm/%40x/lodash@4.17.11",)), about=finding(lodash))


def test_where_nothing_speaks_there_is_no_effect() -> None:
    assert vex_effect(finding(), frozenset({IMAGE}), [], NOW) is None
    assert vex_effect(finding(), frozenset({IMAGE}), [document()], NOW) is None


INDEX = Digest.of(b"the index that the image was reached through")


def speaks_of(statement: VexStatement, about: Finding | None = None) -> bool:
    """Return whether a statement clears a finding of an image that is a child of the index."""
    effect = vex_effect(about or finding(), frozenset({IMAGE, INDEX}), [document(statement)], NOW)
    return effect is not None and effect.clears


def test_what_is_said_of_an_index_is_said_of_the_children_that_were_reached_through_it() -> None:
    of_the_index = replace(STATEMENT, products=(f"pkg:oci/web@{INDEX}",), subcomponents=(PURL,))
    assert speaks_of(of_the_index)
    assert not clears(of_the_index), "judged alone, nobody knows which index it belongs to"
    assert not speaks_of(replace(of_the_index, products=("pkg:oci/web",)))


@pytest.mark.parametrize(
    ("product", "hashes", "right"),
    [
        (OCI, (str(IMAGE),), True),
        ("pkg:oci/web", (str(IMAGE),), True),
        ("pkg:oci/web", ("sha-512:00", str(IMAGE)), True),
        (OCI, (f"sha256:{'0' * 64}",), False),
        (OCI, ("sha-512:00",), False),
        (f"pkg:oci/web@sha256:{'1' * 64}", (str(IMAGE),), False),
        ("pkg:oci/web", (), False),
    ],
)
def test_a_hash_of_the_product_is_compared(product: str, hashes: tuple[str, ...], right: bool) -> None:  # noqa: FBT001
    assert clears(replace(STATEMENT, products=(product,), subcomponents=(PURL,), hashes=hashes)) is right


def test_a_package_that_is_told_apart_by_a_hash_is_none_that_is_installed() -> None:
    assert not clears(replace(STATEMENT, hashes=(str(Digest.of(b"a file")),)))


@pytest.mark.parametrize(
    ("named", "seen", "right"),
    [
        ("debian-12", "debian-12", True),
        ("debian-12", "debian-12.5", True),
        ("debian-12.5", "debian-12", True),
        ("DEBIAN-12", "debian-12", True),
        ("debian-11", "debian-12", False),
        ("debian-1", "debian-12", False),
        ("bookworm", "debian-12", False),
        ("debian-12", "", False),
        ("", "debian-12", True),
        ("12.5", "debian-12.5", True),
    ],
)
def test_the_release_of_the_distribution_is_compared_where_it_is_named(named: str, seen: str, right: bool) -> None:  # noqa: FBT001
    where = replace(ZLIB, purl=f"{PURL}&distro={seen}" if seen else PURL)
    purl = f"{PURL}&distro={named}" if named else PURL
    assert clears(replace(STATEMENT, products=(purl,)), about=finding(where)) is right
