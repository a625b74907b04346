"""What the services of a Sigstore answer, as functions from a request's body to an answer's: Fulcio, Rekor, timestamps.

Each checks what the real service checks of a client (token, proof of possession, signature, kind), so that a client that
sends something else is refused here too. Bodies of log entries are built from the request, as a log does.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gate.codec.dsse import pre_authentication_encoding
from tests.support.signing import NOW
from tests.support.virtual_certificates import b64, spki
from tests.support.virtual_log import JsonObject, VirtualLog, canonical, leaf_hash
from tests.support.virtual_sigstore import CLAIMS, ISSUER, SUBJECT, VirtualSigstore, certificate_pem
from tests.support.virtual_timestamps import VirtualTimestamps

AUDIENCE: Final = "sigstore"
# The certificate extension that each claim of a GitHub token becomes (formats reference, section 8.7).
GITHUB: Final[Mapping[str, tuple[int, ...]]] = {
    "event_name": (2, 20), "sha": (3, 13), "workflow": (4,), "repository": (5,), "ref": (6, 14),
    "job_workflow_sha": (10,), "runner_environment": (11,), "repository_id": (15,), "repository_owner_id": (17,),
    "workflow_sha": (19,), "repository_visibility": (22,), "environment": (23,),
}  # fmt: skip
_SERVER: Final = "https://github.com/"
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


class RefusedRequestError(Exception):
    """The service does not take this request; the text goes to the client with `status`."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def github_claims(**changes: str) -> dict[str, str]:
    """Return the claims of a GitHub token whose certificate says what `VirtualSigstore.leaf` says by default."""
    said = {name: CLAIMS[numbers[0]] for name, numbers in GITHUB.items()}
    workflow = SUBJECT.removeprefix(_SERVER)
    said |= {"iss": ISSUER, "sub": "repo:shop/web:ref:refs/heads/main", "job_workflow_ref": workflow}
    said |= {"workflow_ref": workflow, "repository_owner": "shop", "run_id": "1", "run_attempt": "1"}
    return said | changes


@dataclass(frozen=True, kw_only=True)
class VirtualOidc:
    """An issuer of tokens, signed by one key; `url` is where its discovery document is."""

    url: str
    key: ec.EllipticCurvePrivateKey

    def token(self, claims: Mapping[str, str] | None = None, *, at: datetime | None = None, **changes: Any) -> str:  # noqa: ANN401 - any claim
        """Return a token with these claims (by default those of a GitHub workflow), for ten minutes from `at` or now."""
        issued = int((at or datetime.now(UTC)).timestamp())
        fixed = {"aud": AUDIENCE, "iat": issued, "nbf": issued, "exp": issued + 600}
        said = {"iss": self.url, **fixed, **(claims if claims is not None else github_claims()), **changes}
        return jwt.encode(said, self.key, algorithm="ES256", headers={"kid": "test"})

    def discovery(self) -> JsonObject:
        """Return the discovery document (OpenID Connect Discovery 1.0)."""
        return {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "token_endpoint": f"{self.url}/token",
            "authorization_endpoint": f"{self.url}/auth", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        }  # fmt: skip

    def keys(self) -> JsonObject:
        """Return the key set (RFC 7517)."""
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "test", "alg": "ES256", "use": "sig"}]}

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token by this issuer's key and for Sigstore; every issuer's name is taken."""
        try:
            claims: dict[str, Any] = jwt.decode(token, self.key.public_key(), algorithms=["ES256"], audience=AUDIENCE)
        except jwt.PyJWTError as error:
            raise RefusedRequestError(f"the token is not accepted: {error}", 401) from error
        return claims


def signing_certificate(sigstore: VirtualSigstore, oidc: VirtualOidc, token: str, request: JsonObject) -> list[str]:
    """Answer Fulcio's `signingCert`: the PEM certificates from the leaf to the root."""
    claims = oidc.verify(token or str(request.get("credentials", {}).get("oidcIdentityToken", "")))
    key = _requested_key(request, str(claims.get("email") or claims["sub"]))
    at = datetime.now(UTC).replace(microsecond=0)
    leaf = sigstore.leaf(at=at, subject=_subject(claims), issuer=claims["iss"], extensions=_extensions(claims))
    issued = sigstore.issue(leaf, _Public(key))  # type: ignore[arg-type]  # it asks a key for its public half alone
    return [certificate_pem(der).decode() for der in (issued, *sigstore.chain())]


@dataclass(frozen=True)
class _Public:
    """A requested key, in the place of a private one."""

    key: ec.EllipticCurvePublicKey

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.key


def _requested_key(request: JsonObject, subject: str) -> ec.EllipticCurvePublicKey:
    if "certificateSigningRequest" in request:
        signed = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        if not signed.is_signature_valid:
            raise RefusedRequestError("the certificate request is not signed by its key")
        return _p256(signed.public_key())
    wanted = request["publicKeyRequest"]
    key = _p256(serialization.load_pem_public_key(wanted["publicKey"]["content"].encode()))
    _expect_signature(key, base64.b64decode(wanted["proofOfPossession"]), subject.encode())
    return key


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise RefusedRequestError("only ECDSA keys are certified here")
    return key


