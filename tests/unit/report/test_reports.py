"""Reports, whole: what a person sees, and what a program gets."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from syrupy.assertion import SnapshotAssertion

from gate.model.identity import VerifiedIdentity
from gate.model.severity import Severity
from gate.report.content import Document, ImageReport, Listing, Report
from gate.report.formats import Format, render
from gate.report.json_report import report_schema
from gate.report.lines import Style
from tests.support.verdicts import BUILT, NOW, REFERENCE, Verified
from tests.unit.report import cases

PLAIN = Style(width=110)


def read(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render(report, Format.JSON, PLAIN))
    return document


@pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)
def test_the_table_is_as_it_was_agreed(case: Callable[[], Report], snapshot: SnapshotAssertion) -> None:
    assert render(case(), Format.TABLE, PLAIN) == snapshot


@pytest.mark.parametrize("case", [cases.refused, cases.verified], ids=["refused", "verified"])
def test_the_json_is_as_it_was_agreed(case: Callable[[], Report], snapshot: SnapshotAssertion) -> None:
    assert render(case(), Format.JSON, PLAIN) == snapshot


@pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)
def test_every_json_report_is_valid_to_the_published_schema(case: Callable[[], Report]) -> None:
    schema = json.loads(report_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(read(case()))


def test_the_schema_refuses_what_is_not_a_report() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(report_schema()))
    document = read(cases.passed())
    assert validator.is_valid(document)
    document["images"][0]["decision"] = "fine"
    assert not validator.is_valid(document)


@pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)
def test_an_image_always_has_the_nine_keys_of_the_design(case: Callable[[], Report]) -> None:
    document = read(case())
    assert list(document) == ["schemaVersion", "exitCode", "images"]
    keys = ["reference", "digest", "decision", "policy", "checks", "findings", "waivers", "evidence", "attestations"]
    for image in document["images"]:
        assert [key for key in image if key != "error"] == keys


@pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)
@pytest.mark.parametrize(
    "style", [PLAIN, Style(width=60), Style(width=200, color=True)], ids=["plain", "narrow", "color"]
)
def test_o01_o05_no_foreign_text_acts_in_a_table(case: Callable[[], Report], style: Style) -> None:
    rendered = render(case(), Format.TABLE, style)
    without_color = re.sub(r"\x1b\[[0-9;]*m", "", rendered) if style.color else rendered
    acting = {character for character in without_color if unicodedata.category(character) in {"Cc", "Cf", "Cs"}}
    assert acting <= {"\n"}
    assert not re.search(r"^\s*::|##\[", without_color, re.MULTILINE)


def test_o05_o06_no_foreign_text_acts_in_json_and_none_is_lost() -> None:
    rendered = render(cases.hostile(), Format.JSON, PLAIN)
    assert rendered.isascii()
    assert "::" not in rendered
    assert "##[" not in rendered
    document = json.loads(rendered)
    assert document["images"][0]["findings"][0]["package"]["name"] == cases.HOSTILE
    assert document["images"][0]["checks"][0]["message"] == cases.HOSTILE


@pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)
def test_color_changes_nothing_but_color(case: Callable[[], Report]) -> None:
    colored = render(case(), Format.TABLE, Style(width=110, color=True))
    assert "\x1b[" in colored
    stripped = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines()) + "\n"
    assert stripped == render(case(), Format.TABLE, PLAIN)


def test_a_digest_is_never_wrapped() -> None:
    assert REFERENCE in render(cases.passed(), Format.TABLE, Style(width=60))


def test_severity_narrows_what_is_shown_and_not_what_was_decided() -> None:
    everything, narrowed = read(cases.refused()), read(cases.refused(frozenset({Severity.LOW})))
    shown = [found["id"] for found in narrowed["images"][0]["findings"]]
    assert shown == ["CVE-2022-0001"]
    assert len(everything["images"][0]["findings"]) == 9
    for key in ("decision", "checks", "policy"):
        assert narrowed["images"][0][key] == everything["images"][0][key]
    assert narrowed["exitCode"] == everything["exitCode"] == 1


def test_a_narrowed_table_says_what_it_leaves_out(snapshot: SnapshotAssertion) -> None:
    assert render(cases.refused(frozenset({Severity.CRITICAL})), Format.TABLE, PLAIN) == snapshot


def test_the_same_report_gives_the_same_bytes() -> None:
    for form in Format:
        assert render(cases.refused(), form, PLAIN) == render(cases.refused(), form, PLAIN)


def test_a_secret_is_shown_without_any_part_of_its_value() -> None:
    """The model holds none; the report must not invent a field for it either."""
    (finding,) = [found for found in read(cases.refused())["images"][0]["findings"] if found["id"].startswith("aws")][
        :1
    ]
    assert {"match", "value", "secret", "code"} & set(finding) == set()


def test_a_listing_names_its_rows_by_its_columns() -> None:
    listing = Listing(
        kind="things",
        columns=("name", "state", "seen", "there"),
        rows=(("a", "ok", BUILT, True), ("b\x1b[31m", "missing", None, False)),
        state="state",
        exit_code=3,
        notes=("two things",),
    )
    assert json.loads(render(listing, Format.JSON, PLAIN)) == {
        "schemaVersion": "1.0",
        "exitCode": 3,
        "things": [
            {"name": "a", "state": "ok", "seen": "2026-03-04T01:00:00Z", "there": True},
            {"name": "b\x1b[31m", "state": "missing", "seen": None, "there": False},
        ],
        "notes": ["two things"],
    }
    assert render(listing, Format.TABLE, PLAIN) == (
        "name       state    seen                  there\n"
        "a          ok       2026-03-04T01:00:00Z  yes\n"
        "b\\x1b[31m  missing                        no\n"
        "two things\n"
    )


def test_a_bare_listing_is_what_a_script_reads() -> None:
    listing = Listing(kind="references", columns=("reference", "tag"), rows=((REFERENCE, "latest"),), bare=True)
    assert render(listing, Format.TABLE, PLAIN) == f"{REFERENCE}\n"
    assert json.loads(render(listing, Format.JSON, PLAIN))["references"] == [{"reference": REFERENCE, "tag": "latest"}]


@pytest.mark.parametrize("form", list(Format))
def test_a_document_is_given_as_it_is(form: Format) -> None:
    assert render(Document("text\n"), form, PLAIN) == "text\n"


def test_an_age_counts_from_the_trusted_time_where_there_is_one() -> None:
    own = Report(images=(ImageReport(reference=REFERENCE, verified=Verified()),), exit_code=0, now=NOW)
    trusted = Verified(trusted_time=BUILT)
    other = Report(images=(ImageReport(reference=REFERENCE, verified=trusted),), exit_code=0, now=NOW)
    assert "  3d3h old  " in render(own, Format.TABLE, PLAIN)
    assert "  4h6m old  " in render(other, Format.TABLE, PLAIN)


def test_an_identity_is_shown_where_a_key_would_be() -> None:
    who = VerifiedIdentity(subject="release@shop.example", issuer="https://sso.shop.example")
    report = Report(images=(ImageReport(reference=REFERENCE, verified=Verified(identity=who)),), exit_code=0, now=NOW)
    assert "signed by release@shop.example by https://sso.shop.example" in render(report, Format.TABLE, PLAIN)
    (image,) = json.loads(render(report, Format.JSON, PLAIN))["images"]
    assert image["attestations"][0]["identity"] == "release@shop.example"
    assert image["attestations"][0]["issuer"] == "https://sso.shop.example"
