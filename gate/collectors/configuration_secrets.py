"""The secrets that stand in no file: an image's configuration, and the annotations of its manifest and index.

`key` is the installation's own; without one, a fingerprint of a short password would give the password away.
"""

from __future__ import annotations

from gate.model.evidence import SecretEvidence
from gate.model.image import ImageConfig, ImageIndex, ImageManifest
from gate.secrets.configuration import RULES_DIGEST, find_annotation_secrets, find_configuration_secrets


def collect_configuration_secrets(
    config: ImageConfig, manifest: ImageManifest, key: bytes, *, index: ImageIndex | None = None
) -> SecretEvidence:
    """Give what a search of one image's configuration and annotations found; `index` is the one that lists it, if any.

    Raises:
        InternalError: the key is too short.
    """
    others = [descriptor.annotations for descriptor in (manifest.config, *manifest.layers)]
    if index is not None:
        others += [index.annotations, *(descriptor.annotations for descriptor in index.manifests)]
    own = find_configuration_secrets(config, manifest.annotations, key)
    return SecretEvidence(findings=own + find_annotation_secrets(others, key), rules_digest=RULES_DIGEST)
