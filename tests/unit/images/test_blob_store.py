"""The store of blobs: whole after a kill, after parallel runs, after damage; and what a full disk says."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from gate.errors import GateError, RegistryError, StorageError
from gate.images.blob_store import BlobStore
from gate.model.digest import Digest
from tests.support.images import describe, resized

CONTENT = b"0123456789" * 10_000
BLOB = describe(CONTENT)
# Not fork: the test's own threads and pytest's state stay out of the children.
SPAWN = multiprocessing.get_context("spawn")


def pieces(content: bytes = CONTENT) -> Iterator[bytes]:
    return (content[start : start + 7000] for start in range(0, len(content), 7000))


def blob_file(root: Path, digest: Digest = BLOB.digest) -> Path:
    return root / "blobs" / "sha256" / digest.hex


def incoming(root: Path) -> list[Path]:
    return list((root / "incoming").iterdir())


def test_what_is_put_is_there(tmp_path: Path) -> None:
    with BlobStore(tmp_path / "cache") as store:
        assert not store.contains(BLOB)
        store.put(BLOB, pieces())
        assert store.contains(BLOB)
        assert b"".join(store.chunks(BLOB)) == CONTENT
        assert not store.contains(resized(BLOB, 1))
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert blob_file(tmp_path / "cache").stat().st_mode & 0o777 == 0o400
    assert incoming(tmp_path / "cache") == []


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b"x" + CONTENT[1:], b""])
def test_other_bytes_are_not_stored(tmp_path: Path, content: bytes) -> None:
    with BlobStore(tmp_path) as store:
        with pytest.raises(StorageError) as caught:
            store.put(BLOB, pieces(content))
        assert caught.value.code == "CACHE_CORRUPT"
        assert not store.contains(BLOB)
    assert incoming(tmp_path) == []


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield CONTENT[:100]
        raise RegistryError("gone", code="REG_TIMEOUT")

    with BlobStore(tmp_path) as store:
        with pytest.raises(RegistryError):
            store.put(BLOB, failing())
        assert not store.contains(BLOB)
    assert incoming(tmp_path) == []


def test_a_damaged_blob_is_noticed_and_removed(tmp_path: Path) -> None:
    with BlobStore(tmp_path) as store:
        store.put(BLOB, pieces())
        blob_file(tmp_path).chmod(0o600)
        with blob_file(tmp_path).open("r+b") as stream:
            stream.write(b"x")
        with pytest.raises(StorageError) as caught:
            list(store.chunks(BLOB))
        assert caught.value.code == "CACHE_CORRUPT"
        assert not store.contains(BLOB)
        store.put(BLOB, pieces())
        assert b"".join(store.chunks(BLOB)) == CONTENT


def test_r09_a_link_is_no_blob(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(CONTENT)
    with BlobStore(tmp_path / "cache") as store:
        blob_file(store.root).symlink_to(outside)
        assert not store.contains(BLOB)
        with pytest.raises(StorageError) as caught:
            list(store.chunks(BLOB))
        assert caught.value.code == "CACHE_UNAVAILABLE"
        store.put(BLOB, pieces())
        assert not blob_file(store.root).is_symlink()
    assert outside.read_bytes() == CONTENT


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        BlobStore(tmp_path / "file" / "cache").__enter__()
    assert caught.value.code == "CACHE_UNAVAILABLE"


def test_a_folder_that_others_can_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StorageError) as caught:
        BlobStore(tmp_path).__enter__()
    assert caught.value.code == "CACHE_UNAVAILABLE"


def _put_on_a_full_disk(root: Path, codes: multiprocessing.Queue[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with BlobStore(root) as store:
            store.put(BLOB, pieces())
    except GateError as error:
        codes.put(error.code)
    else:
        codes.put("")
    finally:
        # What is measured of this process is written at its end.
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    # A limit on the size of files stands for a full disk: the same call fails in the same place.
    codes: multiprocessing.Queue[str] = SPAWN.Queue()
    child = SPAWN.Process(target=_put_on_a_full_disk, args=(tmp_path, codes))
    child.start()
    assert codes.get(timeout=60) == "CACHE_UNAVAILABLE"
    child.join()
    codes.close()
    codes.join_thread()
    assert incoming(tmp_path) == []
    with BlobStore(tmp_path) as store:
        assert not store.contains(BLOB)


def _put_many(root: Path, number: int) -> None:
    with BlobStore(root) as store:
        for place in range(20):
            content = b"%d" % ((place + number) % 20) * 1000
            blob = describe(content)
            if not store.contains(blob):
                store.put(blob, [content])
            assert b"".join(store.chunks(blob)) == content


def test_parallel_runs(tmp_path: Path) -> None:
    children = [SPAWN.Process(target=_put_many, args=(tmp_path, number)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    with BlobStore(tmp_path) as store:
        assert len(store.blobs()) == 20
    assert incoming(tmp_path) == []


def _put_slowly(root: Path, half: Event) -> None:
    def slowly() -> Iterator[bytes]:
        yield CONTENT[:50_000]
        half.set()
        time.sleep(600)

    with BlobStore(root) as store:
        store.put(describe(b"first"), [b"first"])
        store.put(BLOB, slowly())


def test_a_kill_in_the_middle_leaves_a_whole_store(tmp_path: Path) -> None:
    half = SPAWN.Event()
    child = SPAWN.Process(target=_put_slowly, args=(tmp_path, half))
    child.start()
    assert half.wait(60)
    assert child.pid is not None
    assert BlobStore(tmp_path).prune(0).busy, "a store in use is left as it is"
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert len(incoming(tmp_path)) == 1
    with BlobStore(tmp_path) as store:
        assert store.contains(describe(b"first"))
        assert not store.contains(BLOB)
        store.put(BLOB, pieces())
    assert not BlobStore(tmp_path).prune().busy, "the lock ended with its process"
    assert incoming(tmp_path) == []


def test_prune_removes_what_was_not_used_longest(tmp_path: Path) -> None:
    blobs = [describe(b"%d" % number * 100) for number in range(3)]
    with BlobStore(tmp_path) as store:
        for age, blob in enumerate(blobs):
            store.put(blob, [b"%d" % age * 100])
            os.utime(blob_file(tmp_path, blob.digest), (1000 + age, 1000 + age))
        store.contains(blobs[0])
        assert [blob.digest for blob in store.blobs()] == [blobs[1].digest, blobs[2].digest, blobs[0].digest]
        assert store.prune(0).busy
    pruned = BlobStore(tmp_path, max_bytes=150).prune()
    assert (pruned.removed, pruned.freed_bytes, pruned.busy) == (2, 200, False)
    assert [blob.digest for blob in BlobStore(tmp_path).blobs()] == [blobs[0].digest]
