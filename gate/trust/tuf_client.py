"""Trusted roots over TUF: updated from a repository, and verified again from the cache alone; python-tuf does the work.

Refuses expired metadata (a freeze), older versions (a rollback), too few signatures, names that leave the cache. What is asked
goes over the gate's own transport, so proxies, caps and deadlines are the user's; python-tuf reads the clock itself.

Specification: TUF specification 1.0.34, section 5; attacks T01 to T03 and T05.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from gate.codec.strict_json import printable
from gate.codec.tuf import MAX_METADATA_BYTES, screen_metadata
from gate.disk.content import write_atomically
from gate.errors import EvidenceError, RegistryError, StorageError

if TYPE_CHECKING:
    from datetime import datetime

    from gate.registry.service import Service

# A repository of a trusted root holds a few files of some kilobytes.
MAX_TARGET_BYTES: Final = 1024 * 1024
_TARGETS: Final = "/targets/"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
_CACHE: Final = "cache:"
_ANCHOR: Final = "root.json"
# The last whole state, from which a root is used offline, and what the client keeps step by step.
_METADATA: Final = "metadata"
_STATE: Final = "state"
_HISTORY: Final = "root_history"
# Takes the targets that were fetched, by name; what it raises stops the update.
Accept: TypeAlias = Callable[[Mapping[str, bytes]], None]


@dataclass(frozen=True, slots=True)
class _Source(FetcherInterface):
    """What python-tuf fetches with. A URL is `base` and a path; `read` gives a path's bytes, or None where there are none."""

    base: str
    read: Callable[[str], bytes | None]

    def _fetch(self, url: str) -> Iterator[bytes]:
        """Return a file, screened if it is metadata. The method is named by python-tuf's interface."""
        path = url.removeprefix(self.base)
        content = self.read(path)
        if content is None:
            raise DownloadHTTPError(f"{path} is not there", 404)
        yield content


def update_from(
    service: Service, url: str, folder: Path, anchor: bytes, names: tuple[str, ...], *, accept: Accept
) -> None:
    """Update the metadata below `folder`, and hand those of the named targets that the repository has to `accept`.

    `anchor` is the root metadata that a person trusts; it is kept, and what comes later must be signed from it on.

    Each step's metadata is kept as soon as it is verified, as the specification wants it (5.3.8, 5.4.5, 5.5.7, 5.6.6): a new
    root that revokes keys, or a higher version, is not forgotten because a later step fails. What is used offline is the last
    state that was whole and that `accept` took: an update that fails leaves it in use, as far as the new root allows.
    Metadata under another anchor than the kept one is kept only as a whole.

    Raises:
        EvidenceError: `ROOT_SOURCE`, `ROOT_EXPIRED`, `ROOT_ROLLBACK`, `ROOT_THRESHOLD`, `ROOT_PATH`, `ROOT_METADATA` or
            `ROOT_DIGEST`.
        StorageError: the folder cannot be written.
    """
    with _own_errors():
        screen_metadata(anchor)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch, _state_of(folder, anchor, Path(scratch)) as state:
            base = url.rstrip("/")
            source = _Source(base, partial(_fetched, service))
            lookups = _lookups(lambda: _updater(state, Path(scratch), source, base, anchor), state)
            found = {name: _target(updater, name) for name, updater in zip(names, lookups, strict=False)}
            if not names:
                next(lookups)
            accept({name: content for name, content in found.items() if content is not None})
            _complete(folder, state, Path(scratch))


@contextmanager
def _state_of(folder: Path, anchor: bytes, scratch: Path) -> Iterator[Path]:
    """Return the folder in which the client keeps its state; that of another anchor takes the place of ours at the end."""
    state = folder / _STATE
    kept = (folder / _ANCHOR).read_bytes() if (folder / _ANCHOR).is_file() else None
    if kept is None:
        write_atomically(folder / _ANCHOR, anchor)
    if kept in {None, anchor}:
        if not state.is_dir() and (folder / _METADATA).is_dir():
            # Caches of before have only the whole state.
            shutil.copytree(folder / _METADATA, scratch / "copied", symlinks=True)
            (scratch / "copied").rename(state)
        yield state
        return
    yield scratch / _STATE
    _switch(scratch / _STATE, state, scratch / "before")
    write_atomically(folder / _ANCHOR, anchor)


def _complete(folder: Path, state: Path, scratch: Path) -> None:
    """Keep this state as the one that is used offline."""
    shutil.copytree(state, scratch / _METADATA, symlinks=True)
    _switch(scratch / _METADATA, folder / _METADATA, scratch / "superseded")


