"""One runnable image as it was read: manifest, configuration, and the secrets that stand in no file of it.

The same for a check, which keeps what it reads, and for a search without a policy, which keeps nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.oci import parse_manifest, require_runnable
from gate.codec.oci_config import MAX_CONFIG_BYTES, parse_config, require_config
from gate.model.image import Descriptor, ImageManifest
from gate.model.image_config import ImageConfig
from gate.pipeline.collect.configuration_secrets import collect_configuration_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.images.image_source import ImageSource
    from gate.model.evidence import SecretEvidence
    from gate.pipeline.collect.image_metadata import ImageMetadata
    from gate.secrets.findings import Fingerprints
    from gate.secrets.rule_set import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """A manifest and configuration that were read, and what names them; `content` is the configuration's bytes."""

    descriptor: Descriptor
    manifest: ImageManifest
    config: ImageConfig
    content: bytes


def read_manifest(source: ImageSource, child: Descriptor) -> ImageManifest:
    """Fetch and parse the manifest of an image that can run.

    Raises:
        ImageError: `IMG_*`; RegistryError, EvidenceError: it cannot be had.
    """
    manifest = parse_manifest(source.manifest(child), media_type=child.media_type)
    require_runnable(manifest)
    return manifest


def read_image(source: ImageSource, child: Descriptor, manifest: ImageManifest) -> ReadImage:
    """Fetch and parse the configuration that a manifest names; raises as `read_manifest`."""
    content = b"".join(source.blob(manifest.config)) if manifest.config.size <= MAX_CONFIG_BYTES else b""
    config = parse_config(content)
    require_config(config, manifest, child.platform)
    return ReadImage(descriptor=child, manifest=manifest, config=config, content=content)


def search_metadata(
    image: ReadImage,
    around: ImageMetadata,
    rules: RuleSet,
    fingerprints: Fingerprints,
    check_deadline: Callable[[], None],
) -> SecretEvidence:
    """Search configuration, annotations and attached statements; raises what fetching a statement raises."""
    described = (image.descriptor, image.manifest.config, *image.manifest.layers)
    return collect_configuration_secrets(
        image.config,
        image.content,
        image.manifest.annotations,
        rules,
        fingerprints,
        others=(*(descriptor.annotations for descriptor in described), *around.annotations),
        statements=around.statements,
        check_deadline=check_deadline,
    )
