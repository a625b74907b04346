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
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.collect.read_image import ReadImage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayers:
    """What the pass gave; `secrets` is None where nobody asked for them."""

    facts: LayerFacts
    secrets: SecretEvidence | None = None


def read_layers(
    image: ReadImage,
    limits: LayerLimits,
    context: CollectContext,
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
            facts=context.cache.obtain(LayerFacts, key, lambda: _collect(image, limits, context, wait_for))
        )
    passed: list[LayerFacts] = []

    def search() -> SecretEvidence:
        observer = LayerSecrets(
            context.secret_material.rules,
            context.secret_material.known,
            context.fingerprints,
            [layer.digest for layer in image.manifest.layers],
            lambda: context.deadline.check("the layers were searched for secrets"),
        )
        passed.append(_collect(image, limits, context, wait_for, observer))
        return observer.evidence

    secrets = context.cache.obtain(SecretEvidence, key | _search_key(image, context), search)
    facts = context.cache.obtain(
        LayerFacts, key, lambda: passed[0] if passed else _collect(image, limits, context, wait_for)
    )
    return ReadLayers(facts=facts, secrets=secrets)


def _search_key(image: ReadImage, context: CollectContext) -> dict[str, JsonValue]:
    return {
        "layers": [str(digest) for digest in image.config.diff_ids],
        "rules": str(context.secret_material.digest),
        "key": context.fingerprints.key_id,
    }


def _collect(
    image: ReadImage,
    limits: LayerLimits,
    context: CollectContext,
    wait_for: WaitFor,
    observer: LayerSecrets | None = None,
) -> LayerFacts:
    def open_blob(blob: Descriptor) -> Iterator[bytes]:
        wait_for(blob)
        return context.store.chunks(blob)

    return collect_layers(
        open_blob,
        image.manifest,
        image.config,
        limits,
        now=context.now,
        check_deadline=lambda: context.deadline.check("the layers were read"),
        observers=(observer,) if observer is not None else (),
    )
