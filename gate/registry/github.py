"""GitHub's API, as far as references need it: what a tag or branch names, and whether a repository holds a commit.

GitHub serves every commit of a network of forks under the name of each repository in it, so that a commit that can be fetched is
not yet one of the repository ("impostor commits"): it must be below one of its own branches or tags.
Specification: docs.github.com/rest, "Git database" and "Commits" (reviewed 2026-12).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gate.codec.strict_json import printable
from gate.errors import RegistryError
from gate.model.found_reference import COMMIT
from gate.registry.faults import status_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.registry.service import Service

MAX_ANSWER_BYTES: Final = 8 << 20
# A tag can point to a tag; nobody makes chains of them.
_MAX_TAGS: Final = 5
_MAX_COMPARED: Final = 60
_STEP: Final = (
    "Set GITHUB_TOKEN to a token that may read public repositories: without one GitHub answers 60 questions an hour."
)
_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub:
    """One GitHub; `token` may be empty. Every method raises RegistryError where it does not answer."""

    def __init__(self, service: Service, token: str) -> None:
        self._service = service
        self._credentials = {"Authorization": f"Bearer {token}"} if token else {}

    def commit_of(self, repository: str, name: str) -> str | None:
        """Return the commit that a tag, else a branch, names now, or None where there is neither."""
        for kind in ("tags", "heads"):
            found = self._get(repository, f"git/ref/{kind}/{quote(name, safe='/')}")
            if isinstance(found, dict):
                return self._peeled(repository, found)
        return None

    def date_of(self, repository: str, commit: str) -> datetime | None:
        """Return when a commit says that it was made."""
        found = self._get(repository, f"git/commits/{commit}")
        committer = found.get("committer") if isinstance(found, dict) else None
        text = committer.get("date") if isinstance(committer, dict) else None
        try:
            return datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            return None

    def holds(self, repository: str, commit: str) -> bool:
        """Report whether a branch or tag of the repository itself holds a commit.

        Raises:
            RegistryError: `REF_COMMIT_UNKNOWN`, where it has more of them than are asked about.
        """
        names = list(self._names(repository))
        if any(tip == commit for _, tip in names):
            return True
        for number, (name, _) in enumerate(names):
            if number == _MAX_COMPARED:
                expected = f"the commit below one of the first {_MAX_COMPARED} branches and tags"
                raise RegistryError(f"{repository} has too many branches", code="REF_COMMIT_UNKNOWN", expected=expected)
            if self.is_below(repository, f"{commit}...{name}"):
                return True
        return False

    def is_below(self, repository: str, pair: str) -> bool:
        """Report whether a commit is an ancestor of a tag or branch; `pair` is `COMMIT...NAME`."""
        commit, _, name = pair.partition("...")
        compared = self._get(repository, f"compare/{commit}...{quote(name, safe='')}")
        return isinstance(compared, dict) and compared.get("status") in {"ahead", "identical"}

    def _names(self, repository: str) -> Iterator[tuple[str, str]]:
        """Yield branches, then tags, each with what it points to."""
        for path in ("branches?per_page=100", "tags?per_page=100"):
            found = self._get(repository, path)
            for entry in found if isinstance(found, list) else []:
                commit = entry.get("commit") if isinstance(entry, dict) else None
                if isinstance(commit, dict) and isinstance(entry.get("name"), str):
                    yield entry["name"], str(commit.get("sha"))

    def _peeled(self, repository: str, found: dict[str, object]) -> str:
        target = found.get("object")
        for _ in range(_MAX_TAGS):
            if not isinstance(target, dict):
                break
            sha = str(target.get("sha"))
            if not COMMIT.fullmatch(sha):
                break
            if target.get("type") == "commit":
                return sha
            tag = self._get(repository, f"git/tags/{sha}")
            target = tag.get("object") if isinstance(tag, dict) else None
        raise RegistryError(f"GitHub's answer on {printable(repository)} names no commit", code="REG_MALFORMED")

    def _get(self, repository: str, path: str) -> object:
        """Return a parsed answer, or None for 404."""
        doing = f"asking GitHub for {printable(repository)}"
        status, body = self._service.ask(
            "GET", f"/repos/{quote(repository, safe='/')}/{path}", doing=doing, limit_bytes=MAX_ANSWER_BYTES,
            headers=_HEADERS, credentials=self._credentials,
        )  # fmt: skip
        if status in {404, 422}:
            return None
        if status != 200:
            fault = status_fault(status, body, self._service.base.origin, doing)
            if status in {401, 403, 429}:
                fault.next_step = _STEP
            raise fault
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RegistryError(
                f"the answer is no JSON while {doing}", code="REG_MALFORMED", expected="JSON"
            ) from error
