"""The formats that other programs read: by their schema or a real reader, and against foreign text in all of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from gate.errors import UsageError
from gate.model.decision import Decision
from gate.report.content import ImageReport, Listing, NamedAt, Report
from gate.report.formats import LISTING_FORMATS, Format, render
from gate.report.lines import Style
from gate.report.sarif import MOST_RESULTS
from tests.support.sarif_schema import sarif_schema
from tests.support.verdicts import IMAGE, REFERENCE, Checked, make_finding, make_judged, make_verdict
from tests.unit.report import cases

PLAIN = Style(width=110)
OTHERS = [form for form in Format if form not in {Format.TABLE, Format.JSON}]
JSON_FORMS = [Format.SARIF, Format.GITLAB, Format.CODEQUALITY]
CASES = pytest.mark.parametrize("case", cases.CASES.values(), ids=cases.CASES)


def written(report: Report, form: Format) -> str:
    return render(report, form, PLAIN)


def named(report: Report, file: str = "deploy/web.yaml", line: int = 12) -> Report:
    place = NamedAt(file=file, line=line)
    return replace(report, images=tuple(replace(image, named_at=place) for image in report.images))


def many(number: int) -> Report:
    findings = tuple(make_judged(make_finding(f"CVE-2024-{index:05}", name=f"lib{index}")) for index in range(number))
    verdict = make_verdict(decision=Decision.REFUSED, findings=findings)
    return cases.report(ImageReport(reference=REFERENCE, checked=Checked(verdict=verdict)), exit_code=1)


@pytest.fixture(scope="module")
def sarif_validator() -> jsonschema.protocols.Validator:
    return jsonschema.Draft7Validator(sarif_schema())


@pytest.mark.parametrize("form", OTHERS)
def test_a_refusal_is_as_it_was_agreed(form: Format, snapshot: SnapshotAssertion) -> None:
    assert written(named(cases.refused()), form) == snapshot


@CASES
def test_every_sarif_log_is_valid_to_the_schema(
    case: Callable[[], Report], sarif_validator: jsonschema.protocols.Validator
) -> None:
    for report in (case(), named(case())):
        log = json.loads(written(report, Format.SARIF))
        assert list(sarif_validator.iter_errors(log)) == []
        for result in log["runs"][0]["results"]:
            place = result["locations"][0]["physicalLocation"]
            assert re.fullmatch(r"[\w%./~-]+", place["artifactLocation"]["uri"], re.ASCII)
            assert not place["artifactLocation"]["uri"].startswith("/")
            assert place["region"]["startLine"] >= 1


def test_the_schema_of_sarif_refuses_what_is_no_log(sarif_validator: jsonschema.protocols.Validator) -> None:
    log = json.loads(written(cases.refused(), Format.SARIF))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert list(sarif_validator.iter_errors(log))


def test_sarif_points_at_the_line_that_names_the_image() -> None:
    log = json.loads(written(named(cases.refused()), Format.SARIF))
    places = {json.dumps(result["locations"][0]["physicalLocation"]) for result in log["runs"][0]["results"]}
    assert {(item["artifactLocation"]["uri"], item["region"]["startLine"]) for item in map(json.loads, places)} == {
        ("deploy/web.yaml", 12)
    }


def test_a_fingerprint_holds_no_tag_no_digest_and_no_version() -> None:
    def prints(report: Report) -> set[str]:
        log = json.loads(written(report, Format.SARIF))
        return {result["partialFingerprints"]["gate/v1"] for result in log["runs"][0]["results"]}

    def of(version: str, reference: str) -> Report:
        findings = (make_judged(make_finding(version=version)),)
        verdict = make_verdict(decision=Decision.REFUSED, findings=findings)
        return cases.report(ImageReport(reference=reference, checked=Checked(verdict=verdict)), exit_code=1)

    assert prints(of("1:1.2", REFERENCE)) == prints(of("1:1.3", f"{REFERENCE}x"))
    other = cases.report(
        ImageReport(
            reference=REFERENCE,
            checked=Checked(
                verdict=make_verdict(decision=Decision.REFUSED, findings=(make_judged(make_finding("CVE-1-2")),))
            ),
        ),
        exit_code=1,
    )
    assert prints(other) != prints(of("1:1.2", REFERENCE))


def test_sarif_keeps_the_worst_of_too_many_and_says_how_many_were_cut() -> None:
    log = json.loads(written(many(MOST_RESULTS + 7), Format.SARIF))["runs"][0]
    assert len(log["results"]) == MOST_RESULTS
    assert "7 more results" in log["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]


def test_what_is_excused_is_suppressed_with_its_reason() -> None:
    results = json.loads(written(cases.refused(), Format.SARIF))["runs"][0]["results"]
    excused = {result["suppressions"][0]["justification"] for result in results if "suppressions" in result}
    assert any("waived by W-12" in text for text in excused)
    assert all(result["level"] == "note" for result in results if "suppressions" in result)
    assert all("suppressions" not in result for result in results if result["level"] == "error")


@CASES
def test_junit_counts_what_it_holds(case: Callable[[], Report]) -> None:
    root = ET.fromstring(written(case(), Format.JUNIT))  # noqa: S314 - our own
    for suite in root:
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == len(suite.findall(f"testcase/{tag}"))
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    report = case()
    refused = [image for image in report.images if image.exit_code == 1]
    assert len({suite.get("name") for suite in root if suite.find("testcase/failure") is not None}) == len(refused)


@CASES
def test_github_writes_one_known_command_a_line_and_never_more_than_a_step_shows(case: Callable[[], Report]) -> None:
    for line in written(named(case()), Format.GITHUB).splitlines():
        match = re.fullmatch(r"::(error|warning|notice)( [^:\r\n]*)?::([^\r\n]*)", line)
        assert match, line
        assert "::" not in match[3]
        assert "##[" not in match[3]


def test_github_shows_ten_errors_of_which_the_last_counts_the_rest() -> None:
    errors = [line for line in written(many(40), Format.GITHUB).splitlines() if line.startswith("::error")]
    assert len(errors) == 10
    assert "and 31 more" in errors[-1]
    assert len(written(many(10), Format.GITHUB).splitlines()) == 10


def test_a_path_with_signs_of_the_runners_grammar_is_coded() -> None:
    line = written(named(cases.tag(), "a,b:c%/web.yaml"), Format.GITHUB).splitlines()[0]
    assert line.startswith("::error file=a%2Cb%3Ac%25/web.yaml,line=12,")


# What GitLab's schema 15.2 demands, from the reference; the schema's own file cannot be had here.
GITLAB = {
    "type": "object",
    "required": ["version", "scan", "vulnerabilities"],
    "properties": {
        "version": {"pattern": r"^15\.\d+\.\d+$"},
        "scan": {
            "required": ["analyzer", "scanner", "type", "start_time", "end_time", "status"],
            "properties": {
                "type": {"const": "container_scanning"},
                "status": {"enum": ["success", "failure"]},
                "start_time": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"},
                "end_time": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"},
                "analyzer": {"required": ["id", "name", "version", "vendor"]},
                "scanner": {"required": ["id", "name", "version", "vendor"]},
            },
        },
        "vulnerabilities": {
            "items": {
                "required": ["id", "identifiers", "location"],
                "properties": {
                    "id": {"minLength": 1},
                    "name": {"maxLength": 255},
                    "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
                    "identifiers": {
                        "minItems": 1,
                        "maxItems": 20,
                        "items": {
                            "required": ["type", "name", "value"],
                            "properties": {
                                "type": {"minLength": 1},
                                "name": {"minLength": 1},
                                "value": {"minLength": 1},
                                "url": {"pattern": "^(https?|ftp)://.+"},
                            },
                        },
                    },
                    "links": {"items": {"required": ["url"], "properties": {"url": {"pattern": "^(https?|ftp)://.+"}}}},
                    "location": {
                        "required": ["dependency", "operating_system", "image"],
                        "properties": {
                            "operating_system": {"minLength": 1},
                            "image": {"minLength": 1},
                            "dependency": {"required": ["package", "version"]},
                        },
                    },
                },
            }
        },
    },
}


@CASES
def test_gitlab_gets_the_fields_that_its_schema_demands(case: Callable[[], Report]) -> None:
    document = json.loads(written(case(), Format.GITLAB))
    jsonschema.Draft202012Validator(GITLAB).validate(document)
    ids = [item["id"] for item in document["vulnerabilities"]]
    assert len(ids) == len(set(ids))


@CASES
def test_code_quality_has_the_fields_of_its_format(case: Callable[[], Report]) -> None:
    for row in json.loads(written(named(case()), Format.CODEQUALITY)):
        assert set(row) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert row["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert row["location"] == {"path": "deploy/web.yaml", "lines": {"begin": 12}}


@pytest.mark.parametrize("form", JSON_FORMS)
@CASES
def test_o01_no_json_document_holds_a_command_of_a_runner(case: Callable[[], Report], form: Format) -> None:
    text = written(named(case()), form)
    assert "::" not in text
    assert "##" not in text
    assert text.isascii()


@CASES
def test_o05_nothing_foreign_acts_in_markdown(case: Callable[[], Report]) -> None:
    """As a renderer of GitHub's kind reads it: no link, no image, no mention and no HTML but the report's own."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(written(case(), Format.MARKDOWN))
    parts = [child for token in tokens for child in (token, *(token.children or ()))]
    assert {part.type for part in parts} & {"link_open", "image", "s_open"} == set()
    html = {part.content.strip() for part in parts if part.type in {"html_block", "html_inline"}}
    assert {re.sub(r"<summary>[\w ()]+</summary>", "", text) for text in html} <= {
        "<details>",
        "</details>",
        "<!-- -->",
    }
    prose = "".join(
        part.content if part.type == "text" else "\0" for part in parts if part.type in {"text", "html_inline"}
    )
    assert not re.search(r"@\w", prose)


