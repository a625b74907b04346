"""Write a tiny OCI layout with packages planted in it, as a canary for a scanner.

One uncompressed layer holds the release files of a distribution, its package database with the planted packages, and
packages of languages. Only the gate's own texts and names from the vulnerability database go in; the names are refused
where they are no names, for that database comes from outside.

Specification: OCI image-layout 1.1; checks reference, section 3.3 (package databases, a header of an RPM database).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gate.errors import DatabaseError
from gate.model.digest import Digest
from gate.model.evidence import Distribution
from gate.model.image import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from gate.scanners.canary_programs import go_program, rust_program

_LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"
_NAME: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9+._@/:-]{0,199}", re.ASCII)
# Lower than every version that a fix could have.
OS_VERSIONS: Final[Mapping[str, str]] = MappingProxyType({"deb": "0", "apk": "0-r0", "rpm": "0-0"})
LANGUAGE_VERSION: Final = "0.0.1"

DISTRIBUTION_PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "debian": "deb", "ubuntu": "deb", "alpine": "apk", "wolfi": "apk", "chainguard": "apk", "rhel": "rpm",
        "centos": "rpm", "rocky": "rpm", "almalinux": "rpm", "ol": "rpm", "amzn": "rpm", "mariner": "rpm",
        "azurelinux": "rpm", "opensuse-leap": "rpm", "sles": "rpm", "photon": "rpm",
        "fedora": "rpm",
    }
)  # fmt: skip
# Files by which Trivy finds a distribution, beside os-release (checks reference, 2.2).
_RELEASE_FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "debian": ("etc/debian_version", "{version}\n"),
        "ubuntu": ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE={version}\nDISTRIB_CODENAME={codename}\n"),
        "alpine": ("etc/alpine-release", "{version}\n"),
        "rhel": ("etc/redhat-release", "Red Hat Enterprise Linux release {version}\n"),
        "centos": ("etc/centos-release", "CentOS Linux release {version}\n"),
        "rocky": ("etc/redhat-release", "Rocky Linux release {version}\n"),
        "almalinux": ("etc/redhat-release", "AlmaLinux release {version}\n"),
        "ol": ("etc/oracle-release", "Oracle Linux Server release {version}\n"),
        "amzn": ("etc/system-release", "Amazon Linux release {version} (Amazon Linux)\n"),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Planted:
    """A package with a known vulnerability: its purl type, its name as the scanner's database has it, and the id."""

    type: str
    name: str
    vulnerability: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryImage:
    """What was written: the layout's directory, and what a scanner must say of it."""

    layout: Path
    manifest: Digest
    config: Digest
    diff_id: Digest


def write_canary(directory: Path, planted: Iterable[Planted], distribution: Distribution | None) -> CanaryImage:
    """Write the layout into the empty `directory`.

    Raises:
        DatabaseError: `DB_MALFORMED`, a name that can be no package's.
        OSError: the disk.
    """
    packages = sorted(planted)
    for package in packages:
        if not _NAME.fullmatch(package.name) or ".." in package.name:
            raise DatabaseError(
                "a package's name in the database is none", code="DB_MALFORMED", seen=ascii(package.name)
            )
    files = dict(_language_files(packages))
    if distribution is not None:
        files |= _distribution_files(distribution, [package for package in packages if package.type in OS_VERSIONS])
    layer = _tar(files)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [Digest.of(layer).text]},
            "history": [{"created_by": "canary"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(OCI_CONFIG, config),
            "layers": [_descriptor(_LAYER_TYPE, layer)],
        }
    )
    _write(directory, (layer, config, manifest), _descriptor(OCI_MANIFEST, manifest))
    return CanaryImage(
        layout=directory, manifest=Digest.of(manifest), config=Digest.of(config), diff_id=Digest.of(layer)
    )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": Digest.of(content).text, "size": len(content)}


def _write(directory: Path, blobs: Iterable[bytes], root: dict[str, object]) -> None:
    place = directory / "blobs" / "sha256"
    place.mkdir(parents=True)
    for content in blobs:
        (place / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (directory / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_bytes(_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [root]}))


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            # Trivy reads programs only where they may be run.
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _distribution_files(distribution: Distribution, packages: list[Planted]) -> dict[str, bytes]:
    kind = DISTRIBUTION_PACKAGES.get(distribution.id)
    lines = [f"ID={distribution.id}", f'VERSION_ID="{distribution.version_id}"', f'NAME="{distribution.id}"']
    if distribution.codename:
        lines.append(f"VERSION_CODENAME={distribution.codename}")
    files = {"etc/os-release": "\n".join(lines).encode() + b"\n"}
    if found := _RELEASE_FILES.get(distribution.id):
        text = found[1].format(version=distribution.version_id, codename=distribution.codename)
        files[found[0]] = text.encode()
    if kind is not None:
        path, database = _DATABASES[kind]
        files[path] = database([package.name for package in packages])
    if sets := red_hat_content_sets(distribution):
        files["root/buildinfo/content_manifests/canary.json"] = _json({"content_sets": list(sets)})
    return files


