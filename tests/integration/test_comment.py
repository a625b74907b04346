"""The one comment on a pull request, against an emulation of GitHub's API on loopback: no real GitHub can be reached here."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.sources import ROOT

spec = importlib.util.spec_from_file_location("comment", ROOT / "deploy" / "ci" / "comment.py")
assert spec is not None
assert spec.loader is not None
comment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(comment)

BOT = "github-actions[bot]"
MARKER = "<!-- gate-comment: gate -->"


class GitHub(BaseHTTPRequestHandler):
    """Comments of one pull request, in pages of at most a hundred."""

    comments: ClassVar[list[dict[str, Any]]] = []
    status: ClassVar[int] = 0
    writes: ClassVar[list[str]] = []

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == "/repos/shop/web/issues/7/comments"
        page = int(dict(part.split("=") for part in query.split("&"))["page"])
        self._answer(200, self.comments[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        self.comments.append({"id": len(self.comments) + 1, "user": {"login": BOT}, **self._body()})
        self._answer(201, self.comments[-1])

    def do_PATCH(self) -> None:
        number = int(self.path.removeprefix("/repos/shop/web/issues/comments/"))
        self.comments[number - 1].update(self._body())
        self._answer(200, self.comments[number - 1])

    def _body(self) -> dict[str, Any]:
        self.writes.append(self.command)
        value: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return value

    def _answer(self, status: int, value: object) -> None:
        assert self.headers["Authorization"] == "Bearer token"
        content = json.dumps(value).encode()
        self.send_response(self.status or status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    GitHub.comments, GitHub.status, GitHub.writes = [], 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    summary = tmp_path / "summary.md"
    summary.write_text("### refused\n")
    try:
        yield {
            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
            "GITHUB_REPOSITORY": "shop/web",
            "GITHUB_TOKEN": "token",
            "GATE_COMMENT_PULL": "7",
            "GATE_COMMENT_FILE": str(summary),
        }
    finally:
        server.shutdown()
        server.server_close()


def test_the_first_run_writes_a_comment_and_later_ones_change_it(environ: dict[str, str]) -> None:
    assert comment.main(environ) == 0
    Path(environ["GATE_COMMENT_FILE"]).write_text("### passed\n")
    assert comment.main(environ) == 0
    assert [item["body"] for item in GitHub.comments] == [f"{MARKER}\n### passed\n"]
    assert comment.main(environ) == 0
    assert GitHub.writes == ["POST", "PATCH"]


def test_a_comment_is_found_behind_a_hundred_others(environ: dict[str, str]) -> None:
    GitHub.comments.extend({"id": number, "user": {"login": "a"}, "body": "hello"} for number in range(1, 251))
    GitHub.comments.append({"id": 251, "user": {"login": BOT}, "body": f"{MARKER}\nold"})
    assert comment.main(environ) == 0
    assert GitHub.writes == ["PATCH"]


def test_a_strangers_comment_with_the_marker_is_left_alone(environ: dict[str, str]) -> None:
    GitHub.comments.append({"id": 1, "user": {"login": "mallory"}, "body": f"{MARKER}\nall is well"})
    assert comment.main(environ) == 0
    assert GitHub.comments[0]["body"].endswith("all is well")
    assert GitHub.writes == ["POST"]


def test_two_gates_of_one_pull_request_have_a_comment_each(environ: dict[str, str]) -> None:
    assert comment.main(environ) == 0
    assert comment.main({**environ, "GATE_COMMENT_KEY": "arm64"}) == 0
    assert len(GitHub.comments) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_fork_without_rights_is_told_and_nothing_fails(
    environ: dict[str, str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    GitHub.status = status
    assert comment.main(environ) == 0
    assert capsys.readouterr().out.startswith("::notice title=gate::no comment was written: the token may not")


@pytest.mark.parametrize(
    "change",
    [
        {"GATE_COMMENT_PULL": "7/../8"},
        {"GITHUB_REPOSITORY": "shop/web/../x"},
        {"GATE_COMMENT_KEY": "a --> b"},
        {"GATE_COMMENT_FILE": "none.md"},
        {"GITHUB_API_URL": "http://api.example"},
    ],
    ids=["pull", "repository", "key", "file", "plain-http"],
)
def test_what_makes_no_sense_is_one_line(
    environ: dict[str, str], change: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert comment.main({**environ, **change}) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert GitHub.writes == []


def test_a_service_that_is_down_is_told_from_a_missing_right(environ: dict[str, str]) -> None:
    GitHub.status = 502
    assert comment.main(environ) == 3


def test_o05_a_text_of_another_job_mentions_nobody_and_poses_as_no_other_comment(environ: dict[str, str]) -> None:
    Path(environ["GATE_COMMENT_FILE"]).write_text("@org/team and <!-- gate-comment: other -->\n@<!-- -->already\n")
    assert comment.main(environ) == 0
    (body,) = (item["body"] for item in GitHub.comments)
    assert "@org" not in body
    assert body.count("gate-comment:") == 1
    assert "@<!-- -->already" in body
    assert "@<!-- --><!--" not in body


def test_a_long_text_is_cut_at_a_line_and_says_so(environ: dict[str, str]) -> None:
    Path(environ["GATE_COMMENT_FILE"]).write_text("| row |\n" * 20_000)
    assert comment.main(environ) == 0
    (body,) = (item["body"] for item in GitHub.comments)
    assert len(body) <= comment.MOST_CHARACTERS
    assert body.endswith("the step's summary has it.")
