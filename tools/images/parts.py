"""Real packages by pinned digest: recorded in the checkout, else in a cache outside it, else from their registry.

A part is nothing but its sha256: bytes that hash otherwise are refused, wherever they come from. Registries are asked
through their ordinary clients (pip, npm, Maven), so that a mirror or a proxy that these know is used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

FIXTURES: Final = Path(__file__).parents[2] / "fixtures" / "images"
RECORDED: Final = FIXTURES / "parts"
_MAVEN_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


class PartError(Exception):
    """A part is not to be had, or is not what was pinned; the text says what to do."""


class Registry(StrEnum):
    """Where a part comes from."""

    PYPI = "pypi"
    NPM = "npm"
    MAVEN = "maven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a registry; `name` is `group:artifact` for Maven. `tags` are pip's platform selectors."""

    registry: Registry
    name: str
    version: str
    file: str
    sha256: str
    licence: str
    tags: tuple[str, ...] = ()


def default_cache() -> Path:
    """Return the folder outside the checkout in which fetched parts are kept by digest."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "supply-chain-gate" / "parts"


def read_part(part: Part, cache: Path) -> bytes:
    """Return the part's bytes, hashed; fetch them once where they are neither recorded nor in the cache.

    Raises PartError.
    """
    kept = cache / part.sha256
    for place in (RECORDED / part.file, kept):
        if place.is_file():
            return _checked(part, place.read_bytes(), place)
    data = fetch_part(part)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as scratch:
        scratch.write(data)
    Path(scratch.name).replace(kept)
    return data


def fetch_part(part: Part) -> bytes:
    """Return the part's bytes from its registry, hashed; raise PartError."""
    with tempfile.TemporaryDirectory() as scratch:
        command = _command(part, Path(scratch))
        if shutil.which(command[0]) is None:
            raise PartError(f"{part.file} is not recorded here and {command[0]} is not on PATH: install it")
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        found = Path(scratch) / part.file
        if done.returncode != 0 or not found.is_file():
            raise PartError(
                f"{command[0]} did not bring {part.file}; its last words: {(done.stderr or done.stdout)[-500:]}"
            )
        return _checked(part, found.read_bytes(), found)


def _command(part: Part, folder: Path) -> list[str]:
    match part.registry:
        case Registry.PYPI:
            wanted = folder / "requirements.txt"
            wanted.write_text(f"{part.name}=={part.version} --hash=sha256:{part.sha256}\n", encoding="ascii")
            options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", *part.tags]
            return [sys.executable, "-m", "pip", "download", *options, "--requirement", str(wanted)]
        case Registry.NPM:
            return ["npm", "pack", "--silent", f"{part.name}@{part.version}"]
        case Registry.MAVEN:
            artifact = f"-Dartifact={part.name}:{part.version}"
            return ["mvn", "--quiet", "--batch-mode", _MAVEN_COPY, artifact, f"-DoutputDirectory={folder}"]


def _checked(part: Part, data: bytes, place: Path) -> bytes:
    seen = hashlib.sha256(data).hexdigest()
    if seen != part.sha256:
        raise PartError(f"{place} should have sha256 {part.sha256} and has {seen}: remove it and try again")
    return data


def _pypi(name: str, version: str, file: str, sha256: str, licence: str) -> Part:
    return Part(registry=Registry.PYPI, name=name, version=version, file=file, sha256=sha256, licence=licence)


def _npm(name: str, version: str, sha256: str, licence: str) -> Part:
    file = f"{name}-{version}.tgz"
    return Part(registry=Registry.NPM, name=name, version=version, file=file, sha256=sha256, licence=licence)


SIX = _pypi(
    "six",
    "1.17.0",
    "six-1.17.0-py2.py3-none-any.whl",
    "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    "MIT",
)
ITSDANGEROUS = _pypi(
    "itsdangerous",
    "2.2.0",
    "itsdangerous-2.2.0-py3-none-any.whl",
    "c6242fc49e35958c8b15141343aa660db5fc54d4f13a1db01a3f5891b98700ef",
    "BSD-3-Clause",
)
FLASK = _pypi(
    "Flask",
    "0.12.2",
    "Flask-0.12.2-py2.py3-none-any.whl",
    "0749df235e3ff61ac108f69ac178c9770caeaccad2509cb762ce1f65570a8856",
    "BSD-3-Clause",
)
JINJA2 = _pypi(
    "Jinja2",
    "2.10",
    "Jinja2-2.10-py2.py3-none-any.whl",
    "74c935a1b8bb9a3947c50a54766a969d4846290e1e788ea44c1392163723c3bd",
    "BSD-3-Clause",
)
URLLIB3 = _pypi(
    "urllib3",
    "1.24.1",
    "urllib3-1.24.1-py2.py3-none-any.whl",
    "61bf29cada3fc2fbefad4fdf059ea4bd1b4a86d2b6d15e1c7c0b582b9752fe39",
    "MIT",
)
REQUESTS = _pypi(
    "requests",
    "2.19.1",
    "requests-2.19.1-py2.py3-none-any.whl",
    "63b52e3c866428a224f97cab011de738c36aec0185aa91cfacd418b5d58911d1",
    "Apache-2.0",
)
LODASH = _npm("lodash", "4.17.11", "8eb2165aed24a7e42c841114a3d9d92585cb922ef41e2d1fda72f5a4a8976b9b", "MIT")
MINIMIST = _npm("minimist", "1.2.0", "ec0d0bdf71837612eea9fa61e5689e14856807946d499ce6ebf062ba09a5f270", "MIT")
COMMONS_TEXT = Part(
    registry=Registry.MAVEN,
    name="org.apache.commons:commons-text",
    version="1.9",
    file="commons-text-1.9.jar",
    sha256="0812f284ac5dd0d617461d9a2ab6ac6811137f25122dfffd4788a4871e732d00",
    licence="Apache-2.0",
)
SMALL_PARTS: Final = (SIX, ITSDANGEROUS, FLASK, JINJA2, URLLIB3, REQUESTS, LODASH, MINIMIST, COMMONS_TEXT)