def red_hat_content_sets(distribution: Distribution) -> tuple[str, ...]:
    """Return the repositories of a Red Hat release, by which Trivy chooses advisories; empty for other distributions.

    Red Hat's images name theirs. Trivy has a list of its own for images without, which ends at release 9, and fails for
    later ones (v0.72.0 pkg/detector/ospkg/redhat/redhat.go); the names are those of that list.
    """
    if distribution.id != "rhel":
        return ()
    major = distribution.version_id.partition(".")[0]
    if major in {"6", "7"}:
        return (f"rhel-{major}-server-rpms", f"rhel-{major}-server-extras-rpms")
    return (f"rhel-{major}-for-x86_64-baseos-rpms", f"rhel-{major}-for-x86_64-appstream-rpms")


def _dpkg(names: list[str]) -> bytes:
    stanza = "Package: {}\nStatus: install ok installed\nMaintainer: none <none@localhost>\nArchitecture: amd64\nVersion: {}\n"
    return "\n".join(stanza.format(name, OS_VERSIONS["deb"]) for name in names).encode()


def _apk(names: list[str]) -> bytes:
    return "\n".join(f"P:{name}\nV:{OS_VERSIONS['apk']}\nA:x86_64\no:{name}\n" for name in names).encode()


def _rpm(names: list[str]) -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        database.executemany("INSERT INTO Packages(blob) VALUES (?)", [(_rpm_header(name),) for name in names])
        database.commit()
        content = database.serialize()
    database.close()
    return content


def _rpm_header(name: str) -> bytes:
    """Return a header of the tags that scanners read, as the RPM database holds it: counts, index entries, values."""
    version, release = OS_VERSIONS["rpm"].split("-")
    source = f"{name}-{version}-{release}.src.rpm"
    # Trivy looks up no advisory for a package of another vendor (v0.72.0 pkg/fanal/analyzer/pkg/rpm/rpm.go: osVendors).
    texts = ((1000, name), (1001, version), (1002, release), (1011, "Red Hat"), (1022, "x86_64"), (1044, source))
    index, values = b"", b""
    for tag, text in texts:
        index += struct.pack(">IIII", tag, 6, len(values), 1)  # type 6: text
        values += text.encode() + b"\0"
    return struct.pack(">II", len(index) // 16, len(values)) + index + values


_DATABASES: Final[Mapping[str, tuple[str, Callable[[list[str]], bytes]]]] = MappingProxyType(
    {
        "deb": ("var/lib/dpkg/status", _dpkg),
        "apk": ("lib/apk/db/installed", _apk),
        "rpm": ("var/lib/rpm/rpmdb.sqlite", _rpm),
    }
)


def _language_files(packages: Iterable[Planted]) -> Iterable[tuple[str, bytes]]:
    for package in packages:
        write = LANGUAGE_FILES.get(package.type)
        if write is not None:
            yield write(package.name)


def _wheel(name: str) -> tuple[str, bytes]:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {LANGUAGE_VERSION}\n\n"
    return f"canary/{name}-{LANGUAGE_VERSION}.dist-info/METADATA", metadata.encode()


def _npm(name: str) -> tuple[str, bytes]:
    return f"canary/node_modules/{name}/package.json", _json({"name": name, "version": LANGUAGE_VERSION})


def _gem(name: str) -> tuple[str, bytes]:
    lines = [f's.name = "{name}"', f's.version = "{LANGUAGE_VERSION}"', 's.authors = ["x"]', 's.licenses = ["MIT"]']
    text = "Gem::Specification.new do |s|\n  " + "\n  ".join(lines) + '\n  s.files = ["a"]\nend\n'
    return f"canary/gems/specifications/{name}-{LANGUAGE_VERSION}.gemspec", text.encode()


def _composer(name: str) -> tuple[str, bytes]:
    found = {"packages": [{"name": name, "version": LANGUAGE_VERSION}], "packages-dev": []}
    return "canary/vendor/composer/installed.json", _json(found)


def _nuget(name: str) -> tuple[str, bytes]:
    framework, package = ".NETCoreApp,Version=v8.0", f"{name}/{LANGUAGE_VERSION}"
    runtime: dict[str, object] = {"runtime": {f"lib/{name}.dll": {}}}
    document = {
        "runtimeTarget": {"name": framework},
        "targets": {framework: {package: runtime}},
        "libraries": {package: {"type": "package", "serviceable": True, "sha512": "sha512-x", "path": "x"}},
    }
    return "canary/canary.deps.json", _json(document)


def _jar(name: str) -> tuple[str, bytes]:
    group, _, artifact = name.rpartition(":")
    properties = f"groupId={group}\nartifactId={artifact}\nversion={LANGUAGE_VERSION}\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n"),
            (f"META-INF/maven/{group}/{artifact}/pom.properties", properties),
        ):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
    return f"canary/{artifact}-{LANGUAGE_VERSION}.jar", buffer.getvalue()


LANGUAGE_FILES: Final[Mapping[str, Callable[[str], tuple[str, bytes]]]] = MappingProxyType(
    {
        "pypi": _wheel,
        "npm": _npm,
        "maven": _jar,
        "gem": _gem,
        "composer": _composer,
        "nuget": _nuget,
        "golang": lambda name: ("canary/go-program", go_program([(name, f"v{LANGUAGE_VERSION}")])),
        "cargo": lambda name: ("canary/rust-program", rust_program([(name, LANGUAGE_VERSION)])),
    }
)
"""By purl type, what writes the file of one package of a language: its path and bytes."""
