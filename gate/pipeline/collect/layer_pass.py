"""The one pass over an image's layers: facts and secrets together, each kept under a key of its own.

Facts depend on the image alone; secrets on the rules, the key of the fingerprints and the list of what is public besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.model.evidence import EvidenceKind, LayerFacts, SecretEvidence
from gate.model.version import VERSION
from gate.pipeline.collect.layer_secrets import LayerSecrets
from gate.pipeline.collect.layers import collect_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.codec.strict_json import JsonValue
    from gate.images.pull import WaitFor
    from gate.model.image import Descriptor
    from gate.model.limits import LayerLimits
    from gate.pipeline.collect.context import Workshop
    from gate.pipeline.collect.read_image import ReadImage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayers:
    """What the pass gave; `secrets` is None where nobody asked for them."""

    facts: LayerFacts
    secrets: SecretEvidence | None = None


def read_layers(
    image: ReadImage,
    limits: LayerLimits,
    workshop: Workshop,
    needs: frozenset[EvidenceKind],
    wait_for: WaitFor,
) -> ReadLayers:
    """Read the layers, at most once, each as soon as it is pulled; what is in the cache of evidence is not read again.

    Raises:
        ImageError, RegistryError: as `collect_layers`.
    """
    key: dict[str, JsonValue] = {"manifest": str(image.descriptor.digest), "gate": VERSION, "limits": repr(limits)}
    if EvidenceKind.SECRETS not in needs:
        return ReadLayers(
            facts=workshop.cache.obtain(LayerFacts, key, lambda: _collect(image, limits, workshop, wait_for))
        )
    passed: list[LayerFacts] = []

    def search() -> SecretEvidence:
        observer = LayerSecrets(
            workshop.secret_material.rules,
            workshop.secret_material.known,
            workshop.fingerprints,
            [layer.digest for layer in image.manifest.layers],
            lambda: workshop.deadline.check("the layers were searched for secrets"),
        )
        passed.append(_collect(image, limits, workshop, wait_for, observer))
        return observer.evidence

    secrets = workshop.cache.obtain(SecretEvidence, key | _search_key(image, workshop), search)
    facts = workshop.cache.obtain(
        LayerFacts, key, lambda: passed[0] if passed else _collect(image, limits, workshop, wait_for)
    )
    return ReadLayers(facts=facts, secrets=secrets)


def _search_key(image: ReadImage, workshop: Workshop) -> dict[str, JsonValue]:
    return {
        "layers": [str(digest) for digest in image.config.diff_ids],
        "rules": str(workshop.secret_material.digest),
        "key": workshop.fingerprints.key_id,
    }


def _collect(
    image: ReadImage,
    limits: LayerLimits,
    workshop: Workshop,
    wait_for: WaitFor,
    observer: LayerSecrets | None = None,
) -> LayerFacts:
    def open_blob(blob: Descriptor) -> Iterator[bytes]:
        wait_for(blob)
        return workshop.store.chunks(blob)

    return collect_layers(
        open_blob,
        image.manifest,
        image.config,
        limits,
        now=workshop.now,
        check_deadline=lambda: workshop.deadline.check("the layers were read"),
        observers=(observer,) if observer is not None else (),
    )
