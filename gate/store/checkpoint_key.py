"""The key of a record's checkpoints: made with the first checkpoint, beside the record, and used for nothing else."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gate.errors import StorageError

_MAX_BYTES: Final = 4096
_NAME: Final = "checkpoint.key"


def checkpoint_key_file(evidence_folder: Path) -> Path:
    """Return where the key of a record stands: beside its evidence."""
    return evidence_folder.with_name(_NAME)


def open_checkpoint_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in a private file, which is made where there is none.

    Raises:
        StorageError: `STORE_UNAVAILABLE`, it cannot be kept, is open to others, or is no Ed25519 key.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
        seen = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(seen.st_mode) and seen.st_size <= _MAX_BYTES else b""
    except OSError as error:
        raise StorageError("the key of checkpoints cannot be kept", seen=error.strerror or "") from error
    if seen.st_mode & 0o077:
        raise _unusable(path, "a file with mode 0600", f"mode {stat.S_IMODE(seen.st_mode):04o}")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise _unusable(path, "an Ed25519 key in PEM", "something else") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "an Ed25519 key in PEM", "another kind of key")
    return key


def _make(path: Path) -> None:
    """Make the key whole or not at all; of two first runs that come together the first one's stays."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".checkpoint-") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(file.name)


def _unusable(path: Path, expected: str, seen: str) -> StorageError:
    return StorageError(
        "the key of checkpoints cannot be used",
        expected=expected,
        seen=seen,
        next_step=f"Look at {path}. A new key is made where the file is away; auditors then need the new verifier key.",
    )
