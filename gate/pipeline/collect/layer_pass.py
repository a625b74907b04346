"""The pass over an image's layers for its facts, and the search for secrets: in the same pass, or beside the scanners.

Limits and a well-formed tar are proven by the pass for the facts, which is what a scanner waits for; each is kept under a key of
its own.

Facts depend on the image alone; secrets on the rules, the key of the fingerprints and the list of what is public besides.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.layers.layer_reader import LayerReader
from gate.layers.merged_view import MergedView
from gate.layers.meter import LayerMeter
from gate.model.evidence import LayerFacts, SecretEvidence
from gate.model.version import VERSION
from gate.pipeline.collect.layer_secrets import LayerSecrets
from gate.pipeline.collect.layers import collect_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.codec.strict_json import JsonValue
    from gate.images.pull import WaitFor
    from gate.layers.layer_reader import KeepTar
    from gate.model.image import Descriptor
    from gate.model.limits import LayerLimits
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.collect.read_image import ReadImage
    from gate.pipeline.collect.scan_layout import ScanLayout

_SEARCHING: Final = "the layers were searched for secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayers:
    """What the pass gave; `secrets` is None where nobody asked for them."""

    facts: LayerFacts
    secrets: SecretEvidence | None = None


def read_layers(
    image: ReadImage,
    limits: LayerLimits,
    context: CollectContext,
    wait_for: WaitFor,
    *,
    searched: bool = False,
    keep: KeepTar | None = None,
) -> ReadLayers:
    """Read the layers, at most once, each as soon as it is pulled; what is in the cache of evidence is not read again.

    `searched` searches them for secrets in the same pass; `keep` takes their tars.

    Raises:
        ImageError, RegistryError: as `collect_layers`.
    """
    key = _key(image, limits)
    if not searched:
        return ReadLayers(
            facts=context.cache.obtain(LayerFacts, key, lambda: _collect(image, limits, context, wait_for, keep=keep))
        )
    passed: list[LayerFacts] = []

    def search() -> SecretEvidence:
        observer = _observer(image, context)
        passed.append(_collect(image, limits, context, wait_for, observer))
        return observer.evidence

    secrets = context.cache.obtain(SecretEvidence, key | _search_key(image, context), search)
    facts = context.cache.obtain(
        LayerFacts, key, lambda: passed[0] if passed else _collect(image, limits, context, wait_for)
    )
    return ReadLayers(facts=facts, secrets=secrets)


def search_layers(
    image: ReadImage, facts: LayerFacts, layout: ScanLayout, limits: LayerLimits, context: CollectContext
) -> SecretEvidence:
    """Search uncompressed layers for secrets, while scanners read them; what is in the cache is not searched again.

    Raises:
        ImageError: `LIMIT_LAYER`, the search takes longer than it may; StorageError.
    """

    def search() -> SecretEvidence:
        layout.path(facts)
        observer, view = _observer(image, context), MergedView()
        meter = LayerMeter(limits, time.thread_time, lambda: context.deadline.check(_SEARCHING))
        reader = LayerReader(view, (), meter, observers=(observer,))
        for layer in layout.manifest(facts).layers:
            with closing(layout.chunks(layer)) as tar:  # type: ignore[type-var]  # a generator
                reader.read(tar, layer, layer.digest)
        observer.conclude(view)
        return observer.evidence

    return context.cache.obtain(SecretEvidence, _key(image, limits) | _search_key(image, context), search)


def _key(image: ReadImage, limits: LayerLimits) -> dict[str, JsonValue]:
    return {"manifest": str(image.descriptor.digest), "gate": VERSION, "limits": repr(limits)}


def _observer(image: ReadImage, context: CollectContext) -> LayerSecrets:
    return LayerSecrets(
        context.secret_material.rules,
        context.secret_material.known,
        context.fingerprints,
        [layer.digest for layer in image.manifest.layers],
        lambda: context.deadline.check(_SEARCHING),
    )


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
    keep: KeepTar | None = None,
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
        keep=keep,
    )
