"""The OCI objects as values: descriptor, platform, manifest, index, configuration.

Specification: OCI image-spec 1.1 and Docker schema 2, narrowed as the formats reference, section 2, says. Values are made
by `gate.codec.oci` alone, from bytes whose digest was checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gate.model.digest import Digest
from gate.model.string_map import StringMap

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"

INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFEST_TYPES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIG_TYPES: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """Operating system and architecture in Go's names; `variant` is empty where none is given."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What one object says of another: type, digest and size in bytes; annotations are unsigned hints."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: StringMap = StringMap()
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageManifest:
    """One image, or one artifact that hangs on an image. `layers` is base first."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: StringMap = StringMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageIndex:
    """A list of manifests, one a platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: StringMap = StringMap()
