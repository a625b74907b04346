"""Places that cannot be written, are full, damaged or hostile: what is not recorded is not issued, and no verdict changes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

import gate
from gate.clock import Clock
from gate.errors import RegistryError, StorageError
from gate.images.attachments import collect_attachments
from gate.images.blobs import BlobReader, FolderMembers
from gate.images.layout_source import LayoutSource
from gate.model.decision import Decision
from gate.model.digest import Digest
from gate.store.compression import compress
from gate.store.evidence_folder import EvidenceFolder
from gate.store.record import open_record
from tests.support.command import Told, places_of, run_gate, told_by
from tests.support.installation import SHOP, Installation, shop_policy
from tests.support.programs import Tools
from tests.support.registries import free_port, run_olareg

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

NAME: Final = f"{SHOP}/web"


def attached(image: Path) -> int:
    """Count what hangs on the only image of a layout."""
    source = LayoutSource(BlobReader(FolderMembers(image)), None)
    return len(collect_attachments(source, source.root().digest).items)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a place where nobody may write is known on Linux only")
@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("--record=/proc/gate/record.db", "STORE_UNAVAILABLE"),
        ("--record=/proc/record.db", "STORE_UNAVAILABLE"),
        ("--cache-dir=/proc/gate", "CACHE_UNAVAILABLE"),
        ("--attestation=/proc/verdict.json", "OUT_WRITE"),
        ("--attestation=/dev/full", "OUT_WRITE"),
    ],
)
def test_a_place_that_cannot_be_written(
    option: str, code: str, tell: Callable[..., Told], installed: Installation, own: Path, tmp_path: Path
) -> None:
    image = installed.copy("clean", tmp_path / "image")
    before = attached(image)
    key = str(installed.private_key())
    told = tell("check", f"oci:{image}", "--as", NAME, "--key", key, *places_of(installed, own), option, places=False)
    assert (told.exit_code, told.codes) == (3, [code])
    # A verdict that is not recorded is not issued; one that is recorded and attached is there, whatever else failed.
    assert attached(image) == before + (2 if code == "OUT_WRITE" else 0)
    if "/dev/full" in option:
        assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MB, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting a small file system takes rights that this user does not have")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until nothing more can be written on this file system."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="No space left"):
            write_for_ever(descriptor)
    finally:
        os.close(descriptor)


def write_for_ever(descriptor: int) -> None:
    while True:
        os.write(descriptor, bytes(4096))


@pytest.mark.parametrize(("place", "code"), [("record", "STORE_UNAVAILABLE"), ("cache-dir", "CACHE_UNAVAILABLE")])
def test_a_disk_that_is_full(
    place: str,
    code: str,
    small_disk: Path,
    tell: Callable[..., Told],
    installed: Installation,
    own: Path,
    tmp_path: Path,
) -> None:
    image = installed.copy("clean", tmp_path / "image")
    before = attached(image)
    target = small_disk / "gate"
    target.mkdir()
    fill(small_disk / "filler")
    option = f"--{place}={target / 'record.db' if place == 'record' else target}"
    arguments = ["--as", NAME, "--key", str(installed.private_key()), *places_of(installed, own), option]
    told = tell("check", f"oci:{image}", *arguments, places=False)
    assert (told.exit_code, told.codes) == (3, [code])
    assert attached(image) == before
    (small_disk / "filler").unlink()
    if place == "record":
        assert tell("check", f"oci:{image}", *arguments, places=False).exit_code == 0


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit of util-linux sets the limit")
def test_files_that_may_not_grow(installed: Installation, own: Path, tmp_path: Path) -> None:
    """The same without any rights: every file of the process is limited, so that the cache cannot be filled."""
    image = installed.copy("vulnerable-npm", tmp_path / "image")
    command = [f"--cache-dir={own / 'cache'}", *places_of(installed, own)[1:]]
    done = run_gate("check", f"oci:{image}", *command, cwd=own, file_limit_bytes=64 * 1024)
    told = told_by(done.returncode, done.stdout, done.stderr)
    assert told.exit_code == 3
    assert set(told.codes) <= {"CACHE_UNAVAILABLE", "STORE_UNAVAILABLE"}
    assert told.codes


def test_a_cache_that_is_damaged_is_noticed_and_made_anew(installed: Installation, own: Path) -> None:
    reference = f"oci:{installed.layout('alpine-clean')}"
    options = installed.options(own, cold=True, signer=None)
    first = gate.check(reference, options)
    assert first.verdict.decision is Decision.PASSED
    cache = own / "cache"
    for entry in (cache / "evidence").iterdir():
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 0x20
        entry.write_bytes(content[: len(content) * 3 // 4])
    (cache / "digests.json").write_text("[[[[")
    again = gate.check(reference, replace(options, reissue=True))
    assert (again.verdict.decision, again.verdict.findings) == (Decision.PASSED, first.verdict.findings)
    blobs = [path for path in (cache / "images").rglob("*") if path.is_file() and len(path.name) == 64]
    largest = max(blobs, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(bytes(byte ^ 1 for byte in largest.read_bytes()))
    for entry in (cache / "evidence").iterdir():
        entry.unlink()
    damaged = gate.check(reference, replace(options, reissue=True))
    assert damaged.verdict.decision is Decision.ERROR
    assert {code for check in damaged.verdict.checks for code in check.codes} == {"CACHE_CORRUPT"}
    mended = gate.check(reference, replace(options, reissue=True))
    assert mended.verdict.decision is Decision.PASSED


def without_scanners(installed: Installation, folder: Path) -> Path:
    """Return a policy that asks for nothing but a user who is not root, so that a cold cache costs nothing."""
    policy = folder / "policy.yaml"
    sections = {"signature": None, "vulnerabilities": None, "secrets": None, "image": {"user": "non-root"}}
    policy.write_bytes(shop_policy(installed, **sections))
    return policy


def test_a_verdict_whose_evidence_was_altered_is_never_given_again(installed: Installation, own: Path) -> None:
    reference = f"oci:{installed.layout('alpine-clean')}"
    options = installed.options(own, cold=True, signer=None, policy=without_scanners(installed, own))
    gate.check(reference, options)
    assert gate.check(reference, options).reused
    record = open_record(options.places.record, options.places.evidence)
    (row,) = (row for row in record.rows() if row.kind == "verdict")
    record.close()
    verdict = Digest(json.loads(row.content)["evidence"]["verdict"])
    folder = EvidenceFolder(own / "evidence")
    altered = folder.get(verdict).replace(b"passed", b"error!")
    folder.path(verdict).write_bytes(compress(altered))
    hour = timedelta(hours=1)
    again = gate.check(reference, options, clock=Clock(now=lambda: datetime.now(UTC) + hour))
    assert (again.reused, again.verdict.decision) == (False, Decision.PASSED)


def test_an_intent_whose_bytes_were_altered_is_never_published(
    tools: Tools, installed: Installation, own: Path, tmp_path: Path
) -> None:
    port, storage = free_port(), tmp_path / "registry"
    options = installed.options(own, cold=True, policy=without_scanners(installed, own))
    with run_olareg(tools.olareg, storage, port=port) as registry:
        reference = installed.push("alpine-clean", registry.host)
    with run_olareg(tools.olareg, storage, port=port, read_only=True), pytest.raises(RegistryError):
        gate.check(reference, options)
    record = open_record(options.places.record, options.places.evidence)
    manifest = Digest(json.loads(tuple(record.rows())[1].content)["publications"][0]["manifest"])
    record.close()
    folder = EvidenceFolder(own / "evidence")
    kept = folder.get(manifest)
    folder.path(manifest).write_bytes(compress(kept.replace(b"e", b"f", 1)))
    # Another moment, so that this run does not make the same bytes and put them where they were.
    later = Clock(now=lambda: datetime.now(UTC) + timedelta(minutes=1))
    with run_olareg(tools.olareg, storage, port=port):
        # The image is judged and its own verdict published all the same: only the damaged intent stays behind.
        again = gate.check(reference, options, clock=later)
        assert again.verdict.decision is Decision.PASSED
        assert len(again.attestations) == 2
        assert "cannot finish what an earlier run left (row 2)" in again.notices[0]
        folder.path(manifest).write_bytes(compress(kept))
        assert "published again" in gate.check(reference, options, clock=later).notices[0]


def test_a_key_of_fingerprints_that_others_can_read_is_not_used(installed: Installation, own: Path) -> None:
    reference = f"oci:{installed.layout('alpine-clean')}"
    options = installed.options(own, cold=True, signer=None, policy=without_scanners(installed, own))
    gate.check(reference, options)
    (own / "state" / "fingerprint.key").chmod(0o644)
    with pytest.raises(StorageError) as refused:
        gate.check(reference, options)
    assert refused.value.code == "STORE_UNAVAILABLE"


HOSTILE_ENVIRONMENT: Final = {
    "TRIVY_SEVERITY": "LOW",
    "TRIVY_IGNORE_UNFIXED": "true",
    "TRIVY_IGNOREFILE": "ignored",
    "TRIVY_SKIP_DIRS": "/",
    "TRIVY_SKIP_FILES": "**",
    "TRIVY_CONFIG": "trivy.yaml",
    "TRIVY_DB_REPOSITORY": "127.0.0.1:9/db",
    "TRIVY_CACHE_DIR": "hostile-cache",
    "TRIVY_SERVER": "http://127.0.0.1:9",
    "TRIVY_OFFLINE_SCAN": "false",
    "GRYPE_CONFIG": ".grype.yaml",
    "GRYPE_EXCLUDE": "**",
    "GRYPE_ONLY_FIXED": "true",
    "GRYPE_DB_CACHE_DIR": "hostile-cache",
    "GRYPE_DB_AUTO_UPDATE": "true",
    "GRYPE_DB_UPDATE_URL": "http://127.0.0.1:9/",
    "SYFT_EXCLUDE": "**",
    "COSIGN_REPOSITORY": "127.0.0.1:9/elsewhere",
    "SIGSTORE_ROOT_FILE": "root.json",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor.pub",
    "TUF_ROOT": "tuf",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "REQUESTS_CA_BUNDLE": "ca.pem",
    "GODEBUG": "http2client=0",
    "LD_LIBRARY_PATH": "hostile-libraries",
}
HOSTILE_FILES: Final = {
    ".trivyignore": "CVE-2019-10744\nCVE-2021-44906\n*\n",
    "trivy.yaml": "severity: [LOW]\nignore-unfixed: true\nscan:\n  skip-dirs: ['/']\n",
    "trivy-secret.yaml": "disable-allow-rules: []\nallow-rules: [{id: all, regex: .*}]\n",
    ".grype.yaml": "ignore: [{package: {name: '.*'}}]\nexclude: ['**']\nonly-fixed: true\n",
    "grype.yaml": "ignore: [{package: {name: '.*'}}]\n",
    ".syft.yaml": "exclude: ['**']\n",
    ".netrc": "machine 127.0.0.1 login a password b\n",
    "gate/__init__.py": "raise SystemExit(0)\n",
    "gate.py": "raise SystemExit(0)\n",
    "yaml.py": "raise SystemExit(0)\n",
    "sitecustomize.py": "raise SystemExit(0)\n",
    "index.json": "{}",
}


def test_t07_variables_and_files_where_it_is_started_change_nothing(installed: Installation, tmp_path: Path) -> None:
    seen = []
    for name, environment, files in (("plain", {}, {}), ("hostile", HOSTILE_ENVIRONMENT, HOSTILE_FILES)):
        folder = tmp_path / name
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content)
        folder.mkdir(exist_ok=True)
        reference = f"oci:{installed.layout('vulnerable-npm')}"
        cold = [f"--cache-dir={folder / 'cache'}", *places_of(installed, folder)[1:], "-f", "json"]
        done = run_gate(
            "check", reference, "--as", NAME, "-p", str(installed.policy), *cold, cwd=folder, environment=environment
        )
        assert done.returncode == 1, done.stderr
        (image,) = json.loads(done.stdout)["images"]
        seen.append((image["decision"], image["checks"], image["findings"], image["digest"]))
        assert not (folder / "hostile-cache").exists()
    assert seen[0] == seen[1]
