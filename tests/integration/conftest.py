"""The shop's registries: real ones, with the demo's images in them, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gate.model.reference import Repository
from gate.registry.options import Credential, RegistryOptions
from tests.support.installation import Installation
from tests.support.programs import Tools
from tests.support.registries import PASSWORD, USERNAME, RunningRegistry, run_docker_registry, run_olareg


class Robot:
    """The account that the docker-registry of the tests knows."""

    def find(self, repository: Repository) -> Credential | None:
        """Give the robot's name and password for every repository."""
        del repository
        return Credential(username=USERNAME, password=PASSWORD)


@dataclass(slots=True, kw_only=True)
class Shop:
    """A registry into which the build pushes; `options` are what a client of it needs."""

    installed: Installation
    registry: RunningRegistry
    options: RegistryOptions
    _pushed: dict[tuple[str, str, bool], str] = field(default_factory=dict)

    def reference(self, name: str, repository: str = "", *, signed: bool = True) -> str:
        """Give the reference of an image by digest, pushed at the first asking, signed by the build unless told otherwise."""
        key = (name, repository, signed)
        if key not in self._pushed:
            self._pushed[key] = self.installed.push(
                name, self.registry.host, repository=repository, registry=self.options, signed=signed
            )
        return self._pushed[key]


@pytest.fixture(scope="module")
def shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a registry with referrers, the same for all tests of a module."""
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("shop")) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions())


@pytest.fixture(scope="module")
def fallback_shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a registry without the referrers API that asks nobody who they are."""
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("fallback"), referrers=False) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions())


@pytest.fixture(scope="module")
def password_shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give Docker's own registry, which demands a password and has no referrers API."""
    with run_docker_registry(tools.docker_registry, tmp_path_factory.mktemp("password")) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions(credentials=Robot()))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Give the folder of a test's own record."""
    folder = tmp_path / "own"
    folder.mkdir()
    return folder
