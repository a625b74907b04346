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
