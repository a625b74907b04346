"""What both scanners of one image are given: its uncompressed layers, written while the gate reads them.

Where the facts of the layers were kept from an earlier run and a scan was not, the layers are read again for it, under the same
limits: a scanner never sees what the gate did not just read whole.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from gate.codec.plain_manifest import plain_manifest
from gate.errors import StorageError
from gate.images.plain_layers import PlainLayers
from gate.pipeline.collect.layers import collect_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.layers.layer_reader import KeepTar
    from gate.model.digest import Digest
    from gate.model.evidence import LayerFacts
    from gate.model.image import Descriptor, ImageManifest
    from gate.model.limits import LayerLimits
    from gate.pipeline.collect.context import CollectContext
    from gate.pipeline.collect.read_image import ReadImage


class ScanLayout:
    """The layout of one image while it is judged; both scans and the gate's own search ask it, each in its thread."""

    def __init__(self, folder: Path, image: ReadImage, limits: LayerLimits, context: CollectContext) -> None:
        self._plain = PlainLayers(folder)
        self._image = image
        self._limits = limits
        self._context = context
        self._turn = Lock()
        self._layout: Path | None = None

    @property
    def keep(self) -> KeepTar:
        """Return what takes the tars while the layers are read."""
        return self._plain.keep

    def manifest(self, facts: LayerFacts) -> ImageManifest:
        """Return the manifest of the layout."""
        return plain_manifest(self._image.manifest, facts.layers)

    def path(self, facts: LayerFacts) -> Path:
        """Return the layout, made at the first call; raises as `collect_layers`, and StorageError."""
        with self._turn:
            if self._layout is None:
                manifest = self.manifest(facts)
                if not self._plain.has(manifest):
                    self._read_again()
                self._layout = self._plain.write_layout(manifest, self._image.content)
            return self._layout

    def chunks(self, layer: Descriptor) -> Iterator[bytes]:
        """Yield the bytes of a plain layer; only after `path`."""
        return self._plain.chunks(layer)

    def original(self, facts: LayerFacts) -> dict[Digest, Digest]:
        """Return the digest of each layer as the image's manifest has it, by that of its tar."""
        return {layer.diff_id: layer.digest for layer in facts.layers}

    def _read_again(self) -> None:
        collect_layers(
            self._context.store.chunks,
            self._image.manifest,
            self._image.config,
            self._limits,
            now=self._context.now,
            check_deadline=lambda: self._context.deadline.check("the layers were read"),
            keep=self.keep,
        )


@contextmanager
def scan_layout(image: ReadImage, limits: LayerLimits, context: CollectContext) -> Iterator[ScanLayout]:
    """Provide the layout in a folder of its own, which is removed at the end; what a kill leaves is swept by the next run.

    Raises:
        StorageError: `CACHE_UNAVAILABLE`.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="layout-", dir=context.scratch))
    except OSError as error:
        raise StorageError(
            "a folder cannot be made",
            code="CACHE_UNAVAILABLE",
            expected=str(context.scratch),
            seen=error.strerror or "",
        ) from error
    try:
        yield ScanLayout(folder / "image", image, limits, context)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
