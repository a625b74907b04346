"""What a real search finds is told whole: in every format of the report and in the signed evidence, without the value.

The chain of containers, all names of a file, line or offset, live or only in history, how sure, and the key of the fingerprints.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import gate
from gate.clock import Deadline
from gate.images.attachments import collect_attachments
from gate.images.open_source import open_source
from gate.model.reference import parse_reference, parse_repository
from gate.pipeline.options import CheckRun
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.report.content import ImageReport, Report
from gate.report.formats import Format, render
from gate.report.json_report import report_schema
from gate.report.lines import Style
from gate.secrets.examples import ExampleMaker
from gate.secrets.statements import payload_of
from tests.support.installation import SHOP, Installation
from tests.support.runs import codes
from tools.images.archive import file, hardlink, whiteout
from tools.images.layout import ARM64, Json, attestation_child, image, index, write_layout
from tools.images.parts import default_cache
from tools.images.workshop import Workshop

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

TOKEN = ExampleMaker("shown").fill("ghp_{{base62-crc32:30}}")
PASSWORD = "tr0ub4dor-and-three"
VALUES = (TOKEN, PASSWORD, base64.b64encode(TOKEN.encode()).decode())
PROVENANCE = "https://slsa.dev/provenance/v0.2"


def jar() -> bytes:
    """Return an archive with a configuration that holds a token in base64."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        hidden = base64.b64encode(f'deploy with "{TOKEN}"\n'.encode()).decode()
        archive.writestr("config.yml", f"name: shop\nvalue: {hidden}\n")
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class Judged:
    """A run over the image, and the predicate of the evidence that was signed with it."""

    run: CheckRun
    evidence: dict[str, Any]

    def report(self, form: Format, width: int = 400) -> str:
        asked = ImageReport(reference=self.run.verdict.request.reference, checked=self.run)
        return render(Report(images=(asked,), exit_code=1, now=datetime.now(UTC)), form, Style(width=width))


@pytest.fixture(scope="module")
def judged(installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Judge one index: an archive with two names, a settings file that is deleted again, and a build with an argument."""
    shop = Workshop(created=datetime.now(UTC).replace(microsecond=0), parts=default_cache())
    layers = [
        *shop.clean(),
        shop.layer([file("srv/app.jar", jar()), hardlink("srv/old.jar", "srv/app.jar")], "COPY app.jar /srv/"),
        shop.layer([file("srv/gone.env", f"A=1\nDB_PASSWORD={PASSWORD}\n")], "COPY gone.env /srv/"),
        shop.layer([whiteout("srv/gone.env")], "RUN rm /srv/gone.env"),
    ]
    child = image(layers, shop.config("shown"))
    args: Json = {"build-arg:NPM_TOKEN": TOKEN}
    statement: Json = {"predicateType": PROVENANCE, "predicate": {"invocation": {"parameters": {"args": args}}}}
    other = image(shop.clean(ARM64), shop.config("shown", ARM64))
    folder = write_layout(
        tmp_path_factory.mktemp("shown") / "image",
        index([child, other, attestation_child(child, [(PROVENANCE, statement)])]),
    )
    own = tmp_path_factory.mktemp("own")
    run = gate.check(f"oci:{folder}", installed.options(own, name=parse_repository(f"{SHOP}/shown")))
    with RegistryClient(RegistryOptions(), Deadline.after(installed.options(own).timeout)) as client:
        source = open_source(parse_reference(f"oci:{folder}"), client)
        items = collect_attachments(source, source.root().digest).items
    payloads = [json.loads(payload_of(item.content) or b"") for item in items]
    (evidence,) = [one["predicate"] for one in payloads if "secrets" in one["predicate"]]
    return Judged(run, evidence)


EXPECTED: dict[str, dict[str, Any]] = {
    "srv/app.jar": {
        "place": "file", "rule": "github-personal-token", "chain": ["config.yml", "base64"], "line": 2, "hidden": False,
        "paths": ["srv/app.jar", "srv/old.jar"], "confidence": "certain", "severity": "critical", "key": "",
    },
    "srv/gone.env": {
        "place": "file", "rule": "password-assignment", "chain": [], "line": 2, "hidden": True, "paths": ["srv/gone.env"],
        "confidence": "high", "severity": "high", "key": "DB_PASSWORD",
    },
}  # fmt: skip


def test_each_is_refused_for_what_it_is(judged: Judged) -> None:
    assert codes(judged.run) == {"SIG_MISSING", "SECRET_FOUND", "SECRET_LAYER", "SECRET_CONFIG"}
    seen = {problem.seen for check in judged.run.verdict.checks if check.id == "secret" for problem in check.problems}
    assert any(
        text.startswith("srv/app.jar = srv/old.jar > config.yml > base64, line 2, layer sha256:") for text in seen
    )


@pytest.mark.parametrize("form", ["json", "evidence"])
def test_the_whole_way_is_told_to_programs(judged: Judged, form: str) -> None:
    if form == "json":
        document = json.loads(judged.report(Format.JSON))
        assert list(Draft202012Validator(json.loads(report_schema())).iter_errors(document)) == []
        rows = [{**row, "rule": row["id"]} for row in document["images"][0]["findings"] if row["kind"] == "secret"]
        searches = document["images"][0]["evidence"]["secretSearches"]
    else:
        rows, searches = judged.evidence["secrets"], judged.evidence["secretSearches"]
    for location, expected in EXPECTED.items():
        (row,) = [row for row in rows if row["location"] == location and row["tool"] == "gate"]
        assert {name: row[name] for name in expected} == expected
    (attested,) = [row for row in rows if row["place"] == "attestation"]
    assert attested["location"] in {str(child.digest) for child in judged.run.verdict.skipped}
    assert attested["chain"][0].startswith("sha256:")
    assert {search["subject"] for search in searches} == {str(one.digest) for one in judged.run.verdict.subjects}
    assert len({search["fingerprintKey"] for search in searches}) == 1
    assert len(searches[0]["fingerprintKey"]) == 16


def test_the_whole_way_is_told_to_people(judged: Judged) -> None:
    lines = [line for line in judged.report(Format.TABLE).splitlines() if line.lstrip().startswith("yes")]
    (live,) = [line for line in lines if "srv/app.jar" in line]
    assert "file srv/app.jar > config.yml > base64:2 (also srv/old.jar)" in live
    assert "certain" in live
    (gone,) = [line for line in lines if "srv/gone.env" in line and " gate " in line]
    assert "file srv/gone.env:2 (hidden by a later layer)" in gone


@pytest.mark.parametrize("form", Format)
def test_x10_no_part_of_a_value_is_in_any_of_them(judged: Judged, form: Format) -> None:
    for text in (judged.report(form), judged.report(form, width=80), json.dumps(judged.evidence)):
        assert not any(value in text for value in VALUES)
