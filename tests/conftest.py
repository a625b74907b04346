"""What every test gets: a scrubbed environment, deterministic properties, the real programs on demand."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest

from tests.support.installation import Installation, installation
from tests.support.programs import Tools
from tests.support.registries import RunningRegistry, run_docker_registry, run_olareg
from tools.build import tools_dir
from tools.go import brought_go, machine_go

# What a person or CI may have set and a test must not see: settings of the gate and of the tools, proxies, credentials.
SCRUBBED_PREFIXES = (
    "AWS_", "AZURE_", "CLOUDSDK_", "COSIGN_", "DOCKER_", "GATE_", "GOOGLE_", "GRYPE_", "REGISTRY_", "SIGSTORE_", "SYFT_",
    "TRIVY_", "VAULT_", "XDG_",
)  # fmt: skip
SCRUBBED_NAMES = frozenset(
    {
        "ALL_PROXY",
        "COLUMNS",
        "FORCE_COLOR",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_COLOR",
        "NO_PROXY",
        "REQUEST_METHOD",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)
# Settings of the test run itself.
KEPT_NAMES = frozenset(
    {
        "GATE_CASES_DIR",
        "GATE_REQUIRE_TOOLS",
        "GATE_TEST_TOOLS_DIR",
        "GATE_TEST_WHEELS_DIR",
        "SIGSTORE_CONFORMANCE_DIR",
    }
)

# A failure must come again at the next run; HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure() -> None:
    """Fix where built programs and Go's own caches are before HOME changes: a cold build takes ten minutes."""
    os.environ["GATE_TEST_TOOLS_DIR"] = str(tools_dir())
    if go := machine_go() or brought_go():
        os.environ["PATH"] = f"{go.parent}{os.pathsep}{os.environ['PATH']}"
        names = ("GOCACHE", "GOMODCACHE")
        said = subprocess.run([go, "env", *names], check=True, capture_output=True, text=True).stdout.splitlines()
        os.environ.update(zip(names, said, strict=True))


@pytest.fixture(autouse=True)
def _scrubbed_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in os.environ:
        unwanted = name.startswith(SCRUBBED_PREFIXES) or name.upper() in SCRUBBED_NAMES
        if unwanted and name not in KEPT_NAMES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Return the pinned programs; naming one that is not here skips the test, or fails it in CI."""
    return Tools()


@pytest.fixture(scope="session")
def installed(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return the installation that all tests of this run share, made at its first use."""
    base = tmp_path_factory.getbasetemp()
    # Every xdist worker has a folder of its own below the run's.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return installation(shared, tools)


class StartOlareg(Protocol):
    """Start an olareg that ends with the test."""

    def __call__(
        self,
        *,
        referrers: bool = True,
        tls: bool = False,
        rate_limit: int = 0,
        delete: bool = False,
        read_only: bool = False,
    ) -> RunningRegistry: ...


class StartDockerRegistry(Protocol):
    """Start a docker-registry that ends with the test."""

    def __call__(self, *, authentication: bool = True) -> RunningRegistry: ...


@pytest.fixture
def olareg(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartOlareg]:
    """Return a starter of real registries; module-wide ones are made with `run_olareg` itself."""
    with contextlib.ExitStack() as running:

        def start(
            *,
            referrers: bool = True,
            tls: bool = False,
            rate_limit: int = 0,
            delete: bool = False,
            read_only: bool = False,
        ) -> RunningRegistry:
            return running.enter_context(
                run_olareg(
                    tools.olareg,
                    tmp_path_factory.mktemp("olareg"),
                    referrers=referrers,
                    tls=tls,
                    rate_limit=rate_limit,
                    delete=delete,
                    read_only=read_only,
                )
            )

        yield start


@pytest.fixture
def docker_registry(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDockerRegistry]:
    """Return a starter of registries with passwords and without a referrers API."""
    with contextlib.ExitStack() as running:

        def start(*, authentication: bool = True) -> RunningRegistry:
            directory: Path = tmp_path_factory.mktemp("docker-registry")
            return running.enter_context(
                run_docker_registry(tools.docker_registry, directory, authentication=authentication)
            )

        yield start
