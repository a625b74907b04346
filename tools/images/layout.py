"""OCI image layouts from composable pieces: layers, images, indexes, BuildKit attachments, the folder on disk.

    base = layer([file("etc/os-release", text)], created_by="base")
    root = image([base], ImageConfig(created=now, user="10001"))
    write_layout(out / "clean", root)

Everything is a `Blob` that knows the blobs it refers to; `write_layout` writes them all. Nothing is checked, so that
tests can build what an attacker would: `dataclasses.replace(blob, size_bytes=1)` lies in every descriptor made of it,
`json_blob` takes any document. The same arguments give the same bytes.
Specification: OCI image-spec 1.1 (`image-layout.md`, `manifest.md`, `image-index.md`, `config.md`); BuildKit
`docs/attestations/attestation-storage.md`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from tools.images.archive import Entry, gzip, tar

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
IN_TOTO_TYPE = "application/vnd.in-toto+json"

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an index says of a child; Go's names."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def document(self) -> dict[str, Json]:
        """Return the JSON object of a descriptor's `platform`."""
        variant: dict[str, Json] = {"variant": self.variant} if self.variant else {}
        return {"architecture": self.architecture, "os": self.os, **variant}


AMD64 = Platform()
ARM64 = Platform(architecture="arm64", variant="v8")
UNKNOWN = Platform(os="unknown", architecture="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Content, what a descriptor says of it, and the blobs that its content names.

    `digest` and `size_bytes` are true when made by `blob`; `replace` makes them lie. `data` None: the bytes are in the
    layout already (`write_blob`) or on purpose nowhere.
    """

    media_type: str
    digest: str
    size_bytes: int
    data: bytes | None
    refers: tuple[Blob, ...] = ()
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    def descriptor(self, extra: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """Return the descriptor, with platform and annotations where they are set, `extra` laid over."""
        document: dict[str, Json] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}
        if self.platform:
            document["platform"] = self.platform.document()
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return {**document, **(extra or {})}


class Compression(StrEnum):
    """How a layer's tar is packed; the value is the suffix of the media type."""

    NONE = ""
    GZIP = "+gzip"
    ZSTD = "+zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer's blob, the digest of its inflated tar, and its line in the history."""

    blob: Blob
    diff_id: str
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The configuration that `image` writes. Empty fields are left out; `extra_history` are lines without a layer.

    `container` is laid over `config` (`Healthcheck`, `OnBuild` ...), `document` over the whole document.
    """

    created: datetime
    platform: Platform = AMD64
    user: str = ""
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    extra_history: tuple[str, ...] = ()
    container: tuple[tuple[str, Json], ...] = ()
    document: tuple[tuple[str, Json], ...] = ()


def digest_of(data: bytes) -> str:
    """Return `sha256:<hex>` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def rfc3339(moment: datetime) -> str:
    """Return the moment in whole seconds of UTC, with `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def blob(media_type: str, data: bytes, refers: Iterable[Blob] = ()) -> Blob:
    """Return a blob with its true digest and size."""
    return Blob(media_type=media_type, digest=digest_of(data), size_bytes=len(data), data=data, refers=tuple(refers))


def json_blob(media_type: str, document: Json, refers: Iterable[Blob] = ()) -> Blob:
    """Return a blob of compact JSON whose keys stand in the order of the document."""
    return blob(media_type, json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), refers)


def layer(
    entries: Iterable[Entry],
    *,
    mtime: int = 0,
    created_by: str = "",
    compression: Compression = Compression.GZIP,
    sort: bool = True,
) -> Layer:
    """Return a layer of the entries; `mtime` (seconds since 1970) is that of entries without one of their own."""
    return layer_of_tar(tar(entries, mtime=mtime, sort=sort), created_by=created_by, compression=compression)


def layer_of_tar(
    archive: bytes, *, created_by: str = "", compression: Compression = Compression.GZIP, level: int = 6
) -> Layer:
    """Return a layer whose inflated content is `archive`, whatever that is."""
    content = blob(LAYER_TYPE + compression.value, _compressed(archive, compression, level))
    return Layer(blob=content, diff_id=digest_of(archive), created_by=created_by)


def config_document(layers: Sequence[Layer], config: ImageConfig) -> dict[str, Json]:
    """Return the configuration document of an image of these layers."""
    created = rfc3339(config.created)
    history: list[Json] = [{"created": created, "created_by": part.created_by} for part in layers]
    history += [{"created": created, "created_by": text, "empty_layer": True} for text in config.extra_history]
    diff_ids: list[Json] = [part.diff_id for part in layers]
    return {
        "created": created,
        **config.platform.document(),
        "config": _container(config),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
        **dict(config.document),
    }


def image(
    layers: Sequence[Layer], config: ImageConfig, *, annotations: Mapping[str, str] | None = None, platform: bool = True
) -> Blob:
    """Return the manifest of an image; `platform` says whether its descriptor names the platform."""
    made = image_of_document(layers, config_document(layers, config), annotations=annotations)
    return replace(made, platform=config.platform) if platform else made


def image_of_document(layers: Sequence[Layer], config: Json, *, annotations: Mapping[str, str] | None = None) -> Blob:
    """Return the manifest of an image with a configuration document as it is, true or not."""
    return manifest(json_blob(CONFIG_TYPE, config), [part.blob for part in layers], annotations=annotations)


def manifest(
    config: Blob, layers: Sequence[Blob], *, annotations: Mapping[str, str] | None = None, **extra: Json
) -> Blob:
    """Return an OCI manifest; `extra` are further members (`subject`, `artifactType`)."""
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(),
        "layers": [part.descriptor() for part in layers],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return json_blob(MANIFEST_TYPE, {**document, **extra}, (config, *layers))


def index(children: Sequence[Blob], *, annotations: Mapping[str, str] | None = None) -> Blob:
    """Return an OCI index of the children in this order."""
    listed: list[Json] = [child.descriptor() for child in children]
    document: dict[str, Json] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": listed}
    if annotations:
        document["annotations"] = dict(annotations)
    return json_blob(INDEX_TYPE, document, children)


def attestation_child(subject: Blob, statements: Sequence[tuple[str, Json]]) -> Blob:
    """Return the child in which BuildKit keeps unsigned statements about `subject`, a child of the same index.

    `statements` are pairs of predicate type and in-toto statement, one layer each.
    """
    layers = [
        replace(json_blob(IN_TOTO_TYPE, statement), annotations=(("in-toto.io/predicate-type", predicate_type),))
        for predicate_type, statement in statements
    ]
    diff_ids: list[Json] = [part.digest for part in layers]
    config: Json = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    annotations = (
        ("vnd.docker.reference.digest", subject.digest),
        ("vnd.docker.reference.type", "attestation-manifest"),
    )
    return replace(manifest(json_blob(CONFIG_TYPE, config), layers), platform=UNKNOWN, annotations=annotations)


def write_blob(folder: Path, content: Blob) -> Blob:
    """Write one blob under its stated digest and give it without its bytes, so that a large image needs no memory."""
    target = folder / "blobs" / content.digest.replace(":", "/", 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    if content.data is not None:
        target.write_bytes(content.data)
    return replace(content, data=None)


def write_layout(folder: Path, *roots: Blob, ref_name: str | None = None) -> Path:
    """Write the layout: every blob that the roots reach, and an `index.json` that names the roots; give the folder.

    `ref_name` is the tag (`org.opencontainers.image.ref.name`) of the first root.
    """
    for content in _reachable(roots):
        write_blob(folder, content)
    entries = [root.descriptor() for root in roots]
    if ref_name is not None:
        tagged = (*roots[0].annotations, ("org.opencontainers.image.ref.name", ref_name))
        entries[0] = replace(roots[0], annotations=tagged).descriptor()
    listed: list[Json] = list(entries)
    document: Json = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": listed}
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    return folder


def _reachable(roots: Iterable[Blob]) -> Iterable[Blob]:
    for root in roots:
        yield root
        yield from _reachable(root.refers)


def _container(config: ImageConfig) -> dict[str, Json]:
    exposed: dict[str, Json] = {port: {} for port in config.exposed_ports}
    document: dict[str, Json] = {
        "User": config.user,
        "ExposedPorts": exposed,
        "Env": config.env,
        "Entrypoint": config.entrypoint,
        "Cmd": config.cmd,
        "WorkingDir": config.working_dir,
        "Labels": dict(config.labels),
    }
    return {key: value for key, value in document.items() if value} | dict(config.container)


def _compressed(archive: bytes, compression: Compression, level: int) -> bytes:
    match compression:
        case Compression.NONE:
            return archive
        case Compression.GZIP:
            return gzip(archive, level=level)
        case Compression.ZSTD:
            # Only tests of zstd layers need it; the demo's images are gzip and must build without it.
            import zstandard  # noqa: PLC0415

            return zstandard.ZstdCompressor(level=3).compress(archive)
