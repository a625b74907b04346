"""Who asked for a run, as the CI system or the host claims: names only, from a list of variables that hold no secret.

A claim and no proof: whoever runs the gate sets these. It stands in every row of the record, so that an auditor knows where to
ask; who signed is proven by the signature.
"""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_CHARACTERS: Final = 300
# System → name in the record → variable. From each system's own list of predefined variables (reviewed 2026-12-01):
# docs.github.com "Variables reference", docs.gitlab.com "Predefined CI/CD variables", Jenkins "env-vars.html",
# Azure Pipelines "Predefined variables", CircleCI "Built-in environment variables", Buildkite "Environment variables".
_SYSTEMS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "github": (
        "GITHUB_ACTIONS",
        {
            "user": "GITHUB_ACTOR",
            "repository": "GITHUB_REPOSITORY",
            "commit": "GITHUB_SHA",
            "ref": "GITHUB_REF",
            "workflow": "GITHUB_WORKFLOW_REF",
            "run": "GITHUB_RUN_ID",
        },
    ),
    "gitlab": (
        "GITLAB_CI",
        {
            "user": "GITLAB_USER_LOGIN",
            "repository": "CI_PROJECT_PATH",
            "commit": "CI_COMMIT_SHA",
            "ref": "CI_COMMIT_REF_NAME",
            "run": "CI_JOB_ID",
        },
    ),
    "jenkins": (
        "JENKINS_URL",
        {"repository": "JOB_NAME", "commit": "GIT_COMMIT", "ref": "GIT_BRANCH", "run": "BUILD_NUMBER"},
    ),
    "azure-pipelines": (
        "TF_BUILD",
        {
            "user": "BUILD_REQUESTEDFOR",
            "repository": "BUILD_REPOSITORY_NAME",
            "commit": "BUILD_SOURCEVERSION",
            "ref": "BUILD_SOURCEBRANCH",
            "run": "BUILD_BUILDID",
        },
    ),
    "circleci": (
        "CIRCLECI",
        {
            "user": "CIRCLE_USERNAME",
            "repository": "CIRCLE_PROJECT_REPONAME",
            "commit": "CIRCLE_SHA1",
            "run": "CIRCLE_BUILD_NUM",
        },
    ),
    "buildkite": (
        "BUILDKITE",
        {
            "user": "BUILDKITE_BUILD_CREATOR",
            "repository": "BUILDKITE_PIPELINE_SLUG",
            "commit": "BUILDKITE_COMMIT",
            "ref": "BUILDKITE_BRANCH",
            "run": "BUILDKITE_BUILD_ID",
        },
    ),
}


def actor_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return who asked: the CI system's claims where it is known by its variable, else user and host.

    Keys: `system`, and those of `user`, `repository`, `commit`, `ref`, `workflow`, `run`, `host` that are known.
    """
    for system, (mark, names) in _SYSTEMS.items():
        if environment.get(mark):
            claimed = {name: _cut(environment.get(variable, "")) for name, variable in names.items()}
            return {"system": system} | {name: value for name, value in claimed.items() if value}
    return {"system": "host", "host": _cut(socket.gethostname())} | _user()


def _user() -> dict[str, str]:
    try:
        return {"user": _cut(getpass.getuser())}
    except (OSError, KeyError):
        # A user id without an entry, as clusters give them.
        return {}


def _cut(text: str) -> str:
    """Return foreign text in printable ASCII, cut."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:_MAX_CHARACTERS])
