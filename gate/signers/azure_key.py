"""A key in Azure Key Vault or Managed HSM: `azurekms://VAULT.vault.azure.net/KEY[/VERSION]`.

Credentials are those of Azure's own chain (`AZURE_CLIENT_ID` and its kin, workload identity, managed identity, `az login`).
Without a version, the latest is taken when the signer is made, and every signature is by that one. An identity needs
`get` and `sign` on keys.

Specification: Key Vault REST API, keys `get` and `sign` (JWS algorithms; ECDSA answers are two numbers, turned into DER);
sigstore `pkg/signature/kms/azure/client.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gate.model.signer import KeyAlgorithm
from gate.signers.service_key import (
    CONNECT_SECONDS,
    READ_SECONDS,
    ServiceSigner,
    SignRequest,
    der_signature,
    malformed_uri,
    require_extra,
    service_fault,
    unsupported_key,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.keys import KeyVaultKey

# Sovereign clouds have domains of their own; a host outside of these would be sent a token for the vault.
_URI: Final = re.compile(
    r"azurekms://(?P<host>[a-z0-9-]{3,24}\.(?:vault|managedhsm)\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))"
    r"/(?P<key>[A-Za-z0-9-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?",
    re.IGNORECASE,
)
_ALGORITHMS: Final[Mapping[KeyAlgorithm, str]] = {
    KeyAlgorithm.ECDSA_P256: "ES256",
    KeyAlgorithm.ECDSA_P384: "ES384",
    KeyAlgorithm.ECDSA_P521: "ES512",
    KeyAlgorithm.RSA_PKCS1: "RS256",
}
_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_PLACE: Final = "Azure Key Vault"


def parse_azure_uri(uri: str) -> tuple[str, str, str]:
    """Return host, key and version ("": the latest) of an `azurekms:` URI; raises KeyFileError `KEY_URI`."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise malformed_uri("azurekms", "azurekms://VAULT.vault.azure.net/KEY[/VERSION]", uri)
    return match["host"], match["key"], match["version"] or ""


def open_azure_key(uri: str, credential: TokenCredential | None = None, **pipeline: Any) -> ServiceSigner:  # noqa: ANN401
    """Return the signer for an `azurekms:` URI; `credential` and the SDK's `pipeline` settings are by default its own.

    Raises:
        KeyFileError: `KEY_URI`, `KEY_UNSUPPORTED`, `KEY_WEAK`.
        EvidenceError: `KEY_SERVICE`.
    """
    host, name, version = parse_azure_uri(uri)
    require_extra("azure.keyvault", "azure", "azurekms")
    return ServiceSigner(AzureKey(host, name, version, credential, pipeline))


class AzureKey:
    """One version of a key in a vault."""

    __slots__ = ("_credential", "_host", "_key", "_name", "_settings", "_version")

    def __init__(
        self, host: str, name: str, version: str, credential: TokenCredential | None, pipeline: Mapping[str, Any]
    ) -> None:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra, and slow to load

        self._host, self._name, self._version = host, name, version
        self._credential = credential or DefaultAzureCredential()
        self._settings = {
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retry_total": 2,
            **pipeline,
        }
        self._key: KeyVaultKey | None = None

    @property
    def place(self) -> str:
        """Name the service."""
        return _PLACE

    def public_key_pem(self) -> bytes:
        """Fetch the public key, and hold on to its version."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - an extra
        from azure.keyvault.keys import KeyClient  # noqa: PLC0415

        try:
            with KeyClient(f"https://{self._host}", self._credential, **self._settings) as client:
                self._key = client.get_key(self._name, self._version or None)
        except AzureError as error:
            raise service_fault(_PLACE, type(error).__name__) from error
        return _pem(self._key.key)

    def sign(self, request: SignRequest) -> bytes:
        """Have the digest signed by the version whose public key was fetched."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - an extra
        from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm  # noqa: PLC0415

        algorithm = _ALGORITHMS.get(request.algorithm)
        if algorithm is None or self._key is None:
            raise unsupported_key(_PLACE, request.algorithm, "ECDSA or RSA")
        try:
            with CryptographyClient(self._key, self._credential, **self._settings) as client:
                answer = client.sign(SignatureAlgorithm(algorithm), request.digest)
        except (AzureError, NotImplementedError, ValueError) as error:
            raise service_fault(_PLACE, type(error).__name__) from error
        is_curve = request.algorithm is not KeyAlgorithm.RSA_PKCS1
        return der_signature(answer.signature, _PLACE) if is_curve else answer.signature


def _pem(key: Any) -> bytes:  # noqa: ANN401 - JsonWebKey makes its attributes at run time
    """Return the key as PEM from its JWK numbers."""
    # Enumerations, or plain text for what this version of the SDK does not know.
    kind, curve = (str(getattr(name, "value", name)) for name in (key.kty, key.crv))
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    try:
        if kind.startswith("RSA"):
            public = rsa.RSAPublicNumbers(_number(key.e), _number(key.n)).public_key()
        elif kind.startswith("EC") and curve in _CURVES:
            public = ec.EllipticCurvePublicNumbers(_number(key.x), _number(key.y), _CURVES[curve]).public_key()
        else:
            raise unsupported_key(_PLACE, f"{kind} {curve}", "EC with P-256, P-384 or P-521, or RSA")
    except ValueError as error:
        raise service_fault(_PLACE, "a public key that cannot be read") from error
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _number(data: object) -> int:
    return int.from_bytes(data, "big") if isinstance(data, bytes) else 0