class Reader(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@CASES
def test_o05_nothing_foreign_acts_in_html(case: Callable[[], Report]) -> None:
    reader = Reader()
    page = written(case(), Format.HTML)
    reader.feed(page)
    assert reader.tags.isdisjoint({"script", "img", "a", "iframe", "form", "link", "object", "svg"})
    assert reader.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "default-src 'none'" in page


@CASES
def test_o06_no_cell_of_a_spreadsheet_begins_like_a_formula(case: Callable[[], Report]) -> None:
    rows = list(csv.reader(io.StringIO(written(case(), Format.CSV))))
    assert len({len(row) for row in rows}) == 1
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))] == []
    assert {row[0] for row in rows[1:]} == {_shown(image.reference) for image in case().images}


def _shown(reference: str) -> str:
    report = cases.report(ImageReport(reference=reference), exit_code=0)
    return list(csv.reader(io.StringIO(written(report, Format.CSV))))[1][0]


def test_o06_formulas_get_an_apostrophe() -> None:
    listing = Listing(kind="rows", columns=("a",), rows=(("=HYPERLINK(1)",), ("@x",), ("plain",)))
    assert render(listing, Format.CSV, PLAIN) == "a\r\n'=HYPERLINK(1)\r\n'@x\r\nplain\r\n"


@pytest.mark.parametrize("form", OTHERS)
def test_the_format_changes_neither_decision_nor_exit_code(form: Format) -> None:
    report = cases.refused()
    written(report, form)
    assert (report.exit_code, report.images[0].decision) == (1, Decision.REFUSED)


@pytest.mark.parametrize("form", [form for form in Format if form not in LISTING_FORMATS])
def test_rows_that_are_no_images_have_no_such_format(form: Format) -> None:
    listing = Listing(kind="rows", columns=("a",), rows=(("x",),))
    with pytest.raises(UsageError, match="reports no images"):
        render(listing, form, PLAIN)


@pytest.mark.parametrize("form", OTHERS)
def test_five_thousand_findings_are_written(form: Format) -> None:
    text = written(many(5000), form)
    assert IMAGE.hex in text
