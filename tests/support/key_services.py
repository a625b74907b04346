"""Three key services on loopback: the parts of their HTTP interfaces that signing uses.

Google Cloud KMS, Vault's transit engine and Azure Key Vault are emulated here after their published REST references: no
emulator of them can be had from PyPI. Each has one key, checks the credential that its client must send, and can be told
to misbehave.
"""

# ruff: noqa: ANN401 - bodies are JSON of any shape

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

TOKEN: Final = "s.loopback-token"
VAULT_KEY: Final = "release"
GCP_KEY: Final = "projects/shop/locations/global/keyRings/gate/cryptoKeys/release"
AZURE_HOST: Final = "shop.vault.azure.net"
AZURE_VERSION: Final = "0123456789abcdef0123456789abcdef"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_SHA2: Final = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}


def sign_digest(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a digest as services do (ECDSA: DER)."""
    prehashed = utils.Prehashed(_SHA2[len(digest)])
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(digest, ec.ECDSA(prehashed))
        case rsa.RSAPrivateKey():
            return key.sign(digest, padding.PKCS1v15(), prehashed)
        case ed25519.Ed25519PrivateKey():
            raise AssertionError("Ed25519 signs bytes")


def pem(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@dataclass(kw_only=True)
class EmulatedService:
    """One service with one key; `signer` is what really signs (another key: a service that lies), `asked` what came in."""

    key: PrivateKey
    signer: PrivateKey | None = None
    status: int = 200
    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def sign(self, digest: bytes) -> bytes:
        return sign_digest(self.signer or self.key, digest)


Answer = Callable[[EmulatedService, str, str, Any, str], tuple[int, Any, dict[str, str]]]


@contextmanager
def emulated(service: EmulatedService, answer: Answer) -> Iterator[EmulatedService]:
    """Serve on loopback; `answer` gets method, path, JSON body and authorization, and gives status, JSON and headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                body = raw.decode()
            service.asked.append((self.command, self.path, body))
            credential = self.headers.get("Authorization") or self.headers.get("X-Vault-Token") or ""
            status, content, headers = answer(service, self.command, self.path, body, credential)
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - names of the base class

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def vault_answer(
    service: EmulatedService, method: str, path: str, body: Any, credential: str
) -> tuple[int, Any, dict[str, str]]:
    """Answer as Vault's transit engine: `keys/:name` and `sign/:name`."""
    if credential != TOKEN or service.status != 200:
        return (403 if credential != TOKEN else service.status), {"errors": ["permission denied"]}, {}
    if method == "GET" and path == f"/v1/transit/keys/{VAULT_KEY}":
        return 200, {"data": _vault_key(service.key)}, {}
    if path.startswith(f"/v1/transit/sign/{VAULT_KEY}"):
        return 200, {"data": {"signature": f"vault:v{body['key_version']}:{_vault_signature(service, path, body)}"}}, {}
    return 404, {"errors": []}, {}


def _vault_key(key: PrivateKey) -> dict[str, Any]:
    kind, public = "ed25519", pem(key)
    match key:
        case ec.EllipticCurvePrivateKey():
            kind = f"ecdsa-p{key.curve.key_size}"
        case rsa.RSAPrivateKey():
            kind = f"rsa-{key.key_size}"
        case ed25519.Ed25519PrivateKey():
            public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return {"type": kind, "latest_version": 3, "keys": {"1": {"public_key": "old"}, "3": {"public_key": public}}}


def _vault_signature(service: EmulatedService, path: str, body: Any) -> str:
    given = base64.b64decode(body.get("input") or body["hash_input"])
    signer = service.signer or service.key
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return base64.b64encode(signer.sign(given)).decode()
    assert body["prehashed"] is True
    named = body.get("hash_algorithm") or path.rpartition("/")[2]
    assert named == {32: "sha2-256", 48: "sha2-384", 64: "sha2-512"}[len(given)]
    if isinstance(signer, rsa.RSAPrivateKey):
        assert body["signature_algorithm"] == "pkcs1v15"
    return base64.b64encode(service.sign(given)).decode()


def gcp_answer(
    service: EmulatedService, method: str, path: str, body: Any, credential: str
) -> tuple[int, Any, dict[str, str]]:
    """Answer as Google's token endpoint and Cloud KMS v1."""
    if path == "/token":
        return 200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}, {}
    if credential != f"Bearer {TOKEN}" or service.status != 200:
        return (401 if service.status == 200 else service.status), {"error": {"status": "PERMISSION_DENIED"}}, {}
    name = f"/v1/{GCP_KEY}/cryptoKeyVersions"
    if method == "GET" and path.startswith(f"{name}?filter=state%3DENABLED"):
        return 200, {"cryptoKeyVersions": [{"name": f"{name[4:]}/{number}"} for number in (2, 10, 9)]}, {}
    if path == f"{name}/10/publicKey":
        return 200, {"pem": pem(service.key), "algorithm": _gcp_algorithm(service.key), "name": path}, {}
    if method == "POST" and path == f"{name}/10:asymmetricSign":
        (digest,) = body["digest"].values()
        return 200, {"signature": base64.b64encode(service.sign(base64.b64decode(digest))).decode()}, {}
    return 404, {"error": {"status": "NOT_FOUND"}}, {}