def _switch(made: Path, place: Path, before: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        place.rename(before)
    made.rename(place)


def verify_cached(folder: Path, targets: Mapping[str, bytes]) -> None:
    """Verify the whole chain of metadata in the cache, from the first root on, and that it names exactly these targets.

    Nothing of the cache is believed: a fresh client reads it as if it were a repository, expiry and all (attack T05).

    Raises:
        EvidenceError: as `update_from`; `ROOT_DIGEST` for a target that the metadata does not name as it is.
    """

    def read(path: str) -> bytes | None:
        content = _cached(folder, path)
        return _screened(path, content) if content is not None else None

    with _own_errors(), tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        updater = _updater(place / _METADATA, place, _Source(_CACHE, read), _CACHE, (folder / _ANCHOR).read_bytes())
        updater.refresh()
        for name, content in targets.items():
            described = updater.get_targetinfo(name)
            if described is None:
                raise EvidenceError(
                    "the metadata does not name the trusted root", code="ROOT_DIGEST", expected=name, seen="nothing"
                )
            described.verify_length_and_hashes(content)


def _lookups(make: Callable[[], Updater], state: Path) -> Iterator[Updater]:
    """Return a refreshed client for one target after the other: the same one, or a new one each where roles are delegated.

    python-tuf keeps a delegated role that it verified for one delegator, and does not verify it again for another one that
    names other keys; what is only in its folder it verifies for the delegator that leads there.
    """
    updater = make()
    updater.refresh()
    yield updater
    while True:
        if any(path.stem not in _ROLES for path in state.glob("*.json")):
            updater = make()
            updater.refresh()
        yield updater


def kept_anchor(folder: Path) -> bytes:
    """Return the root metadata that a person trusted first; raises OSError where there is none."""
    return (folder / _ANCHOR).read_bytes()


def expiry_of(folder: Path) -> datetime:
    """Return when the cached metadata ends: the earliest end of its four roles. Raises as `verify_cached`."""
    with _own_errors():
        files = (folder / _METADATA / f"{role}.json" for role in _ROLES)
        return min(Metadata.from_bytes(path.read_bytes()).signed.expires for path in files)


def _updater(metadata: Path, targets: Path, source: _Source, url: str, anchor: bytes) -> Updater:
    metadata.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Updater(
        metadata_dir=str(metadata),
        metadata_base_url=f"{url}/",
        target_dir=str(targets),
        target_base_url=f"{url}{_TARGETS}",
        fetcher=source,
        config=UpdaterConfig(max_delegations=8),
        bootstrap=anchor,
    )


def _fetched(service: Service, path: str) -> bytes | None:
    limit = MAX_TARGET_BYTES if path.startswith(_TARGETS) else MAX_METADATA_BYTES
    try:
        status, content = service.ask("GET", path, doing="fetching the trust root", limit_bytes=limit)
    except RegistryError as error:
        raise EvidenceError(
            "the trust root's repository cannot be asked", code="ROOT_SOURCE", seen=str(error)
        ) from error
    if status in {403, 404}:
        return None
    if status != 200:
        raise EvidenceError(
            "the trust root's repository refuses", code="ROOT_SOURCE", seen=f"status {status} for {printable(path)}"
        )
    return _screened(path, content)


def _target(updater: Updater, name: str) -> bytes | None:
    described = updater.get_targetinfo(name)
    if described is None:
        return None
    if described.length > MAX_TARGET_BYTES:
        raise EvidenceError(
            "a file of the trust root is too large", code="ROOT_METADATA", expected=f"at most {MAX_TARGET_BYTES} bytes"
        )
    return Path(updater.download_target(described)).read_bytes()


def _screened(path: str, content: bytes) -> bytes:
    if not path.startswith(_TARGETS):
        screen_metadata(content)
    return content


def _cached(folder: Path, path: str) -> bytes | None:
    """Return what a repository would serve under this path: roots by their version, other roles as they stand.

    A root that was kept although the rest of its update failed counts: what it revokes is not used offline either.
    """
    name = path.removeprefix("/")
    version, _, role = name.partition(".")
    if role == "root.json":
        places = [folder / kept / _HISTORY / name for kept in (_METADATA, _STATE)]
    else:
        places = [folder / _METADATA / (role if version.isdigit() else name)]
    return next((place.read_bytes() for place in places if place.is_file()), None)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Turn errors of python-tuf and of the disk into the gate's own."""
    try:
        yield
    except DownloadError as error:
        raise EvidenceError(
            "the trust root's repository cannot be asked", code="ROOT_SOURCE", seen=printable(str(error))
        ) from error
    except RepositoryError as error:
        raise EvidenceError(
            "the trust root's repository is refused", code=_code(error), seen=printable(str(error))
        ) from error
    except OSError as error:
        raise StorageError(
            "the metadata of a trusted root cannot be kept", code="STORE_UNAVAILABLE", seen=error.strerror or ""
        ) from error


_Code = Literal["ROOT_ROLLBACK", "ROOT_DIGEST", "ROOT_EXPIRED", "ROOT_METADATA", "ROOT_THRESHOLD"]


def _code(error: RepositoryError) -> _Code:
    match error:
        case ExpiredMetadataError():
            return "ROOT_EXPIRED"
        case BadVersionNumberError():
            return "ROOT_ROLLBACK"
        case UnsignedMetadataError():
            return "ROOT_THRESHOLD"
        case LengthOrHashMismatchError():
            return "ROOT_DIGEST"
        case _:
            return "ROOT_METADATA"
