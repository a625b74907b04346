"""`gate refs` on `uses:`: commits with their tags as comments, over GitHub's API, which is emulated on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.github_server import FakeGitHub, Repository, serve_github

V1, V2, FORK, TAG_OBJECT = ("1" * 40, "2" * 40, "f" * 40, "a" * 40)
WORKFLOW = Path(".github/workflows/ci.yml")


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with serve_github() as fake:
        fake.repositories["actions/checkout"] = Repository(
            tags={"v1": TAG_OBJECT, "v2": V2, "v2.0": V2, "v2.0.0": V2},
            branches={"main": V2, "feature/x": V1},
            annotated={TAG_OBJECT: V1},
            ancestors={V2: {V1, "0" * 40}},
            dates={V1: "2024-01-01T00:00:00Z", V2: "2099-01-01T00:00:00Z"},
        )
        yield fake


def write(uses: str) -> str:
    text = f"on: push\njobs:\n  a:\n    steps:\n      - uses: {uses}\n      - run: x  # kept\n"
    WORKFLOW.parent.mkdir(parents=True, exist_ok=True)
    WORKFLOW.write_text(text, encoding="utf-8")
    return text


def uses() -> str:
    return WORKFLOW.read_text(encoding="utf-8").splitlines()[4].removeprefix("      - uses: ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("actions/checkout@v1", f"actions/checkout@{V1} # v1"),
        ("actions/checkout@main # the newest", f"actions/checkout@{V2} # main # the newest"),
        ("'actions/checkout@feature/x'", f"'actions/checkout@{V1}' # feature/x"),
        ("actions/checkout/sub@v2.0", f"actions/checkout/sub@{V2} # v2.0"),
        ("actions/checkout/.github/workflows/x.yml@v2", f"actions/checkout/.github/workflows/x.yml@{V2} # v2"),
    ],
)
def test_a_name_is_pinned_to_its_commit_and_stays_as_a_comment(
    run: Run, github: FakeGitHub, before: str, after: str
) -> None:
    text = write(before)
    result = run("refs", ".", "--fix", "--github-api", github.url)
    assert result.exit_code == 0, result.output
    assert uses() == after
    assert WORKFLOW.read_text(encoding="utf-8") == text.replace(before, after)
    assert run("refs", ".", "--fix", "--update", "--github-api", github.url).exit_code == 0
    assert WORKFLOW.read_text(encoding="utf-8") == text.replace(before, after)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"actions/checkout@{V1} # v1", None),
        (f"actions/checkout@{V1} # v2", None),
        (f"actions/checkout@{V1} # v2.0.0", "REF_COMMENT"),
        (f"actions/checkout@{V2} # v1", "REF_COMMENT"),
        (f"actions/checkout@{V1}", None),
        (f"actions/checkout@{'0' * 40} # because", None),
        (f"actions/checkout@{FORK}", "REF_FOREIGN_COMMIT"),
        (f"actions/checkout@{FORK} # v2", "REF_FOREIGN_COMMIT"),
    ],
)
def test_a_commit_is_the_repositorys_own_and_what_its_comment_says(
    run: Run, github: FakeGitHub, line: str, code: str | None
) -> None:
    write(line)
    assert run("refs", ".").exit_code == 0
    result = run("refs", ".", "--check-updates", "--github-api", github.url, "-f", "json")
    assert [row["code"] for row in json.loads(result.stdout)["references"]] == [code]
    assert result.exit_code == (1 if code else 0)
    assert uses() == line


def test_an_update_follows_the_comments_tag(run: Run, github: FakeGitHub) -> None:
    write(f"actions/checkout@{V1} # v2")
    assert run("refs", ".", "--update", "--github-api", github.url).exit_code == 0
    assert uses() == f"actions/checkout@{V2} # v2"
    assert run("refs", ".", "--unpin").exit_code == 1
    assert uses() == "actions/checkout@v2"


def test_a_tag_that_moved_on_is_told(run: Run, github: FakeGitHub) -> None:
    write(f"actions/checkout@{V1} # v2")
    result = run("refs", ".", "--check-updates", "--github-api", github.url, "-f", "json")
    row = json.loads(result.stdout)["references"][0]
    assert (row["state"], row["reason"]) == ("outdated", f"v2 names {V2} now")
    assert "outdated" in run("refs", ".", "--check-updates", "--github-api", github.url).stdout


def test_a_young_commit_is_not_taken(run: Run, github: FakeGitHub) -> None:
    write("actions/checkout@v2")
    assert run("refs", ".", "--fix", "--min-age", "7d", "--github-api", github.url).exit_code == 1
    assert uses() == "actions/checkout@v2"
    write("actions/checkout@v1")
    assert run("refs", ".", "--fix", "--min-age", "7d", "--github-api", github.url).exit_code == 0
    assert uses() == f"actions/checkout@{V1} # v1"


def test_a_name_that_is_nowhere_stays_and_refuses(run: Run, github: FakeGitHub) -> None:
    write("actions/checkout@v9")
    result = run("refs", ".", "--fix", "--github-api", github.url)
    assert result.exit_code == 1
    assert "has no tag or branch of this name" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("status", "code"), [(403, "REG_DENIED"), (500, "REG_ERROR")])
def test_a_github_that_does_not_answer_is_an_error(run: Run, github: FakeGitHub, status: int, code: str) -> None:
    write("actions/checkout@v1")
    github.status = status
    result = run("refs", ".", "--fix", "--github-api", github.url, "--timeout", "5s")
    assert (result.exit_code, code in result.stderr) == (3, True), result.stderr
    assert ("GITHUB_TOKEN" in result.stderr) == (status == 403)
    assert uses() == "actions/checkout@v1"


def test_each_question_is_asked_once_with_the_token_of_the_environment(run: Run, github: FakeGitHub) -> None:
    text = write("actions/checkout@v2")
    for number in range(5):
        (WORKFLOW.parent / f"{number}.yml").write_text(text, encoding="utf-8")
    result = run("refs", ".", "--fix", "--github-api", github.url, env={"GITHUB_TOKEN": "", "GH_TOKEN": "secret"})
    assert result.exit_code == 0
    assert github.asked == ["/repos/actions/checkout/git/ref/tags/v2"]
    assert github.tokens == {"Bearer secret"}
    assert "secret" not in result.output


def test_only_finding_asks_nobody(run: Run, github: FakeGitHub) -> None:
    write("actions/checkout@v1")
    assert run("refs", ".", "--github-api", github.url).exit_code == 1
    assert github.asked == []


@pytest.mark.parametrize(
    "options", [("--fix", "--unpin"), ("--fix", "--check-updates"), ("--unpin", "--update"), ("--min-age", "7d")]
)
def test_options_that_make_no_sense_together_are_refused(run: Run, options: tuple[str, ...]) -> None:
    write("actions/checkout@v1")
    assert run("refs", ".", *options).exit_code == 2
