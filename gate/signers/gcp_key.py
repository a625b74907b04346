"""A key in Google Cloud KMS: `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/V]`.

Over the service's REST interface with Google's own library for credentials (application default credentials: a
service account's file, workload identity, the metadata server). The full client would bring gRPC and protobuf for three
requests (docs/adr). Without a version, the greatest enabled one is taken. `CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS`, the
variable of `gcloud`, names another endpoint.

Specification: Cloud KMS REST v1, `cryptoKeyVersions.getPublicKey` and `.asymmetricSign`; sigstore
`pkg/signature/kms/gcp/client.go`.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests

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

_PART: Final = r"[A-Za-z0-9_.:-]{1,63}"
_URI: Final = re.compile(
    rf"gcpkms://(?P<key>projects/{_PART}/locations/{_PART}/keyRings/{_PART}/cryptoKeys/{_PART})"
    r"(?:/(?:versions|cryptoKeyVersions)/(?P<version>[1-9][0-9]{0,8}))?"
)
_ENDPOINT: Final = "https://cloudkms.googleapis.com/"
_ENDPOINT_VARIABLE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"
_SCOPE: Final = "https://www.googleapis.com/auth/cloudkms"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_TIMES: Final = (CONNECT_SECONDS, READ_SECONDS)
# RSA_SIGN_PSS_* is left out on purpose: Cosign reads RSA as PKCS #1 v1.5 alone.
_ALGORITHM: Final = re.compile(r"EC_SIGN_P256_SHA256|EC_SIGN_P384_SHA384|RSA_SIGN_PKCS1_(?:2048|3072|4096)_SHA256")


def parse_gcp_uri(uri: str) -> tuple[str, int]:
    """Return resource name and version (0: not said) of a `gcpkms:` URI; raises KeyFileError `KEY_URI`."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise malformed_uri(
            "gcpkms", "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/V]", uri
        )
    return match["key"], int(match["version"] or 0)


def open_gcp_key(uri: str) -> ServiceSigner:
    """Return the signer for a `gcpkms:` URI.

    Raises:
        KeyFileError: `KEY_URI`, `KEY_UNSUPPORTED`, `KEY_WEAK`.
        EvidenceError: `KEY_SERVICE`.
    """
    key, version = parse_gcp_uri(uri)
    require_extra("google.auth", "gcp", "gcpkms")
    return ServiceSigner(GcpKey(key, version, os.environ.get(_ENDPOINT_VARIABLE, _ENDPOINT)))


class GcpKey:
    """One version of a key in Cloud KMS."""

    __slots__ = ("_base", "_key", "_session", "_version")

    def __init__(self, key: str, version: int, endpoint: str) -> None:
        self._key = key
        self._version = version
        self._base = _checked(endpoint)
        self._session = _session(self.place)

    @property
    def place(self) -> str:
        """Name the service."""
        return "Google Cloud KMS"

    def public_key_pem(self) -> bytes:
        """Fetch the public key of the version that signs."""
        if not self._version:
            self._version = self._greatest_enabled()
        answer = self._ask("GET", f"{self._name}/publicKey")
        algorithm = str(answer.get("algorithm"))
        if _ALGORITHM.fullmatch(algorithm) is None:
            raise unsupported_key(
                self.place, algorithm, "EC_SIGN_P256_SHA256, EC_SIGN_P384_SHA384, RSA_SIGN_PKCS1_*_SHA256"
            )
        return str(answer.get("pem", "")).encode()

    def sign(self, request: SignRequest) -> bytes:
        """Have the digest signed."""
        if request.algorithm is KeyAlgorithm.ED25519:
            raise unsupported_key(self.place, request.algorithm, "ECDSA or RSA")
        digest = {request.hash_name: base64.b64encode(request.digest).decode("ascii")}
        answer = self._ask("POST", f"{self._name}:asymmetricSign", {"digest": digest})
        try:
            return base64.b64decode(str(answer["signature"]), validate=True)
        except (KeyError, ValueError) as error:
            raise service_fault(self.place, "an answer without a signature") from error

    @property
    def _name(self) -> str:
        return f"{self._key}/cryptoKeyVersions/{self._version}"

    def _greatest_enabled(self) -> int:
        answer = self._ask("GET", f"{self._key}/cryptoKeyVersions?filter=state%3DENABLED&pageSize=1000")
        try:
            return max(int(str(entry["name"]).rpartition("/")[2]) for entry in answer["cryptoKeyVersions"])
        except (KeyError, TypeError, ValueError) as error:
            raise service_fault(self.place, "no enabled version of the key") from error

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - an extra

        try:
            answer = self._session.request(
                method, f"{self._base}v1/{path}", json=body, timeout=_TIMES, allow_redirects=False
            )
            if answer.status_code != 200:
                raise service_fault(self.place, f"status {answer.status_code}")
            found = answer.json()
        except (GoogleAuthError, requests.RequestException) as error:
            raise service_fault(self.place, type(error).__name__) from error
        if not isinstance(found, Mapping):
            raise service_fault(self.place, "an answer that is no JSON object")
        return found


def _session(place: str) -> requests.Session:
    import google.auth  # noqa: PLC0415 - an extra
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

    try:
        credentials, _project = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as error:
        raise service_fault(place, type(error).__name__) from error
    session: requests.Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session


def _checked(endpoint: str) -> str:
    """Return the endpoint with its last slash; a token is never sent over plain HTTP, except to literal loopback."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return f"{endpoint.rstrip('/')}/"
    raise malformed_uri(
        "gcpkms", f"{_ENDPOINT_VARIABLE} with an https:// address", f"{parts.scheme}://{parts.hostname}"
    )
