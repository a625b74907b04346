"""The shop's registries: real ones, with the demo's images in them, for the tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gate
from gate.cli.main import cli
from gate.model.decision import Decision
from gate.model.reference import Repository
from gate.registry.options import Credential, RegistryOptions
from tests.support.command import Told, places_of, told_by
from tests.support.installation import PASSWORD as KEY_PASSWORD
from tests.support.installation import Installation
from tests.support.programs import Tools
from tests.support.registries import PASSWORD, USERNAME, RunningRegistry, run_docker_registry, run_olareg
from tests.support.scan_bench import BUILT, Bench, make_bench
from tools.advisories import BuiltDatabases, build_databases


class Robot:
    """The account that the docker-registry of the tests knows."""

    def find(self, repository: Repository) -> Credential | None:
        """Return the robot's name and password for every repository."""
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
        """Return the reference of an image by digest, pushed at the first asking, signed by the build unless told otherwise."""
        key = (name, repository, signed)
        if key not in self._pushed:
            self._pushed[key] = self.installed.push(
                name, self.registry.host, repository=repository, registry=self.options, signed=signed
            )
        return self._pushed[key]


@pytest.fixture(scope="module")
def shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a registry with referrers, the same for all tests of a module."""
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("shop")) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions())


@pytest.fixture(scope="module")
def fallback_shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a registry without the referrers API that asks nobody who they are."""
    with run_olareg(tools.olareg, tmp_path_factory.mktemp("fallback"), referrers=False) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions())


@pytest.fixture(scope="module")
def password_shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return Docker's own registry, which demands a password and has no referrers API."""
    with run_docker_registry(tools.docker_registry, tmp_path_factory.mktemp("password")) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions(credentials=Robot()))


@pytest.fixture(scope="module")
def docker_shop(installed: Installation, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return Docker's own registry, which has no referrers API, for whoever asks."""
    storage = tmp_path_factory.mktemp("docker")
    with run_docker_registry(tools.docker_registry, storage, authentication=False) as registry:
        yield Shop(installed=installed, registry=registry, options=RegistryOptions())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return the folder of a test's own record."""
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


@pytest.fixture
def tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, installed: Installation, own: Path
) -> Callable[..., Told]:
    """Run the command in this process, with the tests' installation and a record of its own."""
    monkeypatch.setenv("GATE_KEY_PASSWORD", KEY_PASSWORD)
    monkeypatch.setenv("XDG_STATE_HOME", str(own / "state"))

    def told(command: str, *arguments: str, places: bool = True) -> Told:
        options = places_of(installed, own) if places and command == "check" else []
        with pytest.raises(SystemExit) as ended:
            cli.main([command, *arguments, *options])
        seen = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return told_by(ended.value.code, seen.out, seen.err)

    return told


@pytest.fixture(scope="module")
def built(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> BuiltDatabases:
    """Return databases of demonstration for both scanners."""
    return build_databases(tmp_path_factory.mktemp("built"), BUILT, tools.grype)


@pytest.fixture(scope="module")
def bench(tools: Tools, built: BuiltDatabases, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a bench for scans with these databases, the same for all tests of a module."""
    return make_bench(tools, built, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def good(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an image with a passing verdict."""
    reference = shop.reference("clean", "admission/good")
    run = gate.check(reference, shop.installed.options(tmp_path_factory.mktemp("good")))
    assert run.verdict.decision is Decision.PASSED
    return reference


@pytest.fixture(scope="module")
def bad(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an image with a FAILED verdict."""
    reference = shop.reference("setuid", "admission/bad")
    run = gate.check(reference, shop.installed.options(tmp_path_factory.mktemp("bad")))
    assert run.verdict.decision is Decision.REFUSED
    return reference
