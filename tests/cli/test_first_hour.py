"""What somebody meets in the first hour on the command line: help, slips, pipes, widths, completion, variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gate.cli.main import cli
from gate.model.version import VERSION
from tests.cli.conftest import Run
from tests.support.command import gate_command
from tools.docs import commands

PYTHON_GATE = [sys.executable, "-P", "-m", "gate"]


@pytest.mark.parametrize("words", [(), ("check",), ("policy",), ("policy", "init"), ("attest", "show")])
def test_the_short_and_the_long_help_are_one(run: Run, words: tuple[str, ...]) -> None:
    short, long = run(*words, "-h"), run(*words, "--help")
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert short.stdout.startswith("Usage: gate")


def test_the_short_help_is_known_whoever_asked_for_the_options_first(run: Run) -> None:
    # click keeps the help option of the first context that asks, and a context that was made apart knows `--help` alone.
    for command in (cli, *(context.command for _, context in commands())):
        command.get_params(click.Context(command))
    assert run("-h").exit_code == 0
    assert run("check", "-h").exit_code == 0


def test_the_version_is_a_command_an_option_and_a_module(run: Run) -> None:
    module = subprocess.run([*PYTHON_GATE, "version"], capture_output=True, text=True, check=True)
    assert {run("version").stdout, run("--version").stdout, module.stdout} == {f"gate {VERSION}\n"}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("chek", "x"), "gate check"),
        (("verfy",), "gate verify"),
        (("CHECK",), "gate check"),
        (("policy", "valdate"), "gate policy validate"),
        (("db", "updaet"), "gate db update"),
        (("scan", "x"), "gate check"),
        (("image", "x"), "gate check"),
        (("generate-key-pair",), "gate keys generate"),
    ],
)
def test_a_mistyped_command_gets_the_nearest_right_one(run: Run, words: tuple[str, ...], meant: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert f"next: Did you mean `{meant}`?" in result.stderr
    assert run(*meant.split()[1:], "-h").exit_code == 0


def test_what_is_near_nothing_gets_no_suggestion(run: Run) -> None:
    result = run("zzzzzz")
    assert (result.exit_code, "Did you mean" in result.stderr) == (2, False)
    assert "next: See `gate --help`." in result.stderr


def test_every_error_of_the_command_line_names_a_help_that_there_is(run: Run) -> None:
    for words, _ in commands():
        result = run(*words.split()[1:], "--no-such-option")
        assert result.exit_code == 2, words
        assert f"next: See `{words} --help`." in result.stderr


def test_the_options_of_a_long_command_are_in_sections(run: Run) -> None:
    lines = run("check", "-h").stdout.splitlines()
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "Options:", "The verdict:", "Without a policy:", "Registry:", "Places:", "Every command:",
    ]  # fmt: skip
    assert " ".join(lines).count("GATE_KEY]") == 1


def test_no_section_hides_an_option(run: Run) -> None:
    for words, context in commands():
        shown = run(*words.split()[1:], "-h").stdout
        missing = [
            name for option in context.command.params for name in option.opts if name[:2] == "--" and name not in shown
        ]
        assert missing == [], words


@pytest.mark.parametrize("form", ["json", "table", "JSON"])
def test_a_bare_format_is_no_file(run: Run, form: str) -> None:
    result = run("explain", "VULN_FOUND", "-o", form)
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: USAGE ")
    assert f"--format {form.lower()}, {form.lower()}=FILE, or ./{form}" in result.stderr
    assert list(Path().iterdir()) == []
    assert run("explain", "VULN_FOUND", "-o", f"./{form}").exit_code == 0
    assert Path(form).exists()


def test_a_usage_error_names_the_variables_that_options_came_from(run: Run, layout: str) -> None:
    for name, value in {"GATE_TIMEOUT": "soon", "GATE_KEY": "missing.key", "GATE_POLICY": "missing.yaml"}.items():
        result = run("check", layout, "--as", "r.example/a", env={name: value})
        assert result.exit_code == 2
        assert result.stderr.splitlines()[-1] == f"gate: options taken from the environment: {name}"
    assert "environment" not in run("check", layout, "--timeout", "soon", env={"GATE_TIMEOUT": "5m"}).stderr


def test_the_private_key_of_verdicts_is_no_key_that_verifies_or_signs_images(run: Run, layout: str) -> None:
    assert run("keys", "generate", "keys", env={"GATE_KEY_PASSWORD": ""}).exit_code == 0
    private, public = {"GATE_KEY": "keys/gate.key", "GATE_KEY_PASSWORD": ""}, {"GATE_VERIFY_KEY": "keys/gate.pub"}
    policy = f"sha256:{'0' * 64}"
    assert "it is not clear what is demanded" in run("verify", layout, "-p", policy, env=private).stderr
    assert "Missing option '--key'" in run("sign", layout, env=private).stderr
    assert run("sign", layout, env=private | {"GATE_SIGN_KEY": "keys/gate.key"}).exit_code == 0
    # The key is taken: what is refused now is the image.
    assert "it is not clear" not in run("verify", layout, "-p", policy, "--as", "r.example/a", env=public).stderr


def test_keys_make_their_folder_for_their_owner_alone(run: Run) -> None:
    assert run("keys", "generate", "a/b", "--name", "c", env={"GATE_KEY_PASSWORD": "x"}).exit_code == 0
    assert {path.name for path in Path("a/b").iterdir()} == {"c.key", "c.pub"}
    assert Path("a/b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("width", [80, 200])
def test_a_pipe_is_as_wide_as_columns_says(run: Run, layout: str, width: int) -> None:
    lines = run("check", layout, env={"COLUMNS": str(width)}).stdout.splitlines()
    wide = max(len(line) for line in lines if "sha256:" not in line)
    assert (wide <= 80) == (width == 80)


@pytest.mark.parametrize("columns", ["0", "-1", "wide", "", "99999"])
def test_columns_without_sense_changes_nothing(run: Run, layout: str, columns: str) -> None:
    def shown(environment: dict[str, str]) -> list[str]:
        return [line for line in run("check", layout, env=environment).stdout.splitlines() if "judged" not in line]

    assert shown({"COLUMNS": columns}) == shown({})


def closed_pipe(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with a pipe that nobody reads as its standard output."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        environment = {"HOME": str(cwd), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(
            gate_command(*arguments),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=cwd,
            env=environment,
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("check", "oci:image", "--offline"), 1),
        (("check", "oci:image", "--offline", "-f", "json", "--exit-code", "0"), 0),
        (("explain",), 0),
        (("policy", "schema"), 0),
        (("-h",), 0),
        (("check", "-h"), 0),
        (("policy", "-h"), 0),
        (("--version",), 0),
    ],
)
def test_a_closed_pipe_ends_quietly_with_the_decisions_own_code(
    layout: str, arguments: tuple[str, ...], status: int
) -> None:
    del layout
    ended = closed_pipe(*arguments, cwd=Path.cwd())
    assert (ended.returncode, ended.stderr) == (status, "")


def test_a_full_disk_is_no_closed_pipe(layout: str) -> None:
    del layout
    with Path("/dev/full").open("w") as full:
        command = gate_command("explain", "VULN_FOUND")
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert (ended.returncode, "OUT_WRITE" in ended.stderr) == (3, True)


def test_bash_completes_commands_options_and_files(run: Run, tmp_path: Path) -> None:
    script = run("completion", "bash").stdout
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gate").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m gate "$@"\n', encoding="utf-8")
    (tmp_path / "bin" / "gate").chmod(0o755)
    assert "complete -o nosort -o bashdefault -o default -F" in script

    def answers(*words: str) -> list[str]:
        line = " ".join(words)
        environment = os.environ | {
            "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_GATE_COMPLETE": "bash_complete",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }  # fmt: skip
        return subprocess.run(
            [tmp_path / "bin" / "gate"], capture_output=True, text=True, check=False, env=environment
        ).stdout.split()

    assert "plain,check" in answers("gate", "che")
    assert "plain,--policy" in answers("gate", "check", "--pol")
    assert answers("gate", "check", "--policy", "pol") == ["file,pol"]
    assert answers("gate", "policy", "validate", "pol") == ["file,pol"]
