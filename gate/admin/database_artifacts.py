"""Trivy's databases as OCI artifacts: from a registry, from a layout on disk, or as Trivy's own cache directory.

The artifact's manifest is named by digest or by a tag that nobody signed; from the manifest on every byte is checked by
digest, and the digest of what was taken is recorded as the source. Of the archive only two names are taken, as they are
and never as paths.

Specification: checks reference, section 4.1; Trivy v0.72.0 `pkg/oci/artifact.go`, `pkg/db/db.go`, `pkg/javadb/client.go`.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from gate.codec.oci import parse_listing, parse_manifest
from gate.errors import DatabaseError, GateError
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Descriptor, ImageManifest
from gate.model.reference import RegistryReference
from gate.registry.client import RegistryClient
from gate.scanners.database_store import FILES, Database, DatabaseKind, add_entry, make_store

MAX_LAYER_BYTES: Final = 4 << 30
MAX_DATABASE_BYTES: Final = 16 << 30
LAYER_TYPES: Final[Mapping[str, DatabaseKind]] = MappingProxyType(
    {
        "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip": DatabaseKind.TRIVY,
        "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip": DatabaseKind.JAVA,
    }
)


def source_fault(message: str, *, code: str = "DB_SOURCE", expected: str = "", seen: str = "") -> DatabaseError:
    """Make (not raise) the error about where a database was to come from."""
    return DatabaseError(
        message,
        code=code,
        expected=expected,
        seen=seen,
        next_step="Name another source (`gate db update --help`), or use `gate db import FILE`.",
    )


def add_from_registry(directory: Path, client: RegistryClient, reference: RegistryReference) -> Database:
    """Fetch an artifact and add its database to the store, not yet current.

    Raises:
        DatabaseError: `DB_SOURCE` for what is no such artifact, `DB_MALFORMED` for a database that cannot be used.
        RegistryError: the registry, or bytes that are not the digest's.
    """
    named = reference.digest or reference.tag
    if named is None:
        raise source_fault("the database has no tag and no digest", seen=str(reference))
    fetched = client.manifest(reference.repository, named)
    manifest = _manifest(fetched.content, fetched.media_type)
    kind, layer = _layer(manifest, str(reference))
    source = f"{reference.repository}@{fetched.digest}"
    with tempfile.TemporaryFile(dir=make_store(directory)) as blob:
        for block in client.blob(reference.repository, layer):
            blob.write(block)
        blob.seek(0)
        return _add(directory, kind, blob, source)


def add_from_layout(directory: Path, layout: Path) -> Iterator[Database]:
    """Add the databases of every artifact in an OCI layout to the store; raises as `add_from_registry`."""
    try:
        listing = parse_listing((layout / "index.json").read_bytes())
        for entry in listing.manifests:
            content = _blob(layout, entry.digest).read_bytes()
            if Digest.of(content) != entry.digest:
                raise source_fault("a manifest in the layout is damaged", code="DB_DIGEST", expected=entry.digest.text)
            kind, layer = _layer(_manifest(content, entry.media_type), str(layout))
            with _blob(layout, layer.digest).open("rb") as blob:
                _demand_digest(blob, layer.digest)
                yield _add(directory, kind, blob, f"{layout.name}@{entry.digest}")
    except OSError as error:
        raise source_fault("the layout cannot be read", seen=error.strerror or "", expected=str(layout)) from error


def add_from_trivy_cache(directory: Path, cache: Path) -> Iterator[Database]:
    """Add the databases that stand in a cache directory of Trivy's; raises DatabaseError."""
    for kind in (DatabaseKind.TRIVY, DatabaseKind.JAVA):
        if (cache / FILES[kind][0]).is_file():
            yield add_entry(directory, kind, partial(copy_files, cache, kind=kind), source=cache.name)


def copy_files(source: Path, place: Path, *, kind: DatabaseKind) -> None:
    """Copy the files of a kind, laid out alike, into an entry; raises OSError."""
    for name in FILES[kind]:
        (place / name).parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(source / name, place / name, follow_symlinks=True)


def _manifest(content: bytes, media_type: str) -> ImageManifest:
    if media_type != OCI_MANIFEST:
        raise source_fault("the database is not an OCI artifact", expected=OCI_MANIFEST, seen=media_type[:120])
    try:
        return parse_manifest(content, media_type=media_type)
    except GateError as error:
        raise source_fault("the artifact's manifest is malformed", seen=error.message) from error


def _layer(manifest: ImageManifest, place: str) -> tuple[DatabaseKind, Descriptor]:
    if len(manifest.layers) != 1 or manifest.layers[0].media_type not in LAYER_TYPES:
        seen = ", ".join(layer.media_type for layer in manifest.layers[:3])
        raise source_fault(f"{place} holds no database of Trivy's", expected=" or ".join(LAYER_TYPES), seen=seen[:200])
    layer = manifest.layers[0]
    if layer.size > MAX_LAYER_BYTES:
        raise source_fault("the database is too large", expected=f"at most {MAX_LAYER_BYTES}", seen=str(layer.size))
    return LAYER_TYPES[layer.media_type], layer


def _blob(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / "sha256" / digest.hex


def _demand_digest(blob: BufferedReader, expected: Digest) -> None:
    seen = Digest.from_hex(hashlib.file_digest(blob, "sha256").hexdigest())
    blob.seek(0)
    if seen != expected:
        raise source_fault("a blob in the layout is damaged", code="DB_DIGEST", expected=expected.text, seen=seen.text)


def _add(directory: Path, kind: DatabaseKind, archive: BinaryIO, source: str) -> Database:
    return add_entry(directory, kind, lambda place: _unpack(archive, place, kind), source=source)


def _unpack(archive: BinaryIO, place: Path, kind: DatabaseKind) -> None:
    """Write the two files of a kind out of a gzipped tar; every other member is refused."""
    wanted = {Path(name).name: place / name for name in FILES[kind]}
    left = MAX_DATABASE_BYTES
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as opened:
            for entry in opened:
                target, content = wanted.pop(entry.name.removeprefix("./"), None), opened.extractfile(entry)
                left -= entry.size
                if target is None or content is None or left < 0:
                    raise source_fault("the archive holds something else", expected=", ".join(FILES[kind]))
                target.parent.mkdir(mode=0o700, exist_ok=True)
                with content, target.open("xb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
    except (tarfile.TarError, EOFError) as error:
        raise source_fault("the database's archive is cut off or no archive", code="DB_MALFORMED") from error
    if wanted:
        raise source_fault("the archive lacks a file", code="DB_MALFORMED", expected=", ".join(sorted(wanted)))
