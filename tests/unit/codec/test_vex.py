"""VEX documents are read strictly; what cannot be followed says nothing, and nothing widens by a slip."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.strict_json import Fault
from gate.codec.vex import parse_vex
from gate.codec.vex_openvex import JUSTIFICATIONS
from gate.errors import PolicyError
from gate.model.digest import Digest
from gate.model.vex import VexDocument, VexStatus

FAULT = Fault(PolicyError, "POL_FILE", "vex.json")
IMAGE = f"pkg:oci/web@{Digest.of(b'image')}"
PACKAGE = "pkg:deb/debian/zlib1g@1:1.2.13"
OPENVEX: dict[str, Any] = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://vex.example/1",
    "author": "security@shop.example",
    "timestamp": "2026-01-01T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2024-0001", "aliases": ["GHSA-aaaa-bbbb-cccc"]},
            "products": [{"@id": IMAGE, "subcomponents": [{"@id": PACKAGE}]}, {"identifiers": {"purl": PACKAGE}}],
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
        }
    ],
}
CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:00000000-0000-4000-8000-000000000001",
    "version": 2,
    "metadata": {"timestamp": "2026-01-01T00:00:00Z", "supplier": {"name": "Shop"}},
    "components": [{"bom-ref": "zlib", "type": "library", "name": "zlib1g", "purl": PACKAGE}],
    "vulnerabilities": [
        {
            "id": "CVE-2024-0001",
            "references": [{"id": "GHSA-aaaa-bbbb-cccc", "source": {"name": "GitHub"}}],
            "affects": [{"ref": "zlib"}],
            "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
        }
    ],
}


def parse(document: object, **options: Any) -> VexDocument:  # noqa: ANN401 - passed on
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_vex(data, FAULT, source="file vex.json", **options)


def changed(document: dict[str, Any], **fields: object) -> dict[str, Any]:
    """Return the document with fields of its first statement or vulnerability changed; None takes one away."""
    result = copy.deepcopy(document)
    entry = result["statements" if "statements" in result else "vulnerabilities"][0]
    entry.update(fields)
    for name in [name for name, value in fields.items() if value is None]:
        del entry[name]
    return result


def refused(document: object) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse(document)
    assert caught.value.code == "POL_FILE"
    assert caught.value.message.startswith("vex.json ")
    return caught.value


def test_openvex_gives_one_statement_a_product() -> None:
    parsed = parse(OPENVEX, products=("pkg:deb/*",))
    inside, alone = parsed.statements
    assert (parsed.id, parsed.author, parsed.products) == (
        "https://vex.example/1",
        "security@shop.example",
        ("pkg:deb/*",),
    )
    assert parsed.digest == Digest.of(json.dumps(OPENVEX).encode())
    assert (inside.products, inside.subcomponents) == ((IMAGE,), (PACKAGE,))
    assert (alone.products, alone.subcomponents) == ((PACKAGE,), ())
    assert inside.vulnerability == {"CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"}
    assert inside.justification == "vulnerable_code_not_in_execute_path"
    assert inside.timestamp == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "day"),
    [
        ({}, 1),
        ({"timestamp": "2026-01-02T00:00:00Z"}, 2),
        ({"timestamp": "2026-01-02T00:00:00Z", "last_updated": "2026-01-03T00:00:00Z"}, 3),
    ],
)
def test_openvex_the_statements_own_time_counts(fields: dict[str, object], day: int) -> None:
    assert parse(changed(OPENVEX, **fields)).statements[0].timestamp.day == day


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "fine"},
        {"status": None},
        {"status": "fixed"},
        {"justification": "because"},
        {"justification": None},
        {"justification": None, "impact_statement": " "},
        {"justification": None, "impact_statement": "x"},
        {"justification": None, "impact_statement": "n/a. - - - - - - 1234567890"},
        {"vulnerability": "CVE-2024-0001"},
        {"vulnerability": {"name": ""}},
        {"vulnerability": {"@id": "https://x.example"}},
        {"products": None},
        {"products": [{}]},
        {"products": [{"@id": IMAGE, "subcomponent": [{"@id": PACKAGE}]}]},
        {"products": [{"@id": IMAGE, "subcomponents": [{}]}]},
        {"products": ["pkg:deb/debian/zlib1g"]},
        {"timestamp": "2026-01-01"},
        {"timestamp": "yesterday"},
        {"unknown": 1},
    ],
)
def test_openvex_a_malformed_statement_refuses_the_document(fields: dict[str, object]) -> None:
    refused(changed(OPENVEX, **fields))


@pytest.mark.parametrize("word", sorted(JUSTIFICATIONS))
def test_openvex_twin_every_justification_is_taken(word: str) -> None:
    assert parse(changed(OPENVEX, justification=word)).statements[0].justification == word


def test_openvex_an_impact_statement_is_a_reason() -> None:
    document = changed(OPENVEX, justification=None, impact_statement="never started")
    assert parse(document).statements[0].justification == "never started"


@pytest.mark.parametrize(
    "change",
    [
        {"@context": "https://openvex.dev/ns"},
        {"@context": "https://openvex.dev/ns/v0.2.1"},
        {"version": "1"},
        {"version": 0},
        {"author": None},
        {"timestamp": "2026-01-01T00:00:00"},
        {"statements": {}},
        {"extra": 1},
    ],
)
def test_openvex_a_malformed_document_is_refused(change: dict[str, object]) -> None:
    refused(OPENVEX | change)


def test_cyclonedx_follows_references_to_purls() -> None:
    parsed = parse(CYCLONEDX)
    (statement,) = parsed.statements
    assert (parsed.id, parsed.author) == ("urn:uuid:00000000-0000-4000-8000-000000000001/2", "Shop")
    assert (statement.products, statement.subcomponents) == ((PACKAGE,), ())
    assert statement.vulnerability == {"CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"}
    assert (statement.status, statement.justification) == (VexStatus.NOT_AFFECTED, "code_not_reachable")


def test_cyclonedx_a_document_about_an_image_speaks_of_packages_inside_it() -> None:
    document = copy.deepcopy(CYCLONEDX)
    document["metadata"]["component"] = {"bom-ref": "image", "type": "container", "name": "web", "purl": IMAGE}
    (inside,) = parse(document).statements
    assert (inside.products, inside.subcomponents) == ((IMAGE,), (PACKAGE,))
    (whole,) = parse(changed(document, affects=[{"ref": "image"}])).statements
    assert (whole.products, whole.subcomponents) == ((IMAGE,), ())


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("not_affected", VexStatus.NOT_AFFECTED, ""),
        ("false_positive", VexStatus.NOT_AFFECTED, "false_positive"),
        ("resolved", VexStatus.FIXED, ""),
        ("resolved_with_pedigree", VexStatus.FIXED, ""),
        ("exploitable", VexStatus.AFFECTED, ""),
        ("in_triage", VexStatus.UNDER_INVESTIGATION, ""),
    ],
)
def test_cyclonedx_states_become_openvex_words(state: str, status: VexStatus, reason: str) -> None:
    (statement,) = parse(changed(CYCLONEDX, analysis={"state": state})).statements
    assert (statement.status, statement.justification) == (status, reason)


@pytest.mark.parametrize(
    "fields",
    [
        {"affects": [{"ref": "nowhere"}]},
        {"affects": [{"ref": "urn:cdx:00000000-0000-4000-8000-000000000009/1#nowhere"}]},
        {"affects": []},
        {"analysis": None},
        {"analysis": {"detail": "no state"}},
        {"affects": [{"ref": "zlib", "versions": [{"range": "vers:deb/<2", "status": "unaffected"}]}]},
    ],
)
def test_cyclonedx_what_cannot_be_followed_says_nothing(fields: dict[str, object]) -> None:
    assert parse(changed(CYCLONEDX, **fields)).statements == ()


@pytest.mark.parametrize(
    "reference", [PACKAGE, "urn:cdx:00000000-0000-4000-8000-000000000009/1#pkg:deb/debian/zlib1g%401%3A1.2.13"]
)
def test_cyclonedx_a_reference_that_is_a_purl_names_it(reference: str) -> None:
    (statement,) = parse(changed(CYCLONEDX, affects=[{"ref": reference}])).statements
    assert statement.products == (PACKAGE,)


def test_cyclonedx_versions_are_what_the_entry_says_of_each() -> None:
    versions = [{"version": "1", "status": "unaffected"}, {"version": "2"}, {"version": "3", "status": "unknown"}]
    document = changed(CYCLONEDX, affects=[{"ref": "pkg:deb/debian/zlib1g", "versions": versions}])
    assert [(statement.products[0], statement.status) for statement in parse(document).statements] == [
        ("pkg:deb/debian/zlib1g@1", VexStatus.NOT_AFFECTED),
        ("pkg:deb/debian/zlib1g@2", VexStatus.AFFECTED),
        ("pkg:deb/debian/zlib1g@3", VexStatus.AFFECTED),
    ]


@pytest.mark.parametrize(
    "document",
    [
        changed(CYCLONEDX, analysis={"state": "fine"}),
        changed(CYCLONEDX, analysis={"state": "not_affected", "justification": "because"}),
        changed(CYCLONEDX, analysis={"state": "not_affected", "lastUpdated": "yesterday"}),
        changed(CYCLONEDX, affects=[{}]),
        CYCLONEDX | {"specVersion": "1.3"},
        CYCLONEDX | {"bomFormat": "SPDX"},
        CYCLONEDX | {"version": 0},
        CYCLONEDX | {"metadata": {}},
        CYCLONEDX
        | {"components": [{"bom-ref": "a", "purl": PACKAGE}, {"bom-ref": "a", "purl": "pkg:deb/debian/evil@1"}]},
    ],
)
def test_cyclonedx_a_malformed_document_is_refused(document: dict[str, Any]) -> None:
    refused(document)


@pytest.mark.parametrize(
    ("metadata", "author"),
    [
        ({"authors": [{"email": "a@shop.example"}, {"name": "Ann"}]}, "Ann"),
        ({"manufacturer": {"name": "Maker"}, "authors": [{"name": "Ann"}]}, "Maker"),
        ({}, ""),
    ],
)
def test_cyclonedx_the_author_is_who_supplies_it(metadata: dict[str, object], author: str) -> None:
    assert parse(CYCLONEDX | {"metadata": {"timestamp": "2026-01-01T00:00:00Z"} | metadata}).author == author


@pytest.mark.parametrize("document", [{}, [], OPENVEX | {"bomFormat": "CycloneDX"}, b"{", b"", b'{"a":1,"a":2}'])
def test_what_is_no_vex_document_is_refused(document: object) -> None:
    refused(document)


@given(st.data())
def test_any_change_gives_a_document_or_the_fault(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from([OPENVEX, CYCLONEDX])))
    place: Any = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()):
            place[key] = data.draw(st.sampled_from([None, True, 0, "", "x", [], {}, [{}], ["x"], {"ref": "x"}]))
            break
        place = place[key]
    try:
        code = "" if parse(document).statements is not None else "none"
    except PolicyError as error:
        code = error.code
    assert code in {"", "POL_FILE"}


@pytest.mark.parametrize("char", ["\u202e", "\u2066"])
def test_a_document_that_is_shown_in_another_order_is_refused(char: str) -> None:
    document = changed(OPENVEX, status_notes=f"the code{char} is never started")
    with pytest.raises(PolicyError, match="another order"):
        parse(json.dumps(document, ensure_ascii=False).encode())
    assert parse(document).statements, "an escape is shown as it is read"
