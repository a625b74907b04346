"""Blobs from a source into the local store, several at once: each is streamed once and hashed on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final, Protocol

from gate.errors import ImageError
from gate.images.blob_store import BlobStore
from gate.model.image import Descriptor

WORKERS: Final = 4  # as Docker's own default for downloads at once

Progress = Callable[[Descriptor, int], None]


class BlobSource(Protocol):
    """What is pulled from."""

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Stream a blob; the end is reached only if digest and size are the descriptor's."""


class _StoppedError(Exception):
    """Another blob failed: this one ends as well, and its error is not the one that is told."""


WaitFor = Callable[[Descriptor], None]
"""Returns when a blob is in the store; raises the error that kept it out."""


@contextmanager
def pulling(
    source: BlobSource,
    store: BlobStore,
    descriptors: Iterable[Descriptor],
    *,
    limit_bytes: int,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> Iterator[WaitFor]:
    """Bring every blob into the store while the block runs; those that are there are not fetched.

    The block gets a function that waits for one blob, so that the first layers are read while later ones come. The end of
    the block waits for all. `progress` gets each blob with the number of bytes that came, from several threads; for a blob
    that is there, once with its size. `limit_bytes` bounds their sum, before anything is fetched.

    Raises:
        ImageError: `LIMIT_BLOB`.
        GateError: the first error of source or store, in the function or at the end; the other transfers are stopped.
    """
    wanted = {item.digest: item for item in descriptors}
    total = sum(item.size for item in wanted.values())
    if total > limit_bytes:
        raise ImageError(
            "the image is too large", code="LIMIT_BLOB", expected=f"at most {limit_bytes} bytes", seen=f"{total} bytes"
        )
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gate-pull") as pool:
        futures = {
            digest: pool.submit(_pull, source, store, item, stop, progress or _silent)
            for digest, item in wanted.items()
        }
        try:
            yield lambda descriptor: _outcome(futures[descriptor.digest], futures.values())
            wait(futures.values(), return_when=FIRST_EXCEPTION)
        finally:
            # Also when the block failed or the user interrupts: the pool waits for its threads.
            stop.set()
            for future in futures.values():
                future.cancel()
    _raise_first(futures.values())


def pull_blobs(
    source: BlobSource,
    store: BlobStore,
    descriptors: Iterable[Descriptor],
    *,
    limit_bytes: int,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> None:
    """Bring every blob into the store and wait for all; arguments and errors are those of `pulling`."""
    with pulling(source, store, descriptors, limit_bytes=limit_bytes, progress=progress, workers=workers):
        pass


def _outcome(future: Future[None], others: Collection[Future[None]]) -> None:
    """Wait for one transfer; where it was stopped because another failed, that one's error is told."""
    try:
        future.result()
    except (_StoppedError, CancelledError):
        _raise_first(others)
        raise


def _raise_first(futures: Iterable[Future[None]]) -> None:
    failures = [future.exception() for future in futures if future.done() and not future.cancelled()]
    for failure in sorted(failures, key=lambda error: isinstance(error, _StoppedError)):
        if failure is not None:
            raise failure


def _pull(
    source: BlobSource, store: BlobStore, descriptor: Descriptor, stop: threading.Event, report: Progress
) -> None:
    if store.contains(descriptor):
        report(descriptor, descriptor.size)
        return
    store.put(descriptor, _counted(source.blob(descriptor), descriptor, stop, report))


def _counted(
    chunks: Iterator[bytes], descriptor: Descriptor, stop: threading.Event, report: Progress
) -> Iterator[bytes]:
    for chunk in chunks:
        if stop.is_set():
            raise _StoppedError
        report(descriptor, len(chunk))
        yield chunk


def _silent(descriptor: Descriptor, size: int) -> None:
    del descriptor, size
