"""The secrets that stand in no file: an image's configuration, and the annotations of its manifest and index.

`key` is the installation's own; without one, a fingerprint of a short password would give the password away.
"""

from __future__ import annotations

from collections.abc import Iterable

from gate.model.evidence import SecretEvidence
from gate.model.image import ImageConfig
from gate.model.string_map import StringMap
from gate.secrets.configuration import RULES_DIGEST, find_annotation_secrets, find_configuration_secrets


def collect_configuration_secrets(
    config: ImageConfig, annotations: StringMap, key: bytes, *, others: Iterable[StringMap] = ()
) -> SecretEvidence:
    """Give what a search of one image's configuration and annotations found.

    `annotations` are the manifest's own; `others` those of its descriptors, and of an index that lists it.

    Raises:
        InternalError: the key is too short.
    """
    own = find_configuration_secrets(config, annotations, key)
    return SecretEvidence(findings=own + find_annotation_secrets(others, key), rules_digest=RULES_DIGEST)
