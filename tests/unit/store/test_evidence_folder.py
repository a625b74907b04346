"""Evidence by digest: kept once, whole or not at all, and compared when it is read."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gate.errors import StorageError
from gate.model.digest import Digest
from gate.store.compression import compress
from gate.store.evidence_folder import EvidenceFolder
from tests.support.sources import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder(tmp_path / "state" / "evidence")


def test_what_was_kept_is_given_back_by_its_digest(folder: EvidenceFolder) -> None:
    digest = folder.put(b"a report")
    assert digest == Digest.of(b"a report")
    assert folder.get(digest) == b"a report"
    assert folder.put_all([b"a report", b"another"]) == (digest, Digest.of(b"another"))


def test_nobody_else_can_read_it(folder: EvidenceFolder) -> None:
    kept = folder.path(folder.put(b"a report"))
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert folder.root.stat().st_mode & 0o777 == 0o700


def test_keeping_twice_does_not_write_twice(folder: EvidenceFolder) -> None:
    kept = folder.path(folder.put(b"a report"))
    before = kept.stat()
    folder.put(b"a report")
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_missing_is_corrupt(folder: EvidenceFolder) -> None:
    with pytest.raises(StorageError) as refused:
        folder.get(Digest.of(b"never kept"))
    assert refused.value.code == "STORE_CORRUPT"


@pytest.mark.parametrize("damage", [b"", b"another report", compress(b"another report"), compress(b"a report")[:-1]])
def test_altered_evidence_is_noticed_on_reading_and_written_again_where_it_is_known(
    folder: EvidenceFolder, damage: bytes
) -> None:
    digest = folder.put(b"a report")
    assert folder.get(digest) == b"a report"
    folder.path(digest).write_bytes(damage)
    with pytest.raises(StorageError) as refused:
        folder.get(digest)
    assert refused.value.code == "STORE_CORRUPT"
    assert refused.value.seen == str(folder.path(digest))
    folder.put(b"a report")
    assert folder.get(digest) == b"a report"


def test_what_the_first_release_kept_is_still_read(folder: EvidenceFolder) -> None:
    digest = Digest.of(b"a report")
    kept = folder.path(digest).with_suffix("")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a report")
    assert folder.get(digest) == b"a report"
    assert list(folder.digests()) == [digest]
    folder.put(b"a report")
    assert not folder.path(digest).exists()


def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as refused:
        EvidenceFolder(tmp_path / "file" / "evidence").put(b"a report")
    assert refused.value.code == "STORE_UNAVAILABLE"


def test_a_full_disk_is_unavailable_and_leaves_nothing(folder: EvidenceFolder) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StorageError) as refused:
            folder.put(os.urandom(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert refused.value.code == "STORE_UNAVAILABLE"
    assert [path for path in folder.root.rglob("*") if path.is_file()] == []
    assert folder.get(folder.put(b"x" * 100_000)) == b"x" * 100_000


def test_a_kill_leaves_only_whole_files(folder: EvidenceFolder) -> None:
    program = (
        "import itertools, pathlib, sys\n"
        "from gate.store.evidence_folder import EvidenceFolder\n"
        "folder = EvidenceFolder(pathlib.Path(sys.argv[1]))\n"
        "for n in itertools.count():\n"
        "    print(folder.put(str(n).encode() * 50_000), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder.root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    kept = [Digest(process.stdout.readline().strip()) for _ in range(5)]
    process.kill()
    process.communicate()
    assert [Digest.of(folder.get(digest)) for digest in kept] == kept
    whole = [path for path in folder.root.rglob("*") if path.is_file() and not path.name.startswith(".new-")]
    assert [folder.get(digest) is not None for digest in folder.digests()] == [True] * len(whole)
