"""The commands themselves: which there are, what they say of themselves, and the small ones whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gate.cli.main import COMMANDS, cli
from gate.model.reasons import REASONS
from gate.model.version import VERSION
from tests.cli.conftest import Run
from tools.docs import commands

LEAVES = sorted(words for words, _ in commands())


def test_there_are_the_commands_of_this_release_and_no_other() -> None:
    assert sorted(
        f"gate {words}"
        for words in (
            "check", "verify", "serve", "resolve", "refs", "sign", "keys generate", "keys public", "explain", "doctor",
            "completion", "attest show", "attest sign", "attest prune",
            "policy init", "policy validate", "policy explain", "policy pin", "policy schema", "policy export",
            "tools install", "tools list", "tools verify", "trust show", "trust update", "trust import", "verify-bundle",
            "db status", "db update", "db import", "db export", "cache list", "cache prune", "secrets scan",
            "record migrate", "record status", "record repair",
            "audit checkpoint", "audit diff", "audit export", "audit list", "audit prove",
            "audit replay", "audit show", "audit verify", "audit verify-proof",
            "requirement init", "requirement validate", "requirement explain", "version",
        )
    ) == LEAVES  # fmt: skip


def test_the_line_in_the_list_of_commands_is_the_commands_own() -> None:
    context = click.Context(cli)
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.help or "").partition("\n")[0].strip() == line


@pytest.mark.parametrize("words", ["gate", *LEAVES])
def test_every_command_shows_version_and_help(run: Run, words: str) -> None:
    path = words.split()[1:]
    assert run(*path, "--version").stdout == f"gate {VERSION}\n"
    helped = run(*path, "--help")
    assert helped.exit_code == 0
    assert helped.stdout.startswith(f"Usage: {words} ")


@pytest.mark.parametrize("code", REASONS)
def test_every_code_is_explained(run: Run, code: str) -> None:
    table, document = run("explain", code.lower()), run("explain", code, "-f", "json")
    (found,) = json.loads(document.stdout)["reasons"]
    assert table.exit_code == document.exit_code == 0
    assert found["code"] == code
    assert found["exit code"] == REASONS[code].exit_code
    assert code in table.stdout


def test_an_unknown_code_names_the_nearest(run: Run) -> None:
    assert "expected VULN_FOUND" in run("explain", "vuln_fond").stderr


def test_all_codes_are_listed(run: Run) -> None:
    assert len(json.loads(run("explain", "-f", "json").stdout)["reasons"]) == len(REASONS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_the_gate(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_GATE_COMPLETE={shell}_complete" in result.stdout
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=result.stdout, text=True, check=True)


def test_completion_completes(tmp_path: Path) -> None:
    variables = {"_GATE_COMPLETE": "bash_complete", "COMP_WORDS": "gate che", "COMP_CWORD": "1"}
    script = "from gate.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **variables}, capture_output=True, text=True, check=True,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout == "plain,check\n"


@pytest.mark.parametrize(
    "variables", [{"GATE_KEY_PASSWORD": "right"}, {"COSIGN_PASSWORD": "right"}, {"GATE_KEY_PASSWORD_FILE": "password"}]
)
def test_a_key_pair_is_made_with_a_password_from_each_source(run: Run, layout: str, variables: dict[str, str]) -> None:
    Path("password").write_text("right\n", encoding="utf-8")
    made = run("keys", "generate", env=variables)
    assert made.exit_code == 0
    assert re.search(r"^key +sha256:[0-9a-f]{64}$", made.stdout, re.MULTILINE)
    assert stat.S_IMODE(Path("gate.key").stat().st_mode) == 0o600
    signed = run("sign", layout, "--key", "gate.key", env={"GATE_KEY_PASSWORD": "right"})
    assert signed.exit_code == 0, signed.stderr
    wrong = run("sign", layout, "--key", "gate.key", env={"GATE_KEY_PASSWORD": "wrong-and-never-shown"})
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("gate: KEY_PASSWORD ")
    assert "wrong-and-never-shown" not in wrong.stderr + wrong.stdout


def test_a_password_file_wins_over_the_environment(run: Run, layout: str) -> None:
    Path("password").write_text("right\n", encoding="utf-8")
    run("keys", "generate", "--key-password-file", "password", env={"GATE_KEY_PASSWORD": "other"})
    assert run("sign", layout, "--key", "gate.key", env={"GATE_KEY_PASSWORD": "right"}).exit_code == 0


def test_without_a_password_and_a_terminal_nobody_is_asked(run: Run) -> None:
    result = run("keys", "generate")
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: KEY_PASSWORD ")
    assert not Path("gate.key").exists()


def test_a_key_is_never_written_over(run: Run) -> None:
    run("keys", "generate", env={"GATE_KEY_PASSWORD": ""})
    before = Path("gate.key").read_bytes()
    result = run("keys", "generate", env={"GATE_KEY_PASSWORD": ""})
    assert result.exit_code == 2
    assert result.stderr.startswith("gate: KEY_EXISTS ")
    assert Path("gate.key").read_bytes() == before


def test_a_digest_resolves_to_itself_without_asking(run: Run) -> None:
    reference = f"registry.example/shop/web@sha256:{'a' * 64}"
    assert run("resolve", reference, "--offline").stdout == f"{reference}\n"


def test_a_policy_is_written_checked_and_pinned(run: Run) -> None:
    assert run("policy", "init", "--template", "baseline").stdout == "policy.yaml\n"
    again = run("policy", "init", "--template", "baseline")
    assert (again.exit_code, again.stdout) == (2, "")
    (document,) = json.loads(run("policy", "validate", "policy.yaml", "-f", "json").stdout)["documents"]
    assert (document["state"], document["kind"]) == ("ok", "Policy")
    pinned = run("policy", "pin", "policy.yaml")
    assert pinned.exit_code == 0
    assert "pinned already" in pinned.stdout


@pytest.mark.parametrize("kind", ["policy", "requirement"])
def test_a_schema_is_printed(run: Run, kind: str) -> None:
    assert json.loads(run("policy", "schema", kind).stdout)["$schema"].endswith("2020-12/schema")


def test_an_empty_machine_is_told_what_it_lacks(run: Run) -> None:
    result = run("doctor", "-f", "json")
    found = {row["component"]: row for row in json.loads(result.stdout)["diagnoses"]}
    assert result.exit_code == 3
    assert (found["trivy database"]["state"], found["trivy database"]["code"]) == ("wrong", "DB_MISSING")
    assert found["record"]["state"] == found["cache"]["state"] == found["clock"]["state"] == "ok"
    assert all(row["next"] for row in found.values() if row["state"] == "wrong")


def test_the_state_of_databases_is_three_where_one_is_missing(run: Run) -> None:
    result = run("db", "status", "-f", "json")
    rows = json.loads(result.stdout)["databases"]
    assert result.exit_code == 3
    assert {row["database"]: row["state"] for row in rows} == dict.fromkeys(("trivy", "java", "grype"), "DB_MISSING")


def test_an_empty_cache_is_listed_and_pruned(run: Run) -> None:
    assert json.loads(run("cache", "list", "-f", "json").stdout)["blobs"] == []
    assert json.loads(run("cache", "prune", "--max-bytes", "0", "-f", "json").stdout)["pruned"] == [
        {"removed": 0, "freed_bytes": 0, "busy": False}
    ]


def test_pruning_removes_the_folder_of_a_killed_run(run: Run, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "scratch" / "run-left"
    left.mkdir(parents=True)
    (left / "layer").write_bytes(b"123")
    pruned = json.loads(run("cache", "prune", "--cache-dir", str(tmp_path / "cache"), "-f", "json").stdout)["pruned"]
    assert pruned == [{"removed": 0, "freed_bytes": 3, "busy": False}]
    assert not left.exists()


def test_tools_are_listed_with_the_ways_to_get_them(run: Run) -> None:
    rows = json.loads(run("tools", "list", "-f", "json").stdout)["tools"]
    assert {"trivy", "grype", "cosign"} <= {row["tool"] for row in rows}
    assert all("build" in row["ways"] for row in rows)


def test_a_tool_that_is_not_here_is_not_verified(run: Run) -> None:
    result = run("tools", "verify", env={"PATH": ""})
    assert result.exit_code == 3
    assert result.stderr.startswith("gate: SCAN_BINARY ")