def _expect_signature(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise RefusedRequestError("a signature does not verify") from error


def _subject(claims: Mapping[str, Any]) -> str:
    if "job_workflow_ref" in claims:
        return _SERVER + str(claims["job_workflow_ref"])
    return str(claims.get("email") or claims["sub"])


def _extensions(claims: Mapping[str, Any]) -> dict[int, str]:
    if "job_workflow_ref" not in claims:
        return {}
    made = {number: str(claims[name]) for name, numbers in GITHUB.items() for number in numbers if name in claims}
    repository = _SERVER + str(claims["repository"])
    run = f"{repository}/actions/runs/{claims['run_id']}/attempts/{claims['run_attempt']}"
    owner, workflow = _SERVER + str(claims["repository_owner"]), _SERVER + str(claims["workflow_ref"])
    return {**made, 9: _subject(claims), 12: repository, 16: owner, 18: workflow, 21: run}


def log_entry_v1(log: VirtualLog, request: JsonObject) -> JsonObject:
    """Answer Rekor v1's `log/entries`: the entry by its name, as `LogEntry` of its OpenAPI document."""
    bodies = {"hashedrekord": _hashedrekord_v1, "dsse": _dsse_v1}
    if request["kind"] not in bodies:
        raise RefusedRequestError(f"no entries of kind {request['kind']}")
    made = bodies[request["kind"]](request["spec"])
    entry = log.append(canonical({"apiVersion": "0.0.1", "kind": request["kind"], "spec": made}), datetime.now(UTC))
    proof = entry["inclusionProof"]
    told = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logID": log.log_id.hex(),
        "logIndex": int(entry["logIndex"]),
        "verification": {
            "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": [base64.b64decode(item).hex() for item in proof["hashes"]],
                "logIndex": int(proof["logIndex"]),
                "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                "treeSize": int(proof["treeSize"]),
            },
        },
    }
    return {leaf_hash(base64.b64decode(entry["canonicalizedBody"])).hex(): told}


def _hashedrekord_v1(spec: JsonObject) -> JsonObject:
    pem = _canonical_pem(base64.b64decode(spec["signature"]["publicKey"]["content"]))
    return {
        "data": {"hash": {"algorithm": "sha256", "value": spec["data"]["hash"]["value"]}},
        "signature": {"content": spec["signature"]["content"], "publicKey": {"content": b64(pem)}},
    }


def _dsse_v1(spec: JsonObject) -> JsonObject:
    uploaded = spec["proposedContent"]["envelope"].encode()
    envelope = json.loads(uploaded)
    payload = base64.b64decode(envelope["payload"])
    pem = _canonical_pem(base64.b64decode(spec["proposedContent"]["verifiers"][0]))
    encoded = pre_authentication_encoding(envelope["payloadType"], payload)
    for signature in envelope["signatures"]:
        _expect_signature(_key_of(pem), base64.b64decode(signature["sig"]), encoded)
    return {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(uploaded).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": item["sig"], "verifier": b64(pem)} for item in envelope["signatures"]],
    }


def log_entry_v2(log: VirtualLog, request: JsonObject) -> JsonObject:
    """Answer Rekor v2's `log/entries`: a `TransparencyLogEntry`."""
    if "hashedRekordRequestV002" not in request:
        raise RefusedRequestError("only hashedRekordRequestV002 is taken")
    wanted = request["hashedRekordRequestV002"]
    data = {"algorithm": "SHA2_256", "digest": wanted["digest"]}
    spec = {"hashedRekordV002": {"data": data, "signature": wanted["signature"]}}
    return log.append(canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec}), datetime.now(UTC))


def _canonical_pem(pem: bytes) -> bytes:
    if b"CERTIFICATE" in pem:
        return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.PEM)
    key = serialization.load_pem_public_key(pem)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_of(pem: bytes) -> ec.EllipticCurvePublicKey:
    if b"CERTIFICATE" in pem:
        return _p256(x509.load_pem_x509_certificate(pem).public_key())
    return _p256(serialization.load_pem_public_key(pem))


def timestamp(authority: VirtualTimestamps, request: bytes) -> bytes:
    """Answer a timestamp request (RFC 3161, section 2.4.1)."""
    body, _ = _value(request)
    _, rest = _value(body)
    imprint, rest = _value(rest)
    algorithm, hashed = _value(imprint)
    name, _ = _value(algorithm)
    digest, _ = _value(hashed)
    nonce, embed = None, False
    while rest:
        tag = rest[0]
        value, rest = _value(rest)
        nonce = int.from_bytes(value, "big") if tag == 0x02 else nonce
        embed = value == b"\xff" if tag == 0x01 else embed
    return authority.stamp_digest(digest, datetime.now(UTC), hash_name=_HASHES[_dotted(name)], nonce=nonce, embed=embed)


def _value(data: bytes) -> tuple[bytes, bytes]:
    """Return the content of the first DER value, and what follows it."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return data[start : start + length], data[start + length :]


def _dotted(encoded: bytes) -> str:
    numbers, current = [encoded[0] // 40, encoded[0] % 40], 0
    for byte in encoded[1:]:
        current = current << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(current)
            current = 0
    return ".".join(map(str, numbers))


def attacker_key() -> bytes:
    """Return a key that a service hands out and nobody must use (attack T04)."""
    key = ec.derive_private_key(int(NOW.timestamp()), ec.SECP256R1()).public_key()
    return spki(key)
