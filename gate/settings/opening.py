"""What the Python API opens for its caller: a signer, a public key, a requirement; each raises what the commands would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.codec.keys import parse_public_key
from gate.signers.key_file import read_key_file

if TYPE_CHECKING:
    from pathlib import Path

    from gate.model.requirement import Requirement
    from gate.model.signer import PublicKey
    from gate.signers.signer import Signer


def open_signer(uri: str, *, password: bytes = b"", offline: bool = False) -> Signer:
    """Return the signer that a key's file or a key URI names.

    Raises:
        KeyFileError: one of the codes `KEY_*`.
    """
    from gate.signers.uri import signer_for  # noqa: PLC0415 - who only verifies loads no private keys

    return signer_for(uri, lambda: password, offline=offline)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file; raises KeyFileError."""
    return parse_public_key(read_key_file(path))


def read_requirement(path: Path) -> Requirement:
    """Return a requirement with the files that it points to; raises PolicyError, KeyFileError."""
    # Loaded where there is one: flags need no YAML.
    from gate.codec.requirement.document import parse_requirement  # noqa: PLC0415
    from gate.settings.policy_folder import PolicyFolder, document_name, read_document  # noqa: PLC0415

    return parse_requirement(read_document(path), name=document_name(path), files=PolicyFolder.of(path))
