"""The uncompressed layers of one image in a private folder, and the layout of them that both scanners read.

The bytes are those whose digest was compared with the diff id: no second inflater can take the layers for something else, and
none spends the time again. The folder is a run's own scratch: bounded by the limit on uncompressed bytes, and swept after a
kill with the rest of it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.codec.plain_manifest import render_plain_manifest
from gate.codec.strict_json import canonical_json
from gate.disk.blob_files import open_below, read_chunks
from gate.errors import StorageError
from gate.images.blob_store import LAYOUT_MARK
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gate.codec.strict_json import JsonValue
    from gate.model.image import Descriptor, ImageManifest

_BLOB_MODE: Final = 0o400


class PlainLayers:
    """A folder of tars by diff id, which becomes an OCI layout; one thread writes it at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs = folder / "blobs" / "sha256"
        with _storage(folder):
            self._blobs.mkdir(mode=0o700, parents=True)

    @contextmanager
    def keep(self, diff_id: Digest) -> Iterator[Callable[[bytes], None]]:
        """Provide what takes the pieces of a tar; it is kept only if the block ends without an error."""
        partial = self._blobs / f"{diff_id.hex}.partial"
        with _storage(self._folder):
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:

                def write(piece: bytes) -> None:
                    with _storage(self._folder):
                        _write_all(file.fileno(), piece)

                yield write
            with _storage(self._folder):
                partial.chmod(_BLOB_MODE)
                partial.replace(self._blobs / diff_id.hex)
        finally:
            partial.unlink(missing_ok=True)

    def has(self, manifest: ImageManifest) -> bool:
        """Say whether every layer of a plain manifest is here."""
        return all((self._blobs / layer.digest.hex).is_file() for layer in manifest.layers)

    def chunks(self, layer: Descriptor) -> Iterator[bytes]:
        """Yield the bytes of a tar, for the gate's own second look: whoever reads them compares the digest."""
        with _storage(self._folder):
            yield from read_chunks(open_below(self._folder, "blobs", "sha256", layer.digest.hex))

    def write_layout(self, manifest: ImageManifest, config: bytes) -> Path:
        """Add manifest, configuration and index, and return the layout's folder."""
        content = render_plain_manifest(manifest)
        entry: JsonValue = {"mediaType": manifest.media_type, "digest": str(Digest.of(content)), "size": len(content)}
        index = canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        with _storage(self._folder):
            for blob in (content, config):
                (self._blobs / Digest.of(blob).hex).write_bytes(blob)
            (self._folder / "oci-layout").write_bytes(LAYOUT_MARK)
            (self._folder / "index.json").write_bytes(index)
        return self._folder


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            "the uncompressed layers cannot be kept for the scanners",
            code="CACHE_UNAVAILABLE",
            expected=f"room for them in {folder.parent}",
            seen=error.strerror or "an input/output error",
        ) from error
