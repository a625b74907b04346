"""`gate refs`: what it finds, what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

DIGEST = f"sha256:{'1f' * 32}"


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def test_a_tag_is_refused_with_its_place_and_a_digest_passes(run: Run) -> None:
    write("app/Dockerfile", "FROM alpine:3.20\n")
    result = run("refs", "app", "-f", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["references"] == [
        {
            "state": "mutable", "location": "app/Dockerfile:1:6", "reference": "alpine:3.20", "reached": "FROM",
            "code": "REF_NOT_DIGEST", "reason": "a tag can be moved", "path": "app/Dockerfile", "line": 1, "column": 6,
            "start": 5, "end": 16, "kind": "image", "text": "alpine:3.20", "platform": None, "comment": None, "fixable": True,
        }
    ]  # fmt: skip
    write("app/Dockerfile", f"FROM alpine:3.20@{DIGEST}\n")
    assert run("refs", "app").exit_code == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FROM alpine:3.20", "REF_NOT_DIGEST"),
        ("FROM alpine", "REF_NOT_DIGEST"),
        ("FROM alpine:$TAG", "REF_UNRESOLVED"),
        ("FROM Alpine:1", "REF_INVALID"),
        ("FROM alpine@sha256:12", "REF_INVALID"),
        (f"FROM a@{DIGEST}\nADD https://example.com/a /a", "REF_MUTABLE"),
    ],
)
def test_each_reason_refuses(run: Run, text: str, code: str) -> None:
    write("Dockerfile", text)
    result = run("refs", ".", "-f", "json")
    assert result.exit_code == 1
    assert [row["code"] for row in json.loads(result.stdout)["references"] if row["code"]] == [code]


def test_a_file_that_cannot_be_judged_ends_with_three_and_is_a_row(run: Run) -> None:
    write("Dockerfile", "FROM alpine\nRUN <<EOF\n")
    result = run("refs", ".", "-f", "json")
    assert result.exit_code == 3
    states = [(row["state"], row["code"]) for row in json.loads(result.stdout)["references"]]
    assert states == [("mutable", "REF_NOT_DIGEST"), ("error", "REF_FILE_MALFORMED")]
    assert "REF_FILE_MALFORMED Dockerfile:2: a heredoc does not end" in result.stderr


def test_a_path_that_does_not_exist_is_an_invalid_request(run: Run) -> None:
    result = run("refs", "nowhere")
    assert result.exit_code == 2
    assert "REF_PATH" in result.stderr


def test_a_probable_reference_warns_and_refuses_nothing(run: Run) -> None:
    write("a.yaml", "apiVersion: x/v1\nkind: X\nspec: {image: redis:7}\n")
    result = run("refs", ".")
    assert result.exit_code == 0
    assert "warning" in result.stdout


def test_the_table_shows_what_is_accepted_only_when_asked(run: Run) -> None:
    write("Dockerfile", f"FROM alpine:3.20@{DIGEST}\n")
    assert "alpine" not in run("refs", ".").stdout
    shown = run("refs", ".", "--all")
    assert "alpine:3.20@sha256:" in shown.stdout
    assert "pinned" in shown.stdout
    assert shown.exit_code == 0


def test_a_file_that_is_named_is_read_whatever_its_name(run: Run) -> None:
    write("build.txt", "FROM alpine:3.20\n")
    assert run("refs", ".").exit_code == 0
    assert run("refs", "build.txt").exit_code == 1


def test_a_file_that_is_reached_twice_is_judged_once(run: Run) -> None:
    write("a/Dockerfile", "FROM alpine:3.20\n")
    result = run("refs", "a", "a/Dockerfile", "./a", "-f", "json")
    assert len(json.loads(result.stdout)["references"]) == 1


def policy(**references: object) -> str:
    spec = {"references": references, "image": {"user": "non-root"}}
    document = {"apiVersion": "gate/v1", "kind": "Policy", "metadata": {"name": "p"}, "spec": spec}
    write("../policy.yaml", json.dumps(document))
    return "../policy.yaml"


def exception(**more: str) -> dict[str, str]:
    ends = "2099-12-31"
    return {"pattern": "docker.io/library/alpine", "reason": "a test", "owner": "me", "expires": ends, **more}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, 0),
        ({"pattern": "docker.io/library/alpine:3.20"}, 0),
        ({"pattern": "docker.io/**"}, 0),
        ({"pattern": "**", "path": "app/*"}, 0),
        ({"pattern": "docker.io/library/alpine:3.21"}, 1),
        ({"pattern": "docker.io/library/alpin"}, 1),
        ({"path": "other/**"}, 1),
        ({"expires": "2020-01-01"}, 1),
    ],
)
def test_an_exception_stands_in_the_policy_and_ends(run: Run, more: dict[str, str], code: int) -> None:
    write("app/Dockerfile", "FROM alpine:3.20\n")
    assert run("refs", ".").exit_code == 1
    result = run("refs", ".", "--all", "--policy", policy(exceptions=[exception(**more)]))
    assert result.exit_code == code, result.output
    assert ("exempt" in result.stdout) == (code == 0)
    assert ("has ended" in result.stdout or "excuses nothing" in result.stdout) == (code == 1)


@pytest.mark.parametrize(
    "more", [{"pattern": "**"}, {"pattern": "**", "path": "**"}, {"pattern": "a@b"}, {"owner": ""}]
)
def test_an_exception_for_everything_or_by_nobody_is_refused(run: Run, more: dict[str, str]) -> None:
    write("Dockerfile", "FROM alpine:3.20\n")
    assert run("refs", ".", "--policy", policy(exceptions=[exception(**more)])).exit_code == 2


def test_an_action_and_what_only_a_run_decides_can_be_excepted(run: Run) -> None:
    write(".github/workflows/a.yml", "jobs: {a: {container: '${{ x }}', steps: [{uses: own/tool@main}]}}\n")
    entries = [exception(pattern="github.com/own/*"), exception(pattern="**", path=".github/workflows/a.yml")]
    assert run("refs", ".", "--policy", policy(exceptions=entries[:1])).exit_code == 1
    assert run("refs", ".", "--policy", policy(exceptions=entries)).exit_code == 0


def test_a_repository_that_the_policy_does_not_allow_is_refused(run: Run) -> None:
    write("Dockerfile", f"FROM alpine@{DIGEST}\n")
    assert run("refs", ".", "--policy", policy(registries=["docker.io/library/**"])).exit_code == 0
    result = run("refs", ".", "--policy", policy(registries=["registry.example/**"]))
    assert result.exit_code == 1
    assert "REF_REGISTRY" in result.stdout


def test_a_diff_judges_the_lines_that_it_changes(run: Run) -> None:
    write("Dockerfile", "FROM alpine:3.20\nFROM debian:12\n")
    write("broken.yaml", "image: [\n")
    write("b.diff", "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,1 +1,2 @@\n FROM alpine:3.20\n+FROM debian:12\n")
    result = run("refs", ".", "--diff", "b.diff", "-f", "json")
    assert result.exit_code == 1
    assert [row["reference"] for row in json.loads(result.stdout)["references"]] == ["debian:12"]
    write("b.diff", "--- a/other\n+++ b/other\n@@ -1,1 +1,2 @@\n a\n+b\n")
    assert run("refs", ".", "--diff", "b.diff").exit_code == 0
    write("b.diff", "--- a/broken.yaml\n+++ b/broken.yaml\n@@ -0,0 +1 @@\n+image: [\n")
    assert run("refs", ".", "--diff", "b.diff").exit_code == 3
    write("b.diff", "nothing of the kind\n")
    assert run("refs", ".", "--diff", "b.diff").exit_code == 2


@pytest.mark.parametrize("options", [("--verify",), ("--diff", "x", "--fix")])
def test_options_that_need_others_are_refused(run: Run, options: tuple[str, ...]) -> None:
    write("Dockerfile", "FROM alpine:3.20\n")
    assert run("refs", ".", *options).exit_code == 2
