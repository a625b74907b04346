"""What gathering works with: the store, the pinned scanners, their databases, the cache of evidence, and the time that is left.

One context serves one run. What cannot be had is a value here (`Unavailable`), because a policy may not need it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from gate.disk.content import DigestMemo
from gate.disk.named import read_named
from gate.errors import GateError, KeyFileError, StorageError
from gate.images.blob_store import BlobStore
from gate.model.evidence import Unavailable
from gate.model.finding import Tool
from gate.model.unavailable import unavailable_from
from gate.pipeline.collect.evidence_cache import EvidenceCache
from gate.pipeline.collect.secret_rules import SecretMaterial
from gate.scanners.database_store import DatabaseSet, load_databases
from gate.scanners.scanning import ScanSettings
from gate.scanners.tool_pins import PinnedTool, ToolPlaces, locate_tool
from gate.secrets.findings import MIN_KEY_BYTES, Fingerprints

if TYPE_CHECKING:
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.policy import SecretRuleFile
    from gate.model.progress import Progress
    from gate.settings.locations import Places
    from gate.store.record import EvidenceStore

T = TypeVar("T")
SCANNERS: Final = (Tool.TRIVY, Tool.GRYPE)
_KEY_BYTES: Final = 32
_MAX_KEY_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectContext:
    """Everything that a run gathers with; `now` is the moment of the run, read once."""

    store: BlobStore
    tools: Mapping[Tool, PinnedTool | Unavailable]
    databases: DatabaseSet
    settings: ScanSettings
    cache: EvidenceCache
    evidence: EvidenceStore
    scratch: Path
    fingerprint_key: bytes
    secret_material: SecretMaterial
    deadline: Deadline
    now: datetime
    progress: Progress

    @property
    def fingerprints(self) -> Fingerprints:
        """Return the fingerprints under the key of this run."""
        return Fingerprints(self.fingerprint_key)


def open_collect_context(
    places: Places,
    scratch: Path,
    evidence: EvidenceStore,
    *,
    deadline: Deadline,
    now: datetime,
    progress: Progress,
    secret_rules: Iterable[SecretRuleFile] = (),
) -> CollectContext:
    """Make the context of a run; `scratch` is the run's own folder, others are made as needed, with mode 0700.

    Raises:
        StorageError: `STORE_UNAVAILABLE`, the key of fingerprints cannot be kept.
        PolicyError: `POL_*`, the policy's own rules for secrets.
    """
    memo = DigestMemo(places.cache / "digests.json")
    pins = tool_places(places)
    return CollectContext(
        store=image_store(places, deadline),
        tools={tool: attempt(_locating(tool, pins, memo)) for tool in SCANNERS},
        databases=load_databases(places.databases),
        settings=ScanSettings(
            memo=memo,
            scratch=scratch,
            cache=places.cache / "scanners",
            keep_raw=lambda _, content: _keep(evidence, content),
        ),
        cache=EvidenceCache(places.cache / "evidence", evidence),
        evidence=evidence,
        scratch=scratch,
        fingerprint_key=fingerprint_key(places),
        secret_material=SecretMaterial(secret_rules, places.cache / "automata"),
        deadline=deadline,
        now=now,
        progress=progress,
    )


def image_store(places: Places, deadline: Deadline | None = None) -> BlobStore:
    """Return the store of blobs, as every run and `gate cache` use it; its lock is waited for until the deadline."""
    return BlobStore(places.cache / "images", wait_seconds=deadline.remaining() if deadline is not None else None)


def tool_places(places: Places) -> ToolPlaces:
    """Return where scanners are looked for: the tools directory, then PATH; and where the user's own pins stand."""
    tools = places.tools or places.state / "tools"
    search = tuple(Path(part) for part in os.get_exec_path() if Path(part).is_absolute())
    return ToolPlaces(tools_dir=tools, user_lock=tools / "tools.lock.json", search_path=search)


def attempt(obtain: Callable[[], T]) -> T | Unavailable:
    """Return what was obtained, or why it was not: an error of the gate becomes evidence, anything else is a defect."""
    try:
        return obtain()
    except GateError as error:
        return unavailable_from(error)


def _locating(tool: Tool, places: ToolPlaces, memo: DigestMemo) -> Callable[[], PinnedTool]:
    return lambda: locate_tool(tool.value, places, memo)


def _keep(evidence: EvidenceStore, content: bytes) -> None:
    evidence.put(content)


def fingerprint_key(places: Places) -> bytes:
    """Return the key for fingerprints of secrets: the organisation's where it is named, else this installation's.

    Raises:
        KeyFileError: `KEY_MALFORMED`, the organisation's key is none; StorageError: `STORE_UNAVAILABLE`.
    """
    if places.fingerprint_key is not None:
        return _shared_key(places.fingerprint_key)
    return _own_key(places.state / "fingerprint.key")


def _shared_key(path: Path) -> bytes:
    """Return an organisation's key, from a file that others may read as their rights say: where it lies is their choice."""
    key = read_named(path, "the key of fingerprints", limit_bytes=_MAX_KEY_BYTES)
    if not MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        expected = f"a file of {MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes"
        raise KeyFileError("the key of fingerprints is not one", expected=expected, seen=f"{len(key)} bytes")
    return key


def _own_key(path: Path) -> bytes:
    """Return the installation's key, made at the first use.

    A plain hash of a short password is the password; under a key that stays here it is not.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_key(path)
        _expect_private(path)
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            "the key of fingerprints cannot be kept", code="STORE_UNAVAILABLE", seen=error.strerror or ""
        ) from error


def _make_key(path: Path) -> None:
    """Make the key whole or not at all; of two first runs at once the first one's stays, for fingerprints are recorded."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fingerprint-") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(file.name)


def _expect_private(path: Path) -> None:
    seen = path.lstat()
    if not stat.S_ISREG(seen.st_mode) or seen.st_mode & 0o077 or seen.st_size != _KEY_BYTES:
        raise StorageError(
            "the key of fingerprints is not private",
            code="STORE_UNAVAILABLE",
            expected="a plain file of 32 bytes with mode 0600",
            seen=f"mode {stat.S_IMODE(seen.st_mode):04o}, {seen.st_size} bytes",
            next_step=f"Look at {path}, and remove it if it is not yours.",
        )
