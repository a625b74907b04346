"""From a key's URI to its signer.

A text without a known scheme is the path of a file. A scheme that is known and not built in is refused by name, so that
`k8s://...` is never looked for as a file. Each adapter is loaded only when its scheme is named.

Specification: formats reference, section 11 (the URIs that Cosign takes).
"""

# ruff: noqa: PLC0415 - a client library is loaded by the user of its scheme alone
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.errors import EvidenceError, KeyFileError
from gate.signers.file_key import FileSigner
from gate.signers.key_file import read_key_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gate.signers.instance import SigstoreAccess
    from gate.signers.signer import PasswordSource, Signer

_FOREIGN_SCHEMES: Final = frozenset({"env", "gitlab", "k8s", "sigstore"})


def _aws(uri: str, _password: PasswordSource) -> Signer:
    from gate.signers.aws_key import open_aws_key

    return open_aws_key(uri)


def _azure(uri: str, _password: PasswordSource) -> Signer:
    from gate.signers.azure_key import open_azure_key

    return open_azure_key(uri)


def _gcp(uri: str, _password: PasswordSource) -> Signer:
    from gate.signers.gcp_key import open_gcp_key

    return open_gcp_key(uri)


def _pkcs11(uri: str, password: PasswordSource) -> Signer:
    from gate.signers.pkcs11_key import open_pkcs11_key

    return open_pkcs11_key(uri, password)


def _vault(uri: str, _password: PasswordSource) -> Signer:
    from gate.signers.vault_key import open_vault_key

    return open_vault_key(uri)


# Scheme -> what opens its keys.
_OPENERS: Final[Mapping[str, Callable[[str, PasswordSource], Signer]]] = {
    "awskms": _aws,
    "azurekms": _azure,
    "gcpkms": _gcp,
    "hashivault": _vault,
    "pkcs11": _pkcs11,
}

_SERVICES: Final = frozenset({"awskms", "azurekms", "gcpkms", "hashivault"})


def signer_for(
    uri: str,
    password: PasswordSource,
    sigstore: Callable[[], SigstoreAccess] | None = None,
    *,
    offline: bool = False,
) -> Signer:
    """Return the signer that a key URI names; `password` is asked only where the key is encrypted or the device wants a PIN.

    `sigstore` gives how `sigstore:` identities are reached; without it they cannot sign. `offline` opens no connection: a
    key in a service cannot sign then.

    Raises:
        KeyFileError: `KEY_MALFORMED`, `KEY_PASSWORD`, `KEY_WEAK`, `KEY_URI`, `KEY_TOKEN` or `KEY_UNSUPPORTED`.
        EvidenceError: `KEY_SERVICE`; for identities also what their trusted root raises.
    """
    scheme, colon, _ = uri.partition(":")
    if colon and scheme == "sigstore" and sigstore is not None:
        from gate.signers.keyless import open_sigstore

        return open_sigstore(uri, sigstore())
    if colon and scheme in _SERVICES and offline:
        raise EvidenceError(
            f"the {scheme}: key is in a service", code="KEY_SERVICE", expected="a connection", seen="--offline"
        )
    if colon and scheme in _OPENERS:
        return _OPENERS[scheme](uri, password)
    if colon and scheme in _FOREIGN_SCHEMES:
        raise KeyFileError(
            "keys of this kind cannot be used",
            code="KEY_UNSUPPORTED",
            expected=f"the path of a PEM file, or one of {', '.join(f'{name}:' for name in _OPENERS)}",
            seen=f"a key URI {scheme}:",
            next_step="Look at docs/signing.md.",
        )
    return FileSigner.from_pem(read_key_file(Path(uri)), password)
