"""`gate keys`: a P-256 pair in Cosign's form and public halves of other keys, in files that are never overwritten.

Refuses to replace anything, a dangling link included. Both files appear whole or not at all, and the private one is
readable by its owner alone from its first byte.

Specification: formats reference, section 11.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

from gate.codec.keys import render_public_key
from gate.codec.private_keys import NONCE_BYTES, SALT_BYTES, render_cosign_key
from gate.errors import KeyFileError, StorageError
from gate.signers.file_key import FileSigner

if TYPE_CHECKING:
    from gate.model.signer import PublicKey

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Where a new pair was written, and its public key."""

    private_path: Path
    public_path: Path
    public_key: PublicKey


def generate_key_pair(directory: Path, password: bytes, *, name: str = "gate") -> KeyPair:
    """Make `NAME.key` (encrypted with the password, which may be empty) and `NAME.pub` in the directory, made if missing.

    Raises:
        KeyFileError: `KEY_EXISTS` where one of the two is there already.
        StorageError: `OUT_WRITE` where the directory cannot be written.
    """
    private_path, public_path = directory / f"{name}.key", directory / f"{name}.pub"
    for path in (private_path, public_path):
        if os.path.lexists(path):
            raise _exists(path)
    _make_folder(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = render_cosign_key(
        key, password, salt=secrets.token_bytes(SALT_BYTES), nonce=secrets.token_bytes(NONCE_BYTES)
    )
    public_key = FileSigner(key).public_key
    _write_pair({private_path: (sealed, PRIVATE_MODE), public_path: (render_public_key(public_key), PUBLIC_MODE)})
    return KeyPair(private_path=private_path, public_path=public_path, public_key=public_key)


def _make_folder(directory: Path) -> None:
    """Make the folder where it is missing, its owner's alone: a private key will stand in it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {directory} cannot be made", code="OUT_WRITE", seen=error.strerror or "an error"
        ) from error


def write_public_key(path: Path, key: PublicKey) -> None:
    """Write a public key as one PEM block.

    Raises:
        KeyFileError: `KEY_EXISTS`.
        StorageError: `OUT_WRITE`.
    """
    if os.path.lexists(path):
        raise _exists(path)
    _write_new(path, render_public_key(key), PUBLIC_MODE)


def _write_pair(files: dict[Path, tuple[bytes, int]]) -> None:
    written: list[Path] = []
    try:
        for path, (content, mode) in files.items():
            _write_new(path, content, mode)
            written.append(path)
    except (KeyFileError, StorageError):
        # Half a pair would be taken for a whole one.
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write beside the name and link to it: linking fails where the name exists, and never shows half a file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise StorageError(
            f"the key file {path} cannot be written", code="OUT_WRITE", seen=error.strerror or "an error"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _exists(path: Path) -> KeyFileError:
    return KeyFileError(f"{path} is there already", code="KEY_EXISTS", expected="a name that is free")
