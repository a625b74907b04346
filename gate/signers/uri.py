"""From a key's URI to its signer.

A text without a known scheme is the path of a file. A scheme that is known and not built in is refused by name, so that
`awskms:///...` is never looked for as a file.

Specification: formats reference, section 11 (the URIs that Cosign takes).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.errors import KeyFileError
from gate.signers.file_key import FileSigner, read_key_file

if TYPE_CHECKING:
    from gate.signers.signer import PasswordSource, Signer

_FOREIGN_SCHEMES: Final = frozenset(
    {"awskms", "azurekms", "env", "gcpkms", "gitlab", "hashivault", "k8s", "pkcs11", "sigstore"}
)


def signer_for(uri: str, password: PasswordSource) -> Signer:
    """Give the signer that a key URI names; `password` is asked only where the key is encrypted.

    Raises:
        KeyFileError: `KEY_MALFORMED`, `KEY_PASSWORD` or `KEY_WEAK`.
    """
    scheme, colon, _ = uri.partition(":")
    if colon and scheme in _FOREIGN_SCHEMES:
        raise KeyFileError(
            "keys of this kind cannot be used", expected="the path of a PEM file", seen=f"a key URI {scheme}:"
        )
    return FileSigner.from_pem(read_key_file(Path(uri)), password)
