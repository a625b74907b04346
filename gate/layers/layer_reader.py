"""One pass over one layer blob: digest and size, inflate, diff id, entries to the merged view, bodies to readers.

Steps, in the order of the bytes: 1 the media type is one that can be read; 2 the blob is hashed as it comes and cut at its
declared size; 3 it is inflated under the image's limits; 4 the tar is hashed; 5 its entries are checked and laid into the
view; 6 digest, size and diff id are compared. What was read counts only after step 6, and where an earlier step refuses,
the blob is hashed to its end first: bytes that a registry exchanged are the registry's fault, not the image's.
Specification: OCI image-spec 1.1 `layer.md`, `descriptor.md`; checks reference, section 7.2; attacks D03, D10, D11.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeAlias

from gate.errors import ImageError, RegistryError
from gate.layers.entry import BodyReader, BodySink, Entry, EntryKind, ImageObserver
from gate.layers.inflate import coding_of, inflate
from gate.layers.merged_view import MergedView, is_whiteout
from gate.layers.meter import LayerMeter
from gate.layers.tar_stream import TarStream
from gate.model.digest import Digest
from gate.model.evidence import LayerSummary
from gate.model.image import Descriptor

_CHUNKS_AHEAD: Final = 4
KeepTar: TypeAlias = Callable[[Digest], AbstractContextManager[Callable[[bytes], None]]]
"""Makes what takes the pieces of a layer's tar, by its diff id; they count only when the block ends without an error."""


class LayerReader:
    """Read the layers of one image in order, base first, into one view and to the same readers."""

    def __init__(
        self,
        view: MergedView,
        readers: Sequence[BodyReader],
        meter: LayerMeter,
        *,
        observers: Sequence[ImageObserver] = (),
        keep: KeepTar | None = None,
    ) -> None:
        self._view = view
        self._keep = keep or _keep_nothing
        self._observers = tuple(observers)
        self._readers = (*readers, *observers)
        self._meter = meter
        self._layer = -1
        self._entries = 0

    def read(self, blob: Iterable[bytes], descriptor: Descriptor, diff_id: Digest) -> LayerSummary:
        """Read one untrusted blob and say what it was.

        Raises:
            ImageError: `IMG_LAYER_UNSCANNABLE`, `IMG_LAYER_MALFORMED`, `IMG_SIZE`, `IMG_DIFFID`, `LIMIT_LAYER`.
            RegistryError: `REG_DIGEST_MISMATCH`, the bytes are not those that the descriptor names.
        """
        coding = coding_of(descriptor.media_type)
        self._begin()
        source = _HashedBlob(blob, descriptor)
        with self._keep(diff_id) as write:
            try:
                seen, size = self._read_tar(inflate(source, coding, self._meter), write)
            except ImageError:
                source.drain()
                source.check()
                raise
            source.check()
            self._check_diff_id(seen, diff_id)
        return LayerSummary(
            digest=descriptor.digest,
            size=descriptor.size,
            diff_id=diff_id,
            uncompressed_bytes=size,
            entries=self._entries,
        )

    def visit(self, entry: Entry) -> Sequence[BodySink]:
        """Lay an entry into the view and say which readers take its body."""
        self._entries += 1
        self._meter.entry()
        self._view.add(entry)
        for observer in self._observers:
            observer.note(entry, self._layer, self._view)
        if entry.kind is not EntryKind.FILE or is_whiteout(entry.path):
            return ()
        return [sink for body in self._readers if (sink := body.begin(entry, self._layer)) is not None]

    def _read_tar(self, chunks: Iterator[bytes], write: Callable[[bytes], None]) -> tuple[Digest, int]:
        stream, tar, size = TarStream(self), hashlib.sha256(), 0
        # Inflating and hashing free the interpreter: they run in a thread beside, and cost no time of their own on two
        # processors.
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inflate")
        try:
            for chunk in _ahead(_hashed(chunks, tar, write), pool):
                size += len(chunk)
                stream.feed(chunk)
                self._meter.read(sum(observer.unfolded_bytes for observer in self._observers))
        finally:
            # Waits: the blob must not be advanced by two threads.
            pool.shutdown(cancel_futures=True)
        stream.finish()
        self._view.end_layer()
        return Digest.from_hex(tar.hexdigest()), size

    def _begin(self) -> None:
        self._layer += 1
        self._entries = 0
        self._meter.begin_layer()
        self._view.begin_layer()

    def _check_diff_id(self, seen: Digest, expected: Digest) -> None:
        if seen != expected:
            what = f"layer {self._layer} is not the one that the configuration names"
            raise ImageError(what, code="IMG_DIFFID", expected=str(expected), seen=str(seen))


@contextmanager
def _keep_nothing(_: Digest) -> Iterator[Callable[[bytes], None]]:
    yield lambda _: None


def _hashed(chunks: Iterator[bytes], tar: hashlib._Hash, write: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        tar.update(chunk)
        write(chunk)
        yield chunk


def _ahead(chunks: Iterator[bytes], pool: ThreadPoolExecutor) -> Iterator[bytes]:
    # The pool has one thread, so that the iterator is only ever advanced by one; it is some chunks ahead, never more.
    pending = deque(pool.submit(next, chunks, None) for _ in range(_CHUNKS_AHEAD))
    while (chunk := pending.popleft().result()) is not None:
        pending.append(pool.submit(next, chunks, None))
        yield chunk


class _HashedBlob:
    """The bytes of a blob, hashed and counted on the way, never more than the descriptor says."""

    def __init__(self, chunks: Iterable[bytes], descriptor: Descriptor) -> None:
        self._chunks = iter(chunks)
        self._descriptor = descriptor
        self._sha256 = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._size += len(chunk)
            if self._size > self._descriptor.size:
                return
            self._sha256.update(chunk)
            yield chunk

    def drain(self) -> None:
        """Hash what nobody asked for."""
        for _ in self:
            pass

    def check(self) -> None:
        """Compare size and digest with the descriptor; refuse the blob, or the registry."""
        expected, seen = self._descriptor, Digest.from_hex(self._sha256.hexdigest())
        if self._size > expected.size:
            what = "a layer is larger than its descriptor says"
            raise ImageError(what, code="IMG_SIZE", expected=f"{expected.size} bytes", seen="more")
        if seen != expected.digest:
            what = (
                f"the bytes of a layer are not those that its digest names ({self._size} of {expected.size} bytes came)"
            )
            raise RegistryError(what, code="REG_DIGEST_MISMATCH", expected=str(expected.digest), seen=str(seen))
        if self._size != expected.size:
            what = "a layer is smaller than its descriptor says"
            raise ImageError(what, code="IMG_SIZE", expected=f"{expected.size} bytes", seen=str(self._size))