def _gcp_algorithm(key: PrivateKey) -> str:
    match key:
        case ec.EllipticCurvePrivateKey():
            size = key.curve.key_size
            return f"EC_SIGN_P{size}_SHA{size}"
        case rsa.RSAPrivateKey():
            return f"RSA_SIGN_PKCS1_{key.key_size}_SHA256"
        case ed25519.Ed25519PrivateKey():
            return "EC_SIGN_ED25519"


def azure_answer(
    service: EmulatedService, method: str, path: str, body: Any, credential: str
) -> tuple[int, Any, dict[str, str]]:
    """Answer as Key Vault: the challenge that names the resource, `keys/:name` and `sign`."""
    if not credential:
        challenge = (
            'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"'
        )
        return 401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge}
    if credential != f"Bearer {TOKEN}" or service.status != 200:
        return (403 if service.status == 200 else service.status), {"error": {"code": "Forbidden", "message": ""}}, {}
    kid = f"https://{AZURE_HOST}/keys/release/{AZURE_VERSION}"
    place = path.partition("?")[0].rstrip("/")
    if method == "GET" and place in {"/keys/release", f"/keys/release/{AZURE_VERSION}"}:
        return 200, {"key": {"kid": kid, "key_ops": ["sign", "verify"], **_jwk(service.key)}, "attributes": {}}, {}
    if method == "POST" and place == f"/keys/release/{AZURE_VERSION}/sign":
        return 200, {"kid": kid, "value": _unpadded(_azure_signature(service, body))}, {}
    return 404, {"error": {"code": "KeyNotFound", "message": ""}}, {}


def _jwk(key: PrivateKey) -> dict[str, str]:
    match key:
        case ec.EllipticCurvePrivateKey():
            numbers, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
            point = {name: _unpadded(getattr(numbers, name).to_bytes(size, "big")) for name in ("x", "y")}
            return {"kty": "EC", "crv": f"P-{key.curve.key_size}", **point}
        case rsa.RSAPrivateKey():
            modulus = key.public_key().public_numbers().n
            return {"kty": "RSA", "n": _unpadded(modulus.to_bytes(key.key_size // 8, "big")), "e": "AQAB"}
        case ed25519.Ed25519PrivateKey():
            return {"kty": "OKP", "crv": "Ed25519", "x": _unpadded(key.public_key().public_bytes_raw())}


def _azure_signature(service: EmulatedService, body: Any) -> bytes:
    digest = base64.urlsafe_b64decode(body["value"] + "=" * (-len(body["value"]) % 4))
    signed = service.sign(digest)
    if isinstance(service.key, rsa.RSAPrivateKey):
        assert body["alg"] == "RS256"
        return signed
    assert isinstance(service.key, ec.EllipticCurvePrivateKey)
    assert body["alg"] == {256: "ES256", 384: "ES384", 521: "ES512"}[service.key.curve.key_size]
    size = (service.key.curve.key_size + 7) // 8
    return b"".join(number.to_bytes(size, "big") for number in utils.decode_dss_signature(signed))


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
