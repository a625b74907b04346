"""Where options come from: flag, environment, configuration file, default; and what a found file may not do (attack P06)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import click
import pytest

from gate.cli.common import FOUND_NAME
from gate.cli.config_file import ALL_OPTIONS, FOUND_MAY_SET, names_of
from tests.cli.conftest import Run
from tools.docs import commands

SOURCES = list(itertools.product([None, "json", "table"], repeat=3))


@pytest.mark.parametrize(("flag", "variable", "configured"), SOURCES)
def test_the_nearest_source_wins(run: Run, flag: str | None, variable: str | None, configured: str | None) -> None:
    if configured:
        Path(FOUND_NAME).write_text(f"format: {configured}\n", encoding="utf-8")
    result = run(
        "explain", "VULN_FOUND", *(["-f", flag] if flag else []), env={"GATE_FORMAT": variable} if variable else {}
    )
    assert result.exit_code == 0
    assert ("json" if result.stdout.startswith("{") else "table") == (flag or variable or configured or "table")


def test_a_named_file_stands_where_a_found_one_would(run: Run) -> None:
    Path(FOUND_NAME).write_text("format: json\n", encoding="utf-8")
    Path("named.yaml").write_text("quiet: true\n", encoding="utf-8")
    assert run("explain", "VULN_FOUND").stdout.startswith("{")
    assert run("explain", "VULN_FOUND", "--config", "named.yaml").stdout.startswith("code ")
    assert run("explain", "VULN_FOUND", env={"GATE_CONFIG": "named.yaml"}).stdout.startswith("code ")


def test_a_file_is_found_upward_and_says_that_it_was(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(FOUND_NAME).write_text("format: json\n", encoding="utf-8")
    Path("a/b").mkdir(parents=True)
    monkeypatch.chdir("a/b")
    loud, quiet = run("explain", "VULN_FOUND"), run("explain", "VULN_FOUND", "--quiet")
    assert loud.stdout.startswith("{")
    assert loud.stderr.endswith(f"{FOUND_NAME} sets format\n")
    assert quiet.stderr == ""


@pytest.mark.parametrize("key", sorted(ALL_OPTIONS - FOUND_MAY_SET))
def test_p06_a_found_file_decides_nothing(run: Run, key: str) -> None:
    value = "true" if key in FLAGS else "x"
    Path(FOUND_NAME).write_text(f"{key}: {value}\n", encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: POL_UNTRUSTED ")
    assert result.stdout == ""


def test_a_named_file_may_set_the_policy(run: Run, layout: str) -> None:
    Path("named.yaml").write_text("policy: policy.yaml\n", encoding="utf-8")
    Path("policy.yaml").write_text(
        "apiVersion: gate/v1\nkind: Policy\nmetadata: {name: of-the-file}\nspec: {image: {user: non-root}}\n",
        encoding="utf-8",
    )
    result = run("check", layout, "--config", "named.yaml", "-f", "json")
    (image,) = json.loads(result.stdout)["images"]
    assert (result.exit_code, image["policy"]["name"]) == (1, "of-the-file")


@pytest.mark.parametrize("key", ["cache-dir", "db-dir", "record", "tools-dir"])
@pytest.mark.parametrize("place", ["planted", "./planted", "../work/planted", "{work}/planted", "link/planted"])
def test_a_found_file_cannot_plant_what_is_read(run: Run, key: str, place: str) -> None:
    Path("link").symlink_to(".")
    Path(FOUND_NAME).write_text(f"{key}: {place.format(work=Path.cwd())}\n", encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: POL_UNTRUSTED ")


@pytest.mark.parametrize("key", ["cache-dir", "db-dir", "record", "tools-dir"])
def test_a_found_file_may_name_places_elsewhere(run: Run, key: str) -> None:
    Path(FOUND_NAME).write_text(f"{key}: ../elsewhere\n", encoding="utf-8")
    assert run("explain", "VULN_FOUND").exit_code == 0


def test_a_found_file_cannot_send_the_record_away(run: Run) -> None:
    Path(FOUND_NAME).write_text("record: postgresql://evil.example/record\n", encoding="utf-8")
    assert run("explain", "VULN_FOUND").stderr.startswith("gate: POL_UNTRUSTED ")


@pytest.mark.parametrize(
    "output", ["../out.json", "json=../out.json", "/nowhere/out.json", "out/../../out.json", "link/x"]
)
def test_a_found_file_cannot_write_elsewhere(run: Run, output: str, tmp_path: Path) -> None:
    Path("link").symlink_to(tmp_path)
    Path(FOUND_NAME).write_text(f"output: [{output}]\n", encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: POL_UNTRUSTED ")
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]


def test_a_found_file_may_write_beside_itself(run: Run) -> None:
    Path(FOUND_NAME).write_text("output: [json=out.json]\n", encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert result.exit_code == 0
    assert result.stdout.startswith("code ")
    assert json.loads(Path("out.json").read_text(encoding="utf-8"))["exitCode"] == 0


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("fromat: json\n", "POL_UNKNOWN_KEY", "'format'"),
        ("format: json\nformat: table\n", "POL_DUPLICATE_KEY", "twice"),
        ("format: [a, &x b, *x]\n", "POL_MALFORMED", "anchor"),
        ("", "POL_MALFORMED", "empty"),
        ("- format\n", "POL_MALFORMED", "mapping"),
        ("format: {json: table}\n", "POL_MALFORMED", "a text"),
        ("format: [json, table]\n", "POL_MALFORMED", "one value"),
        ("format: xml\n", "USAGE", "'xml'"),
        ("timeout: soon\n", "USAGE", "duration"),
        ("\x00", "POL_MALFORMED", "readers differ"),
    ],
)
def test_a_file_with_a_mistake_is_refused_whole(run: Run, content: str, code: str, said: str) -> None:
    Path(FOUND_NAME).write_text(content, encoding="utf-8")
    result = run("explain", "VULN_FOUND")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"gate: {code} ")
    assert said in result.stderr


def test_a_file_that_is_no_plain_file_is_refused(run: Run) -> None:
    Path(FOUND_NAME).mkdir()
    assert run("explain", "VULN_FOUND").stderr.startswith("gate: USAGE ")


def test_a_file_that_is_too_large_is_refused(run: Run) -> None:
    Path(FOUND_NAME).write_text("format: json\n" + "#" * 70000, encoding="utf-8")
    assert "too large" in run("explain", "VULN_FOUND").stderr


def test_a_named_file_that_is_missing_is_an_error(run: Run) -> None:
    assert run("explain", "VULN_FOUND", "--config", "missing.yaml").exit_code == 2


def options() -> dict[str, click.Option]:
    found: dict[str, click.Option] = {}
    for _, context in commands():
        for parameter in context.command.params:
            if isinstance(parameter, click.Option):
                found |= dict.fromkeys(names_of(parameter), parameter)
    return found


FLAGS = {name for name, option in options().items() if option.is_flag}


def test_the_file_knows_every_option_of_every_command() -> None:
    assert set(options()) - {"config", "help", "version"} == ALL_OPTIONS
