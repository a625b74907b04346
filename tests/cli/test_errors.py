"""What goes wrong is one line with a code, what to do next, and an exit code; never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gate.cli.main import INTERRUPTED, Gate
from tests.cli.conftest import Run

ZEROS = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("chek",), "USAGE"),
        (("check",), "USAGE"),
        (("check", "--no-such-option", "x"), "USAGE"),
        (("check", "x@y", "--timeout", "soon"), "USAGE"),
        (("check", "x@y", "--format", "xml"), "USAGE"),
        (("check", "x@y", "--severity", "terrible"), "USAGE"),
        (("check", "x@y", "--platform", "linux"), "USAGE"),
        (("check", "x@y", "--as", "UPPER/case:tag"), "REF_MALFORMED"),
        (("check", "x@y", "--policy", "missing.yaml"), "REF_DIGEST"),
        (("check", f"r.example/a@{ZEROS}", "--policy", "missing.yaml"), "POL_MALFORMED"),
        (("check", f"r.example/a@{ZEROS}", "--key", "missing.key"), "KEY_MALFORMED"),
        (("check", f"r.example/a@{ZEROS}", "--key", "k8s://web/signing"), "KEY_UNSUPPORTED"),
        (("check", "a", "b", "--attestation", "v.json"), "USAGE"),
        (("verify", f"r.example/a@{ZEROS}"), "USAGE"),
        (("verify", f"r.example/a@{ZEROS}", "--key", "gate.pub"), "USAGE"),
        (("verify", f"r.example/a@{ZEROS}", "--requirement", "r.yaml", "--key", "gate.pub"), "USAGE"),
        (("verify", f"r.example/a@{ZEROS}", "--key", "missing.pub", "--policy", ZEROS), "KEY_MALFORMED"),
        (("verify", f"r.example/a@{ZEROS}", "--key", "missing.pub", "--policy", "sha256:12"), "REF_DIGEST"),
        (("verify", f"r.example/a@{ZEROS}", "--requirement", "missing.yaml"), "POL_MALFORMED"),
        (("explain", "VULN_FUND"), "USAGE"),
        (("policy", "validate", "missing.yaml"), "POL_MALFORMED"),
        (("sign", f"r.example/a@{ZEROS}", "--key", "missing.key"), "KEY_MALFORMED"),
        (("resolve", "UPPER/CASE:x"), "REF_MALFORMED"),
        (("tools", "install", "no-such-tool"), "USAGE"),
        (("cache", "prune", "--max-bytes", "much"), "USAGE"),
        (("completion", "tcsh"), "USAGE"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else value,
)
def test_a_request_without_sense_ends_with_two_and_one_line(run: Run, arguments: tuple[str, ...], code: str) -> None:
    result = run(*arguments)
    error, *rest = result.stderr.splitlines()
    assert result.exit_code == 2
    assert error.startswith(f"gate: {code} ")
    assert [line.partition(" ")[0] for line in rest] == ["next:"]


def test_nothing_said_is_help_and_no_pass(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr
    assert result.stdout == ""


def test_what_cannot_be_asked_ends_with_three(run: Run) -> None:
    result = run("resolve", "registry.example/shop/web:latest", "--offline")
    assert result.exit_code == 3
    assert result.stderr.startswith("gate: REG_OFFLINE ")
    assert result.stdout == ""


def test_a_foreign_text_in_an_error_cannot_begin_a_command_of_a_runner(run: Run) -> None:
    result = run("check", "x\r::stop-commands::t\r##[error]y\x1b[31m")
    assert result.exit_code == 2
    for output in (result.stdout, result.stderr):
        assert "\r" not in output
        assert "\x1b" not in output
        assert "::" not in output
        assert "##[" not in output


def test_one_bad_reference_does_not_hide_the_others(run: Run, layout: str) -> None:
    result = run("check", "x y", layout, "-f", "json")
    report = json.loads(result.stdout)
    assert [image["decision"] for image in report["images"]] == ["error", "refused"]
    assert report["images"][0]["error"]["code"] == "REF_MALFORMED"
    assert result.exit_code == report["exitCode"] == 2
    assert result.stderr.startswith("gate: REF_MALFORMED ")


def edge(callback: click.Command) -> Gate:
    root = Gate("gate")
    root.add_command(callback)
    return root


@click.command()
@click.argument("kind")
def fail(kind: str) -> None:
    """Raise what the gate does not raise on purpose."""
    raise {"defect": ValueError("a\x1b[31mb"), "interrupt": KeyboardInterrupt(), "pipe": BrokenPipeError(32, "x")}[kind]


@pytest.mark.parametrize(
    ("kind", "status", "line"),
    [
        ("defect", 4, r"gate: INTERNAL ValueError where none was expected (saw a\x1b[31mb)"),
        ("pipe", 4, "gate: INTERNAL a pipe was closed on the other side"),
        ("interrupt", INTERRUPTED, "gate: interrupted"),
    ],
)
def test_a_defect_is_no_pass_and_no_traceback(kind: str, status: int, line: str) -> None:
    result = CliRunner().invoke(edge(fail), ["fail", kind])
    assert result.exit_code == status
    assert line in result.stderr.splitlines()
    assert "Traceback" not in result.stderr


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gate.cli.main", "explain", "NOT_A_CODE"]
    quiet = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    loud = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert quiet.returncode == loud.returncode == 2
    assert "explain.py" not in quiet.stderr
    assert "explain.py" in loud.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_report_that_nobody_can_read_is_no_pass(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gate.cli.main", "explain"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stderr.startswith("gate: OUT_WRITE ")
    assert "Exception" not in ended.stderr


def test_a_reader_that_goes_away_changes_no_decision(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gate.cli.main", "check", "oci:missing", "--offline"]
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    os.close(writing)
    heard = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (heard.returncode, heard.stderr)
    assert ended.returncode > 1
