"""Reports go where they were asked to go, whole or not at all, and never change what was decided."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_file_takes_the_place_of_standard_output(run: Run) -> None:
    result = run("explain", "VULN_FOUND", "-f", "json", "-o", "report.json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(Path("report.json").read_text(encoding="utf-8"))["reasons"][0]["code"] == "VULN_FOUND"


def test_another_format_stands_beside_standard_output(run: Run) -> None:
    result = run("explain", "VULN_FOUND", "-o", "json=a.json", "-o", "table=a.txt")
    assert result.stdout.startswith("code ")
    assert Path("a.txt").read_text(encoding="utf-8") == result.stdout
    assert Path("a.json").read_text(encoding="utf-8").startswith("{")


def test_several_files_can_stand_in_one_variable(run: Run) -> None:
    run("explain", "VULN_FOUND", env={"GATE_OUTPUT": "json=a.json table=a.txt"})
    assert {path.name for path in Path().iterdir()} == {"a.json", "a.txt"}


@pytest.mark.parametrize(
    ("outputs", "status", "code"),
    [
        (("missing/report.json",), 3, "OUT_WRITE"),
        (("folder",), 3, "OUT_WRITE"),
        (("file/report.json",), 3, "OUT_WRITE"),
        (("same", "json=same"), 2, "USAGE"),
        (("jsn=report",), 2, "USAGE"),
        (("json=",), 2, "USAGE"),
        (("-",), 2, "USAGE"),
    ],
)
def test_what_could_not_be_written_is_refused_before_anything_is_done(
    run: Run, layout: str, outputs: tuple[str, ...], status: int, code: str
) -> None:
    Path("folder").mkdir()
    Path("file").write_text("kept", encoding="utf-8")
    before = sorted(Path().iterdir())
    result = run("check", layout, *(word for output in outputs for word in ("-o", output)))
    assert result.exit_code == status
    assert result.stderr.startswith(f"gate: {code} ")
    assert result.stdout == ""
    assert sorted(Path().iterdir()) == before
    assert not list(Path(os.environ["HOME"]).iterdir()), "nothing was recorded"


RUNNER_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")


@pytest.mark.parametrize("name", ["$(touch made)", "`touch made`", "a\nEOF\nPATH=/evil", "a;touch made", "image"])
def test_o03_nothing_is_written_into_the_files_of_a_runner_and_no_shell_reads_a_name(run: Run, name: str) -> None:
    # An action that sets outputs from an image's name gives whoever names it a line of its own (CVE-2026-26189).
    Path("runner").mkdir()
    for variable in RUNNER_FILES:
        Path("runner", variable).touch()
    environment = {variable: f"runner/{variable}" for variable in RUNNER_FILES}
    result = run("check", f"oci:{name}", "-f", "json", env={**environment, "GITHUB_ACTIONS": "true", "CI": "true"})
    (image,) = json.loads(result.stdout)["images"]
    assert (result.exit_code, image["reference"]) == (2, f"oci:{name}")
    assert [path.stat().st_size for path in Path("runner").iterdir()] == [0] * len(RUNNER_FILES)
    assert {path.name for path in Path().iterdir()} == {"runner"}


def test_a_file_with_an_equals_sign_is_named_by_its_path(run: Run) -> None:
    assert run("explain", "VULN_FOUND", "-o", "./a=b").exit_code == 0
    assert Path("a=b").exists()


def test_a_report_has_the_rights_that_the_user_gives(run: Run) -> None:
    before = os.umask(0o027)
    try:
        run("explain", "VULN_FOUND", "-o", "report")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("report").stat().st_mode) == 0o640


def test_a_link_is_written_where_it_leads(run: Run) -> None:
    Path("real").write_text("old", encoding="utf-8")
    Path("link").symlink_to("real")
    run("explain", "VULN_FOUND", "-o", "link")
    assert Path("link").is_symlink()
    assert Path("real").read_text(encoding="utf-8").startswith("code ")


def test_a_pipe_is_written_to_and_not_replaced(run: Run) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        assert run("explain", "VULN_FOUND", "-o", "pipe").exit_code == 0
        assert os.read(reader, 65536).startswith(b"code ")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {}], ids=["no-color", "pipe"])
def test_there_is_no_color_where_none_is_wanted(run: Run, layout: str, variables: dict[str, str]) -> None:
    assert "\x1b[" not in run("check", layout, env=variables, color=True).stdout


def test_color_can_be_forced_and_stays_out_of_files(run: Run, layout: str) -> None:
    result = run("check", layout, "-o", "table=report", env={"FORCE_COLOR": "1"}, color=True)
    assert "\x1b[" in result.stdout
    assert "\x1b" not in Path("report").read_text(encoding="utf-8")


def test_standard_error_is_silent_where_nobody_watches(run: Run, layout: str) -> None:
    assert run("check", layout).stderr == ""


REFERENCES = ("oci:image", "oci:missing", "x y", "127.0.0.1:1/shop/web:latest")


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_format_never_changes_the_exit_code(run: Run, layout: str, reference: str) -> None:
    del layout
    arguments = ("check", reference, "--offline")
    statuses = {form: run(*arguments, "-f", form).exit_code for form in ("table", "json")}
    written = run(*arguments, "-o", "json=a.json").exit_code
    reported = json.loads(Path("a.json").read_text(encoding="utf-8"))["exitCode"]
    assert set(statuses.values()) == {written} == {reported}
    assert written == {"oci:image": 1, "oci:missing": 2, "x y": 2}.get(reference, 1)


@pytest.mark.parametrize(
    ("references", "number", "status"),
    [
        (("oci:image",), "0", 0),
        (("oci:image",), "7", 7),
        (("oci:image",), "1", 1),
        (("oci:missing",), "7", 2),
        (("x y",), "7", 2),
        (("oci:image", "oci:missing"), "7", 2),
        (("oci:image", "oci:missing", "x y"), "7", 2),
    ],
)
def test_exit_code_changes_one_and_nothing_else(
    run: Run, layout: str, references: tuple[str, ...], number: str, status: int
) -> None:
    del layout
    result = run("check", *references, "--exit-code", number, "-f", "json")
    assert result.exit_code == status
    assert json.loads(result.stdout)["exitCode"] == status


@pytest.mark.parametrize("number", ["2", "3", "4", "126", "-1", "x", ""])
def test_exit_code_takes_no_number_that_means_something_else(run: Run, number: str) -> None:
    result = run("check", "x", "--exit-code", number)
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: USAGE ")


def test_severity_changes_no_decision(run: Run, layout: str) -> None:
    full, narrow = (
        json.loads(run("check", layout, "-f", "json", *extra).stdout) for extra in ((), ("--severity", "LOW"))
    )
    assert full["exitCode"] == narrow["exitCode"] == 1
    assert [check["codes"] for check in full["images"][0]["checks"]] == [
        check["codes"] for check in narrow["images"][0]["checks"]
    ]
