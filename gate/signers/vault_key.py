"""A key in HashiCorp Vault's (or OpenBao's) transit engine: `hashivault://NAME`.

Address, token and authority are Vault's own variables (`VAULT_ADDR`, `VAULT_TOKEN` or `~/.vault-token`, `VAULT_NAMESPACE`,
`VAULT_CACERT`); `TRANSIT_SECRET_ENGINE_PATH` names the engine, as for Cosign. A token is never sent over plain HTTP,
except to literal loopback. The version of the key is the latest when the signer is made, and every signature asks for it.

Specification: Vault HTTP API, `transit/keys/:name` and `transit/sign/:name`; sigstore `pkg/signature/kms/hashivault/`.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gate.model.signer import KeyAlgorithm
from gate.signers.service_key import (
    CONNECT_SECONDS,
    READ_SECONDS,
    ServiceSigner,
    SignRequest,
    malformed_uri,
    require_extra,
    service_fault,
    unsupported_key,
)

_URI: Final = re.compile(r"hashivault://(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?)")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_HASHES: Final[Mapping[str, str]] = {"sha256": "sha2-256", "sha384": "sha2-384", "sha512": "sha2-512"}
_KINDS: Final = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096")


def parse_vault_uri(uri: str) -> str:
    """Return the name of the key in a `hashivault:` URI; raises KeyFileError `KEY_URI`."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise malformed_uri("hashivault", "hashivault://KEY, the name of a key of the transit engine", uri)
    return match["name"]


def open_vault_key(uri: str) -> ServiceSigner:
    """Return the signer for a `hashivault:` URI.

    Raises:
        KeyFileError: `KEY_URI`, `KEY_UNSUPPORTED`, `KEY_WEAK`.
        EvidenceError: `KEY_SERVICE`.
    """
    name = parse_vault_uri(uri)
    require_extra("hvac", "vault", "hashivault")
    return ServiceSigner(VaultKey(name, os.environ.get("VAULT_ADDR", "")))


class VaultKey:
    """One key of a transit engine, at the version that was the latest."""

    __slots__ = ("_engine", "_name", "_transit", "_version")

    def __init__(self, name: str, address: str) -> None:
        import hvac  # noqa: PLC0415 - an extra

        _expect_safe(address)
        self._name = name
        self._version = 0
        self._engine = os.environ.get("TRANSIT_SECRET_ENGINE_PATH", "transit")
        client = hvac.Client(
            url=address,
            namespace=os.environ.get("VAULT_NAMESPACE") or None,
            timeout=(CONNECT_SECONDS, READ_SECONDS),  # type: ignore[arg-type]  # handed on to requests as it is
            allow_redirects=False,
        )
        self._transit = client.secrets.transit

    @property
    def place(self) -> str:
        """Name the service."""
        return "Vault"

    def public_key_pem(self) -> bytes:
        """Fetch the public key of the latest version, and hold on to that version."""
        answer = self._ask(self._transit.read_key, name=self._name, mount_point=self._engine)
        try:
            data = answer["data"]
            kind, self._version = data["type"], int(data["latest_version"])
            public = data["keys"][str(self._version)]["public_key"]
        except (KeyError, TypeError, ValueError) as error:
            raise service_fault(self.place, "an answer without the key's latest version") from error
        if kind not in _KINDS:
            raise unsupported_key(self.place, str(kind), ", ".join(_KINDS))
        return _edwards_pem(public, self.place) if kind == "ed25519" else str(public).encode()

    def sign(self, request: SignRequest) -> bytes:
        """Have the digest signed, or the bytes themselves by Ed25519."""
        prehashed = request.algorithm is not KeyAlgorithm.ED25519
        how: dict[str, Any] = {}
        if prehashed:
            how = {"hash_algorithm": _HASHES[request.hash_name], "prehashed": True}
        if request.algorithm is KeyAlgorithm.RSA_PKCS1:
            how["signature_algorithm"] = "pkcs1v15"
        elif prehashed:
            how["marshaling_algorithm"] = "asn1"
        answer = self._ask(
            self._transit.sign_data,
            name=self._name,
            hash_input=base64.b64encode(request.digest if prehashed else request.data).decode("ascii"),
            key_version=self._version,
            mount_point=self._engine,
            **how,
        )
        try:
            _vault, version, encoded = str(answer["data"]["signature"]).split(":")
            signature = base64.b64decode(encoded, validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise service_fault(self.place, "an answer without a signature") from error
        if version != f"v{self._version}":
            raise service_fault(self.place, f"a signature by version {version} of the key")
        return signature

    def _ask(self, method: Any, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - hvac's methods and arguments
        """Call the service; its answers are JSON of no certain shape."""
        from hvac.exceptions import VaultError  # noqa: PLC0415 - an extra

        try:
            answer = method(**arguments)
        except (VaultError, requests.RequestException, ValueError) as error:
            # Only the kind: a message may repeat what was sent.
            raise service_fault(self.place, type(error).__name__) from error
        if not isinstance(answer, Mapping):
            raise service_fault(self.place, "an answer that is no JSON object")
        return answer


def _edwards_pem(text: object, place: str) -> bytes:
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(str(text), validate=True))
    except ValueError as error:
        raise service_fault(place, "an Ed25519 key that cannot be read") from error
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _expect_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return
    raise malformed_uri("hashivault", "VAULT_ADDR with an https:// address", f"{parts.scheme}://{parts.hostname or ''}")
