"""Which files of which layers a later layer deletes or overwrites.

A second pass over the layers' headers, made only where a scanner found something in a file: to say whether it is still live in
the final file system costs one more inflation and no memory for bodies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import closing

from gate.layers.layer_reader import LayerReader
from gate.layers.merged_view import MergedView
from gate.layers.meter import LayerMeter
from gate.model.digest import Digest
from gate.model.image import ImageManifest
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits
from gate.pipeline.collect.layers import OpenBlob

Place = tuple[str, Digest]


def find_hidden(
    open_blob: OpenBlob,
    manifest: ImageManifest,
    config: ImageConfig,
    limits: LayerLimits,
    places: Collection[Place],
    *,
    check_deadline: Callable[[], None],
) -> frozenset[Place]:
    """Return those (path, layer digest) whose path the final file system has from another layer, or not at all.

    Raises:
        ImageError, RegistryError: as `collect_layers`.
    """
    view = MergedView()
    reader = LayerReader(view, (), LayerMeter(limits, time.thread_time, check_deadline))
    for descriptor, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        with closing(open_blob(descriptor)) as blob:  # type: ignore[type-var]  # the store's iterators are generators
            reader.read(blob, descriptor, diff_id)
    return frozenset(place for place in places if not _is_live(view, manifest, place))


def _is_live(view: MergedView, manifest: ImageManifest, place: Place) -> bool:
    path, layer = place
    node = view.find(path.lstrip("/").encode())
    return node is not None and manifest.layers[node.layer].digest == layer
