"""Images in the forms that builders write which cannot be built here, re-made from their documentation and sources.

One function a form; each names what it was made from. The contents are small; the form is the builder's own: names of files in an
archive, media types, how a layer spells its entries, what stands in the configuration.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from tests.support.images import described
from tests.support.layouts import layout_files, write_archive, write_layout
from tests.support.scanners import debian_files
from tools.images.archive import Entry, gzip

DOCKER: Final = "application/vnd.docker."
PLAIN: Final = "application/vnd.oci.image.layer.v1.tar"
Form = Callable[[Path], str]
"""Writes an image below a folder and returns its reference."""


def entries(files: Iterable[Entry], *, prefix: str = "", mtime: float = 0, repeat: int | None = None) -> bytes:
    """Return a tar with the folders above each file, named as a builder does; `repeat` gives each folder again with this mode."""
    buffer, seen = io.BytesIO(), set[str]()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for one in files:
            parts = one.name.split("/")
            for count in range(1, len(parts)):
                folder = "/".join(parts[:count])
                modes = [0o755] if folder not in seen else []
                for mode in [*modes, *([repeat] if repeat is not None else [])]:
                    member = tarfile.TarInfo(f"{prefix}{folder}/")
                    member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode, mtime
                    archive.addfile(member)
                seen.add(folder)
            member = tarfile.TarInfo(prefix + one.name)
            member.size, member.mode, member.mtime = len(one.data), one.mode or 0o644, mtime
            archive.addfile(member, io.BytesIO(bytes(one.data)))
    return buffer.getvalue()


_STATUS: Final = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4+deb12u5\n\n"


def debian(**how: Any) -> bytes:  # noqa: ANN401 - as `entries` takes it
    """Return the layer of a small Debian without a known vulnerability."""
    others = [one for one in debian_files() if one.name != "var/lib/dpkg/status"]
    return entries([*others, Entry(name="var/lib/dpkg/status", data=_STATUS.encode())], **how)


def app(**how: Any) -> bytes:  # noqa: ANN401 - as `entries` takes it
    """Return a layer of an application."""
    return entries([Entry(name="srv/app/run", data=b"#!/bin/sh\n", mode=0o755)], **how)


def config(*layers: bytes, **more: object) -> bytes:
    """Return a configuration of these uncompressed layers."""
    document: dict[str, object] = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-11-30T00:00:00Z",
        "config": {"User": "10001"},
        "rootfs": {"type": "layers", "diff_ids": [Digest.of(layer).text for layer in layers]},
    }
    return json.dumps(document | more).encode()


def manifest(settings: bytes, layers: Iterable[Mapping[str, Any]], **more: object) -> bytes:
    """Return an OCI manifest."""
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described(settings, OCI_CONFIG)}
    return json.dumps(document | {"layers": list(layers)} | more).encode()


def docker_20(folder: Path) -> str:
    """Write `docker save` of Docker 1.10 to 24: a folder a layer (moby `image/tarexport/save.go`, v20.10)."""
    layers = (debian(), app())
    settings = config(*layers, docker_version="20.10.24", container="0" * 64, container_config={"Cmd": ["sh"]})
    ids = [hashlib.sha256(layer).hexdigest() for layer in layers]
    name = f"{Digest.of(settings).hex}.json"
    files: dict[str, bytes] = {name: settings}
    for one, layer in zip(ids, layers, strict=True):
        files |= {f"{one}/VERSION": b"1.0", f"{one}/json": b"{}", f"{one}/layer.tar": layer}
    listed = [{"Config": name, "RepoTags": ["app:1"], "Layers": [f"{one}/layer.tar" for one in ids]}]
    files |= {"manifest.json": json.dumps(listed).encode(), "repositories": b'{"app":{"1":"' + ids[1].encode() + b'"}}'}
    return f"archive:{write_archive(folder / 'docker-20.tar', files)}"


def docker_25(folder: Path) -> str:
    """Write `docker save` of Docker 25 to 28: a layout of plain layers, and `manifest.json` (moby `image/tarexport/save.go`)."""
    layers = (debian(), app())
    settings = config(*layers)
    image = manifest(settings, [described(layer, PLAIN) for layer in layers])
    names: JsonValue = {"io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1"}
    files = layout_files([described(image, OCI_MANIFEST, annotations=names)], image, settings, *layers)
    sources = {Digest.of(layer).text: described(layer, PLAIN) for layer in layers}
    listed: dict[str, object] = {
        "Config": f"blobs/sha256/{Digest.of(settings).hex}",
        "RepoTags": ["app:1"],
        "Layers": [f"blobs/sha256/{Digest.of(layer).hex}" for layer in layers],
        "LayerSources": sources,
    }
    return (
        f"archive:{write_archive(folder / 'docker-25.tar', files | {'manifest.json': json.dumps([listed]).encode()})}"
    )


def kaniko(folder: Path) -> str:
    """Write kaniko's `--tarPath`: the configuration named by its digest, layers packed (go-containerregistry `tarball`)."""
    layers = (debian(prefix=""), app())
    settings = config(*layers, author="kaniko", history=[{"author": "kaniko", "created_by": "COPY . /"}] * 2)
    packed = [gzip(layer) for layer in layers]
    files = {f"{hashlib.sha256(layer).hexdigest()}.tar.gz": layer for layer in packed}
    listed = [{"Config": Digest.of(settings).text, "RepoTags": ["app:1"], "Layers": list(files)}]
    files |= {Digest.of(settings).text: settings, "manifest.json": json.dumps(listed).encode()}
    return f"archive:{write_archive(folder / 'kaniko.tar', files)}"


