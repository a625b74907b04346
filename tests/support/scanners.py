"""What tests of scanners share: a small vulnerable image, a store of demonstration databases, pins of the test's programs."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gate.admin.database_artifacts import copy_files
from gate.disk.content import hash_descriptor
from gate.model.digest import Digest
from gate.model.evidence import Distribution, ToolIdentity
from gate.scanners.database_store import DatabaseKind, DatabaseSet, add_entry, load_databases, set_current
from gate.scanners.scanning import ScanTarget
from gate.scanners.tool_pins import PinnedTool
from tools.advisories import BuiltDatabases
from tools.images.archive import Entry, file
from tools.images.layout import ImageConfig, image, layer, write_layout

CREATED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
BOOKWORM = Distribution(id="debian", version_id="12", codename="bookworm")
# No look-alikes of real vendors' secrets: only Trivy's rule for private keys, and a line beside it.
KEY_FILE = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu\n-----END RSA PRIVATE KEY-----\nPASSWORD_BESIDE=correct-horse\n"  # noqa: E501
BESIDE = "correct-horse"
DPKG = """\
Package: libssl3
Status: install ok installed
Maintainer: nobody <nobody@example.org>
Architecture: amd64
Source: openssl
Version: 3.0.11-1~deb12u2

Package: coreutils
Status: install ok installed
Maintainer: nobody <nobody@example.org>
Architecture: amd64
Version: 9.1-1

Package: zlib1g
Status: install ok installed
Maintainer: nobody <nobody@example.org>
Architecture: amd64
Source: zlib
Version: 1:1.2.13.dfsg-1

"""


def debian_files() -> list[Entry]:
    """Return the release files and package database of a small Debian 12."""
    release = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nNAME="Debian GNU/Linux"\n'
    return [
        file("etc/os-release", release),
        file("etc/debian_version", "12.5\n"),
        file("var/lib/dpkg/status", DPKG),
    ]


def language_files() -> list[Entry]:
    """Return a wheel, an npm package and a jar with known vulnerabilities."""
    return [
        file(
            "usr/lib/python3/dist-packages/Jinja2-2.10.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\n\n",
        ),
        file("app/node_modules/lodash/package.json", json.dumps({"name": "lodash", "version": "4.17.11"})),
        file("app/log4j-core-2.14.1.jar", log4j()),
    ]


def log4j() -> bytes:
    """Return a jar that says that it is log4j-core 2.14.1."""
    buffer = io.BytesIO()
    maven = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n"),
            (maven, "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n"),
        ):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def secret_files() -> list[Entry]:
    """Return a private key, with a password in the line beside it."""
    return [file("app/deploy.pem", KEY_FILE)]


def write_image(folder: Path, entries: Iterable[Entry], *, distribution: Distribution | None = BOOKWORM) -> ScanTarget:
    """Write an image of one layer and give it as a target."""
    base = layer(entries, created_by="test")
    root = image([base], ImageConfig(created=CREATED, env=("PATH=/bin", "APP_MODE=in-env")))
    write_layout(folder, root)
    config = json.loads(root.data or b"")["config"]["digest"]
    return ScanTarget(
        layout=folder,
        manifest=Digest(root.digest),
        config=Digest(config),
        diff_ids=(Digest(base.diff_id),),
        distribution=distribution,
        ecosystems=frozenset({"pypi", "npm", "maven"}),
    )


def store_of(directory: Path, built: BuiltDatabases) -> DatabaseSet:
    """Put built databases into a store and give it."""
    assert built.trivy_cache is not None
    assert built.grype_cache is not None
    added = [
        add_entry(directory, kind, partial(copy_files, source, kind=kind), source="test")
        for kind, source in (
            (DatabaseKind.TRIVY, built.trivy_cache),
            (DatabaseKind.JAVA, built.trivy_cache),
            (DatabaseKind.GRYPE, built.grype_cache),
        )
    ]
    set_current(directory, added)
    return load_databases(directory)


def pin(path: Path, version: str = "test") -> PinnedTool:
    """Pin a program as it is."""
    with path.open("rb") as program:
        digest = hash_descriptor(program.fileno())
    return PinnedTool(path=path, identity=ToolIdentity(name=path.name, version=version, digest=digest))


def copy_store(store: Path, target: Path) -> Path:
    """Copy a store of databases, so that a test can damage it."""
    shutil.copytree(store, target)
    for path in target.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return target
