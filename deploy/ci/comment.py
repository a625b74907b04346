"""Keep one comment of the gate on a pull request: write it at the first run, change it at each later one.

Runs in a job of its own that has `pull-requests: write` and none of the repository's code. The text comes from a job that had
that code, so it is untrusted: it is cut to what a comment may hold, mentions nobody, and cannot pass itself off as another
comment of the gate. Only a comment that this token's own account wrote is changed.

    GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL   as the runner sets them
    GATE_COMMENT_PULL     the number of the pull request
    GATE_COMMENT_FILE     the Markdown to post (default: gate-reports/summary.md)
    GATE_COMMENT_KEY      tells several comments of one pull request apart (default: gate)
    GATE_COMMENT_LOGIN    who the token writes as (default: github-actions[bot])

Specification: GitHub's REST API, issues and issue comments. A token that may not write (a fork's) ends with 0 and a notice.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# GitHub takes 65,536 characters.
MOST_CHARACTERS = 65_000
_MOST_BYTES = 4 * 1024 * 1024
_MOST_PAGES = 30
_SECONDS = 20.0
_REPOSITORY = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,40}", re.ASCII)
_CUT = "\n\nThe rest does not fit into a comment; the step's summary has it."


class CommentError(Exception):
    """The comment could not be written; the text says why."""


class ForbiddenError(CommentError):
    """The token may not write here."""


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Write the comment and return the exit code."""
    try:
        post(environ)
    except ForbiddenError as error:
        print(f"::notice title=gate::no comment was written: {error}")
        return 0
    except (CommentError, OSError, ValueError) as error:
        print(f"gate: no comment was written: {error}", file=sys.stderr)
        return 3
    return 0


def post(environ: Mapping[str, str]) -> None:
    """Create the comment, or change the one that is there; raises CommentError."""
    repository, pull = environ.get("GITHUB_REPOSITORY", ""), environ.get("GATE_COMMENT_PULL", "")
    key = environ.get("GATE_COMMENT_KEY") or "gate"
    if (
        not _REPOSITORY.fullmatch(repository)
        or not re.fullmatch(r"[1-9][0-9]{0,9}", pull, re.ASCII)
        or not _KEY.fullmatch(key)
    ):
        raise CommentError(
            "expected GITHUB_REPOSITORY as owner/name, a number in GATE_COMMENT_PULL, a word in GATE_COMMENT_KEY"
        )
    marker = f"<!-- gate-comment: {key} -->"
    content = Path(environ.get("GATE_COMMENT_FILE") or "gate-reports/summary.md").read_bytes()[:_MOST_BYTES]
    body = body_of(content.decode("utf-8", "replace"), marker)
    api = _Api(environ.get("GITHUB_API_URL") or "https://api.github.com", environ.get("GITHUB_TOKEN", ""))
    login = environ.get("GATE_COMMENT_LOGIN") or "github-actions[bot]"
    comments = f"/repos/{repository}/issues/{pull}/comments"
    for comment in api.pages(comments):
        author = comment.get("user") or {}
        if author.get("login") == login and str(comment.get("body", "")).startswith(marker):
            if comment.get("body") != body:
                api.send("PATCH", f"/repos/{repository}/issues/comments/{int(comment['id'])}", {"body": body})
            return
    api.send("POST", comments, {"body": body})


def body_of(text: str, marker: str) -> str:
    """Return the comment's text: it begins with the marker, holds no other one, and mentions nobody."""
    harmless = re.sub(r"@(?=[\w<])(?!<!-- -->)", "@<!-- -->", text.replace("gate-comment:", "gate-comment\\:"))
    room = MOST_CHARACTERS - len(marker) - 1
    if len(harmless) > room:
        harmless = harmless[: room - len(_CUT)].rpartition("\n")[0] + _CUT
    return f"{marker}\n{harmless}"


class _Api:
    def __init__(self, base: str, token: str) -> None:
        parts = urllib.parse.urlsplit(base)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}:
            raise CommentError("expected an https address in GITHUB_API_URL")
        if not token:
            raise ForbiddenError("there is no GITHUB_TOKEN")
        self._base, self._token = base.rstrip("/"), token

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            found = self.send("GET", f"{path}?per_page=100&page={page}", None)
            items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
            yield from items
            if len(items) < 100:
                return

    def send(self, method: str, path: str, value: dict[str, str] | None) -> object:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self._base}{path}",
            data=json.dumps(value).encode() if value is not None else None,
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "gate",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read(_MOST_BYTES) or b"null")
        except urllib.error.HTTPError as error:
            if error.code in {401, 403, 404}:
                raise ForbiddenError(f"the token may not comment on this pull request (status {error.code})") from error
            raise CommentError(f"GitHub answered {error.code}") from error
        except urllib.error.URLError as error:
            raise CommentError(f"GitHub cannot be reached ({error.reason})") from error


if __name__ == "__main__":
    sys.exit(main())
