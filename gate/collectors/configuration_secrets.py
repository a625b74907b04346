"""The secrets that stand in no file: an image's configuration, the annotations, and what its builder attached to the index.

Provenance by BuildKit in its default mode holds the build arguments, and an SBOM names of files (attack X02): those children of
an index are read like everything else, each hashed by whoever fetched it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gate.model.evidence import SecretEvidence
from gate.secrets.configuration import ConfigurationSearch

if TYPE_CHECKING:
    from gate.model.image_config import ImageConfig
    from gate.model.string_map import StringMap
    from gate.secrets.findings import Fingerprints
    from gate.secrets.rule_set import RuleSet


def collect_configuration_secrets(
    config: ImageConfig,
    annotations: StringMap,
    rules: RuleSet,
    fingerprints: Fingerprints,
    *,
    others: Iterable[StringMap] = (),
    attestations: Iterable[tuple[str, bytes]] = (),
) -> SecretEvidence:
    """Give what a search of one image's configuration and annotations found.

    `annotations` are the manifest's own; `others` those of its descriptors, and of an index that lists it. `attestations` are
    names and contents of what the builder attached.
    """
    search = ConfigurationSearch(rules, fingerprints)
    found = [*search.of_config(config, annotations), *search.of_annotations(others)]
    for name, content in attestations:
        found += search.of_attestation(name, content)
    return SecretEvidence(findings=tuple(found), rules_digest=rules.digest, key_id=fingerprints.key_id)
