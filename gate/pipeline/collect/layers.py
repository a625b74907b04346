"""What the layers of one image say: every blob hashed, every diff id compared, facts from one pass.

Works from any source of bytes, while they are pulled or from the cache. Refuses an image whose manifest and configuration
count differently, and more layers than can be stacked. Specification: checks reference, section 7; attacks D10, D11, L14.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta

from gate.errors import ImageError
from gate.layers.entry import BodyReader, ImageObserver
from gate.layers.facts import ImageReading
from gate.layers.inflate import coding_of
from gate.layers.layer_reader import KeepTar
from gate.model.evidence import LayerFacts
from gate.model.image import Descriptor, ImageManifest
from gate.model.image_config import ImageConfig
from gate.model.limits import LayerLimits

OpenBlob = Callable[[Descriptor], Iterator[bytes]]

# Clocks of builders differ; a file from within the next day is not from the future.
_CLOCK_SKEW = timedelta(days=1)


def collect_layers(  # noqa: PLR0913 - the image, its limits, time, and who reads along
    open_blob: OpenBlob,
    manifest: ImageManifest,
    config: ImageConfig,
    limits: LayerLimits,
    *,
    now: datetime,
    check_deadline: Callable[[], None],
    readers: Sequence[BodyReader] = (),
    observers: Sequence[ImageObserver] = (),
    keep: KeepTar | None = None,
    clock: Callable[[], float] = time.thread_time,
) -> LayerFacts:
    """Read all layers of one image, base first, and give its facts.

    `open_blob` yields the compressed bytes of a blob in chunks of any size (untrusted); what it raises passes through. It is
    called in this thread and advanced in one beside.
    `check_deadline` raises when the run's time is over, and is asked at least once a MiB. `readers` get every
    regular file's body of every layer, hidden ones too, and `observers` each
    entry and the final view besides; `keep` takes the tars. `clock` gives the processor
    seconds of the thread that asks.

    Raises:
        ImageError: `IMG_DIFFID`, `IMG_SIZE`, `IMG_LAYER_MALFORMED`, `IMG_LAYER_UNSCANNABLE`, `LIMIT_LAYER`.
        RegistryError: `REG_DIGEST_MISMATCH`, the bytes are not those that the digest names.
    """
    _check_counts(manifest, config, limits)
    not_after = now + _CLOCK_SKEW
    reading = ImageReading(
        limits,
        not_after=not_after,
        clock=clock,
        check_deadline=check_deadline,
        readers=readers,
        observers=observers,
        keep=keep,
    )
    for descriptor, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        with closing(_Blob(open_blob(descriptor))) as blob:
            reading.read(blob, descriptor, diff_id)
    return reading.conclude()


def _check_counts(manifest: ImageManifest, config: ImageConfig, limits: LayerLimits) -> None:
    count = len(manifest.layers)
    if count != len(config.diff_ids):
        what = "the configuration names another number of layers than the manifest"
        raise ImageError(what, code="IMG_DIFFID", expected=f"{count} diff_ids", seen=str(len(config.diff_ids)))
    if count > limits.layers:
        what = "the image has too many layers"
        raise ImageError(what, code="LIMIT_LAYER", expected=f"at most {limits.layers}", seen=str(count))
    for descriptor in manifest.layers:
        # Asked before anything is fetched: a foreign layer may lie where the gate must not go.
        coding_of(descriptor.media_type)


class _Blob:
    """An iterator that can be closed, whatever the source gave: a refusal must not keep a connection open."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Close the source, if it is one that can be closed."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
