"""GitHub's API on loopback, as far as references need it: tags, branches and commits of repositories that a test makes."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote


@dataclass(slots=True)
class Repository:
    """A repository: `tags` and `branches` name commits or, of `annotated`, tag objects; `ancestors` are those of a commit."""

    tags: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    annotated: dict[str, str] = field(default_factory=dict)
    ancestors: dict[str, set[str]] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FakeGitHub:
    """What is served, and what was asked with which token; `status` answers everything with that status where it is not 0."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    url: str = ""
    status: int = 0
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def answer(self, path: str) -> object:
        """Return the answer to a path, or None for 404."""
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)/(.+)", path)
        repository = self.repositories.get(match[1]) if match else None
        return self._of(repository, unquote(match[2])) if match and repository else None

    def _of(self, repository: Repository, rest: str) -> object:
        head, _, name = rest.partition("/")
        if rest.startswith("git/ref/"):
            _, _, kind, ref = rest.split("/", 3)
            return self._ref(repository, kind, ref)
        if rest.startswith("git/tags/"):
            return {"object": {"type": "commit", "sha": repository.annotated.get(rest[9:], "")}}
        if rest.startswith("git/commits/"):
            date = repository.dates.get(rest[12:])
            return {"committer": {"date": date}} if date else None
        if head.startswith(("branches?", "tags?")):
            named = repository.branches if head.startswith("branches") else repository.tags
            return [
                {"name": name, "commit": {"sha": repository.annotated.get(sha, sha)}} for name, sha in named.items()
            ]
        if head == "compare":
            base, _, tip = name.partition("...")
            sha = {**repository.tags, **repository.branches}.get(tip, "")
            status = (
                "identical" if sha == base else "ahead" if base in repository.ancestors.get(sha, set()) else "diverged"
            )
            return {"status": status}
        return None

    def _ref(self, repository: Repository, kind: str, name: str) -> object:
        sha = (repository.tags if kind == "tags" else repository.branches).get(name)
        return {"object": {"type": "tag" if sha in repository.annotated else "commit", "sha": sha}} if sha else None


@contextlib.contextmanager
def serve_github() -> Iterator[FakeGitHub]:
    """Serve a GitHub that knows no repository yet."""
    fake = FakeGitHub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append(self.path)
            fake.tokens.add(self.headers.get("Authorization"))
            found = fake.answer(self.path)
            body = json.dumps(found if found is not None else {"message": "Not Found"}).encode()
            self.send_response(fake.status or (200 if found is not None else 404))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep standard error quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
