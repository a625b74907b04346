"""File systems of stock software, made from the registries by their own clients: where nothing, or little, may be found.

A folder each, unpacked, so that tools which open no archives read the same. What a client is missing for is said and left out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

WHEELS: Final = (
    "cryptography", "botocore", "boto3", "django", "paramiko", "twisted", "tornado", "urllib3", "certifi", "requests", "pip",
    "setuptools", "numpy", "ansible-core",
)  # fmt: skip
NPM: Final = ("aws-sdk", "express", "lodash", "typescript", "node-forge", "jsonwebtoken")
JARS: Final = (
    "org.springframework:spring-core:6.2.0",
    "org.bouncycastle:bcprov-jdk18on:1.79",
    "com.amazonaws:aws-java-sdk-core:1.12.780",
    "io.netty:netty-handler:4.1.115.Final",
    "org.apache.tomcat.embed:tomcat-embed-core:10.1.33",
    "org.postgresql:postgresql:42.7.4",
)
DEBIAN: Final = "python3,openssl,curl,ca-certificates,openssh-client,perl,nodejs"


def build_stock(folder: Path) -> tuple[str, ...]:
    """Make what is not there yet, and give the names of the file systems."""
    kept = folder.with_name(folder.name + ".downloads")
    kept.mkdir(parents=True, exist_ok=True)
    for name, program, make in (
        ("debian", "mmdebstrap", _debian),
        ("python", sys.executable, _python),
        ("npm", "npm", _npm),
        ("java", "mvn", _java),
    ):
        if shutil.which(program) is None:
            print(f"stock: {program} is not here, so {name} is left out")
        elif not (folder / name).exists():
            _make(folder / name, kept / name, make)
    return tuple(sorted(path.name for path in folder.iterdir()))


def _make(folder: Path, kept: Path, make: Callable[[Path, Path], None]) -> None:
    kept.mkdir(exist_ok=True)
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(kept, unfinished)
    unfinished.rename(folder)


def _debian(kept: Path, folder: Path) -> None:
    archive = kept / "slim.tar"
    if not archive.exists():
        _run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={DEBIAN}", "bookworm", str(archive)])
    with tarfile.open(archive) as tar:
        # Devices cannot be made by everybody, and hold nothing.
        members = [member for member in tar if member.isreg() or member.isdir()]
        tar.extractall(folder, members, filter="tar")


def _python(kept: Path, folder: Path) -> None:
    if not any(kept.iterdir()):
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(kept), *WHEELS])
    for path in sorted(kept.glob("*.whl")):
        _unzip(path, folder / path.name.partition("-")[0])


def _npm(kept: Path, folder: Path) -> None:
    if not any(kept.iterdir()):
        _run(["npm", "pack", "--silent", "--pack-destination", str(kept), *NPM])
    for path in sorted(kept.glob("*.tgz")):
        with tarfile.open(path) as tar:
            tar.extractall(folder / path.stem, filter="data")


def _java(kept: Path, folder: Path) -> None:
    if not any(kept.iterdir()):
        for coordinate in JARS:
            _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={kept}"])
    for path in sorted(kept.glob("*.jar")):
        _unzip(path, folder / path.stem)


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)  # noqa: S202 - zipfile keeps members inside the folder


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)
