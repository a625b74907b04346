"""The real programs that tests start, each found where `tools/build.py` put it or on PATH.

A person's machine may lack one: then the test is skipped. With GATE_REQUIRE_TOOLS=1, as in CI, it fails, because a
suite that skips its real tools shows nothing.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tools.build import built_path, read_recipes


def absent(name: str, remedy: str) -> NoReturn:
    """Skip the running test, or fail it where real tools are demanded."""
    text = f"{name} is not here: {remedy}"
    if os.environ.get("GATE_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{text} (GATE_REQUIRE_TOOLS=1)", pytrace=False)
    pytest.skip(text)


def built_program(name: str) -> Path:
    """Return the path of a program of `tools.lock.yaml`."""
    path = built_path(read_recipes()[name])
    if not path.exists():
        absent(name, f"run `.venv/bin/python -m tools.build {name}`")
    return path


def installed_program(name: str, remedy: str) -> Path:
    """Return the path of a program on PATH."""
    path = shutil.which(name)
    if path is None:
        absent(name, remedy)
    return Path(path)


@dataclass(frozen=True, slots=True)
class Tools:
    """The pinned programs; naming one that is not built skips or fails the test."""

    @property
    def trivy(self) -> Path:
        return built_program("trivy")

    @property
    def grype(self) -> Path:
        return built_program("grype")

    @property
    def cosign(self) -> Path:
        return built_program("cosign")

    @property
    def olareg(self) -> Path:
        return built_program("olareg")

    @property
    def actionlint(self) -> Path:
        return built_program("actionlint")

    @property
    def kube_apiserver(self) -> Path:
        return built_program("kube-apiserver")

    @property
    def etcd(self) -> Path:
        return installed_program("etcd", "run `apt-get install etcd-server`")

    @property
    def slsa_verifier(self) -> Path:
        return built_program("slsa-verifier")

    @property
    def policy_tester(self) -> Path:
        return built_program("policy-tester")

    @property
    def docker_registry(self) -> Path:
        return installed_program("docker-registry", "run `apt-get install docker-registry`")
