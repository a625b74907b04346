"""Several blobs at once into the store; the first failure ends the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate.errors import GateError, RegistryError
from gate.images.blob_store import BlobStore
from gate.images.pull import pull_blobs, pulling
from gate.model.digest import Digest
from gate.model.image import Descriptor
from tests.support.images import describe

CONTENTS = [b"%d" % number * 1000 for number in range(8)]
BLOBS = [describe(content) for content in CONTENTS]
LIMIT = 1_000_000


class Memory:
    """Serves blobs from memory and notes how many were open at once."""

    def __init__(self, together: int = 1) -> None:
        self.asked: list[Digest] = []
        self._barrier = threading.Barrier(together)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        self.asked.append(descriptor.digest)
        content = CONTENTS[BLOBS.index(descriptor)]
        yield content[:10]
        self._barrier.wait(timeout=30)
        yield content[10:]


class Failing(Memory):
    """Fails for one blob, while the others wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._failed = threading.Event()

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor == BLOBS[0]:
            self._failed.set()
            raise RegistryError("gone", code="REG_TIMEOUT")
        self._failed.wait(30)
        while True:
            yield b"x"


def test_all_are_stored_several_at_once(tmp_path: Path) -> None:
    source = Memory(together=4)
    seen: dict[Digest, int] = {}
    lock = threading.Lock()

    def progress(descriptor: Descriptor, size: int) -> None:
        with lock:
            seen[descriptor.digest] = seen.get(descriptor.digest, 0) + size

    with BlobStore(tmp_path) as store:
        pull_blobs(source, store, [*BLOBS, *BLOBS], limit_bytes=LIMIT, progress=progress, workers=4)
        assert all(b"".join(store.chunks(blob)) == content for blob, content in zip(BLOBS, CONTENTS, strict=True))
        assert sorted(source.asked) == sorted(blob.digest for blob in BLOBS)
        assert seen == {blob.digest: blob.size for blob in BLOBS}
        again = Memory()
        pull_blobs(again, store, BLOBS, limit_bytes=LIMIT)
        assert again.asked == []


def test_the_first_failure_is_told_and_ends_the_others(tmp_path: Path) -> None:
    with BlobStore(tmp_path) as store, pytest.raises(RegistryError) as caught:
        pull_blobs(Failing(), store, BLOBS, limit_bytes=LIMIT)
    assert caught.value.code == "REG_TIMEOUT"
    assert list((tmp_path / "incoming").iterdir()) == []


class Waiting(Memory):
    """Serves the last blob only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor == BLOBS[-1]:
            assert self.go.wait(30)
        yield CONTENTS[BLOBS.index(descriptor)]


def test_the_first_blob_is_read_while_the_last_one_comes(tmp_path: Path) -> None:
    source = Waiting()
    with BlobStore(tmp_path) as store, pulling(source, store, BLOBS, limit_bytes=LIMIT) as wait_for:
        wait_for(BLOBS[0])
        assert b"".join(store.chunks(BLOBS[0])) == CONTENTS[0]
        assert not store.contains(BLOBS[-1])
        source.go.set()
        wait_for(BLOBS[-1])
        assert store.contains(BLOBS[-1])


def test_whoever_waits_for_a_stopped_blob_is_told_what_stopped_it(tmp_path: Path) -> None:
    with (
        BlobStore(tmp_path) as store,
        pytest.raises(RegistryError) as caught,
        pulling(Failing(), store, BLOBS, limit_bytes=LIMIT) as wait_for,
    ):
        wait_for(BLOBS[0])
    assert caught.value.code == "REG_TIMEOUT"


def test_too_much_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    source = Memory()
    with BlobStore(tmp_path) as store, pytest.raises(GateError) as caught:
        pull_blobs(source, store, BLOBS, limit_bytes=sum(blob.size for blob in BLOBS) - 1)
    assert caught.value.code == "LIMIT_BLOB"
    assert source.asked == []