def buildpacks(folder: Path) -> str:
    """Write an export of Cloud Native Buildpacks: names from the root on, times of 1980, Docker's types (lifecycle `layers`)."""
    layers = (debian(prefix="/", mtime=315532801), app(prefix="/", mtime=315532801))
    settings = config(
        *layers,
        created="1980-01-01T00:00:01Z",
        config={"User": "1002:1000", "Entrypoint": ["/cnb/process/web"], "Labels": {"io.buildpacks.stack.id": "io.x"}},
        history=[{"created_by": "Buildpacks Application Slice: 1"}] * 2,
    )
    packed = [gzip(layer) for layer in layers]
    image = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{DOCKER}distribution.manifest.v2+json",
            "config": described(settings, f"{DOCKER}container.image.v1+json"),
            "layers": [described(layer, f"{DOCKER}image.rootfs.diff.tar.gzip") for layer in packed],
        }
    ).encode()
    place = folder / "buildpacks"
    write_layout(place, [described(image, f"{DOCKER}distribution.manifest.v2+json")], image, settings, *packed)
    return f"oci:{place}"


def rules_oci(folder: Path) -> str:
    """Write Bazel's `oci_image`: names with `./`, folders again for each dependency with other rights (rules_pkg, rules_oci)."""
    layers = (debian(prefix="./", repeat=0o555), app(prefix="./", repeat=0o555))
    settings = config(*layers, created="1970-01-01T00:00:00Z", history=[])
    packed = [gzip(layer) for layer in layers]
    image = manifest(settings, [described(layer, f"{PLAIN}+gzip") for layer in packed])
    place = folder / "bazel"
    write_layout(place, [described(image, OCI_MANIFEST)], image, settings, *packed)
    return f"oci:{place}"


def apko(folder: Path) -> str:
    """Write apko's form: one layer with an apk database under `usr/lib` and SBOMs, an index over it (chainguard-dev/apko)."""
    database = "C:Q1abc=\nP:wolfi-baselayout\nV:20230201-r15\nA:x86_64\no:wolfi-baselayout\nF:etc\nR:os-release\n\n"
    sbom = {"spdxVersion": "SPDX-2.3", "packages": [{"name": "wolfi-baselayout", "versionInfo": "20230201-r15"}]}
    release = 'ID=alpine\nNAME="Alpine Linux"\nVERSION_ID=3.22.0\n'
    layer = entries(
        [
            Entry(name="etc/os-release", data=release.encode()),
            Entry(name="etc/alpine-release", data=b"3.22.0\n"),
            Entry(name="etc/apk/repositories", data=b"https://packages.example/v3.22/main\n"),
            Entry(name="usr/lib/apk/db/installed", data=database.encode()),
            Entry(name="var/lib/db/sbom/wolfi-baselayout-20230201-r15.spdx.json", data=json.dumps(sbom).encode()),
        ]
    )
    settings = config(layer, author="github.com/chainguard-dev/apko", config={"User": "65532"})
    packed = gzip(layer)
    image = manifest(
        settings, [described(packed, f"{PLAIN}+gzip")], annotations={"org.opencontainers.image.created": "x"}
    )
    child = described(image, OCI_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    place = folder / "apko"
    write_layout(place, [described(index, OCI_INDEX)], index, image, settings, packed)
    return f"oci:{place}"


def nix(folder: Path) -> str:
    """Write Nix's `streamLayeredImage`: a folder a layer, store paths alone (nixpkgs `docker/stream_layered_image.py`)."""
    store = "nix/store/00000000000000000000000000000000-hello-2.12.1"
    layer = entries([Entry(name=f"{store}/bin/hello", data=b"#!/bin/sh\n", mode=0o755)], prefix="./", mtime=1)
    settings = config(
        layer,
        created="1970-01-01T00:00:01+00:00",
        history=[{"created": "1970-01-01T00:00:01+00:00", "comment": "store paths"}],
    )
    name, place = f"{Digest.of(settings).hex}.json", f"{Digest.of(layer).hex}/layer.tar"
    listed = [{"Config": name, "RepoTags": ["hello:1"], "Layers": [place]}]
    files = {place: layer, name: settings, "manifest.json": json.dumps(listed).encode()}
    return f"archive:{write_archive(folder / 'nix.tar', files)}"


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "docker-20": docker_20,
        "docker-25": docker_25,
        "kaniko": kaniko,
        "buildpacks": buildpacks,
        "bazel": rules_oci,
        "apko": apko,
        "nix": nix,
    }
)
