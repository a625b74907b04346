"""A whole Sigstore in the test process: what `gate`'s tests forge attacks with, and what HTTP fronts can be put before.

What it offers:

- `VirtualSigstore()`: keys that are the same at every run, a Fulcio (`root`, `intermediate`), a certificate transparency
  log `ct`, logs `rekor1` (P-256, promise and proof) and `rekor2` (Ed25519, proof alone), authorities `tsa` and `other_tsa`.
- `.trusted_root_fields(...)` and `.trusted_root(...)`: the `trusted_root.json` of all that, with parts left out or changed.
- `.leaf(...)` says what a certificate holds, `.issue(leaf, key)` gives its DER with an SCT, `.chain()` the DER above it.
- `.sign_statement(payload)`, `.sign_artifact(data)`: `Signing` objects, whose fields (certificate, signature, log entries,
  timestamps, media type) a test replaces before `.bundle()` writes the bytes; `.legacy_signature` gives a `.sig` layer.
- `log_body_...`: canonical bodies of every entry kind, for logs and for HTTP fronts (`rekor1.append(body, at)` returns the
  `TransparencyLogEntry` as protobuf JSON; `log.entry(index, at)` the same for an earlier leaf; `log.promise(...)` a SET;
  `tsa.stamp_digest(digest, at, hash_name=..., nonce=..., embed=...)` an RFC 3161 response).

Nothing here knows the clock: every time is an argument, by default `NOW` of `tests.support.signing`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from gate.codec.dsse import IN_TOTO_PAYLOAD, pre_authentication_encoding
from gate.codec.legacy import CERTIFICATE, CHAIN, LOG_BUNDLE, SIGNATURE, TIMESTAMP
from gate.model.attachment import BUNDLE_V03, DSSE_ENVELOPE, SIMPLE_SIGNING, Attachment, AttachmentSource
from gate.model.string_map import StringMap
from tests.support import virtual_certificates as certificates
from tests.support.signing import NOW, bundle_attachment
from tests.support.virtual_certificates import Authority, Leaf, VirtualCt, b64, private_key, spki
from tests.support.virtual_log import JsonObject, VirtualLog, canonical
from tests.support.virtual_timestamps import VirtualTimestamps

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
START: Final = NOW - 400 * DAY
END: Final = NOW + 3650 * DAY
SIGNED_AT: Final = NOW - timedelta(hours=1)
ISSUER: Final = "https://token.actions.githubusercontent.com"
SUBJECT: Final = "https://github.com/shop/web/.github/workflows/release.yml@refs/heads/main"
ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
CLAIMS: Final[Mapping[int, str]] = {
    2: "push", 3: "a" * 40, 4: "Release", 5: "shop/web", 6: "refs/heads/main",
    9: SUBJECT, 10: "a" * 40, 11: "github-hosted", 12: "https://github.com/shop/web", 13: "a" * 40, 14: "refs/heads/main",
    15: "1234", 16: "https://github.com/shop", 17: "5678", 18: SUBJECT, 19: "a" * 40, 20: "push",
    21: "https://github.com/shop/web/actions/runs/1/attempts/1", 22: "public", 23: "production",
}  # fmt: skip


def sign_bytes(key: SigningKey, data: bytes) -> bytes:
    """Sign as Sigstore's clients do: the curve's own hash, Ed25519 pure, RSA with PKCS #1 v1.5."""
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case rsa.RSAPrivateKey():
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case ec.EllipticCurvePrivateKey():
            chosen = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
            return key.sign(data, ec.ECDSA(chosen, deterministic_signing=True))


def certificate_pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def public_pem(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, kw_only=True)
class Signing:
    """One signature with its evidence, before it is written; tests replace fields, `bundle()` writes what stands here.

    `certificate` is None for a signature by key. `payload` is None for a signature over an artifact of this `digest`.
    """

    signature: bytes
    key: SigningKey
    certificate: bytes | None = None
    payload: bytes | None = None
    payload_type: str = IN_TOTO_PAYLOAD
    digest: bytes = b""
    entries: tuple[JsonObject, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    media_type: str = BUNDLE_V03
    extra_certificates: tuple[bytes, ...] = ()
    hint: str = ""

    def altered(self, **changes: Any) -> Signing:  # noqa: ANN401 - any field
        return replace(self, **changes)

    @property
    def verifier_pem(self) -> bytes:
        """Return the certificate or key as logs of version 1 keep it."""
        return certificate_pem(self.certificate) if self.certificate is not None else public_pem(self.key)

    @property
    def signed_bytes(self) -> bytes:
        assert self.payload is not None
        return pre_authentication_encoding(self.payload_type, self.payload)

    def fields(self) -> JsonObject:
        """Return the bundle as JSON values."""
        material: JsonObject = self._material()
        if self.entries:
            material["tlogEntries"] = list(self.entries)
        if self.timestamps:
            tokens = [{"signedTimestamp": b64(token)} for token in self.timestamps]
            material["timestampVerificationData"] = {"rfc3161Timestamps": tokens}
        return {"mediaType": self.media_type, "verificationMaterial": material, **self._content()}

    def _material(self) -> JsonObject:
        if self.certificate is None:
            return {"publicKey": {"hint": self.hint or b64(hashlib.sha256(spki(self.key.public_key())).digest())}}
        if self.media_type == BUNDLE_V03 and not self.extra_certificates:
            return {"certificate": {"rawBytes": b64(self.certificate)}}
        chain = (self.certificate, *self.extra_certificates)
        return {"x509CertificateChain": {"certificates": [{"rawBytes": b64(der)} for der in chain]}}

    def _content(self) -> JsonObject:
        if self.payload is None:
            digest = {"algorithm": "SHA2_256", "digest": b64(self.digest)}
            return {"messageSignature": {"messageDigest": digest, "signature": b64(self.signature)}}
        return {"dsseEnvelope": envelope_fields(self)}

    def bundle(self) -> bytes:
        return json.dumps(self.fields()).encode()

    def attachment(self) -> Attachment:
        """Return the bundle as it is found as a referrer."""
        return bundle_attachment(self.bundle())


def envelope_fields(signing: Signing) -> JsonObject:
    assert signing.payload is not None
    return {
        "payload": b64(signing.payload),
        "payloadType": signing.payload_type,
        "signatures": [{"sig": b64(signing.signature)}],
    }


def log_body_hashedrekord(signing: Signing, digest: bytes | None = None, *, version: int = 1) -> bytes:
    """Return a `hashedrekord` 0.0.1 (`version` 1) or 0.0.2; the digest defaults to that of the artifact or PAE."""
    hashed = digest if digest is not None else signing.digest or hashlib.sha256(signing.signed_bytes).digest()
    if version == 1:
        spec: JsonObject = {
            "data": {"hash": {"algorithm": "sha256", "value": hashed.hex()}},
            "signature": {"content": b64(signing.signature), "publicKey": {"content": b64(signing.verifier_pem)}},
        }
        return _body("hashedrekord", "0.0.1", spec)
    signature = {"content": b64(signing.signature), "verifier": verifier_fields(signing)}
    spec = {"hashedRekordV002": {"data": {"algorithm": "SHA2_256", "digest": b64(hashed)}, "signature": signature}}
    return _body("hashedrekord", "0.0.2", spec)


def verifier_fields(signing: Signing) -> JsonObject:
    """Return the verifier as logs of version 2 keep it."""
    if signing.certificate is not None:
        return {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": b64(signing.certificate)}}
    return {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": {"rawBytes": b64(spki(signing.key.public_key()))}}


def log_body_dsse(signing: Signing, *, version: int = 1, envelope: bytes = b"{}") -> bytes:
    """Return a `dsse` 0.0.1 or 0.0.2; `envelope` are the uploaded bytes, whose hash version 1 keeps."""
    assert signing.payload is not None
    payload_hash = hashlib.sha256(signing.payload).digest()
    if version == 1:
        spec: JsonObject = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": payload_hash.hex()},
            "signatures": [{"signature": b64(signing.signature), "verifier": b64(signing.verifier_pem)}],
        }
        return _body("dsse", "0.0.1", spec)
    signature = {"content": b64(signing.signature), "verifier": verifier_fields(signing)}
    hashed = {"algorithm": "SHA2_256", "digest": b64(payload_hash)}
    return _body("dsse", "0.0.2", {"dsseV002": {"payloadHash": hashed, "signatures": [signature]}})


def log_body_intoto(signing: Signing, *, version: int = 2, envelope: bytes = b"{}") -> bytes:
    """Return an `intoto` 0.0.2 or 0.0.1; `envelope` are the uploaded bytes."""
    assert signing.payload is not None
    payload_hash = {"algorithm": "sha256", "value": hashlib.sha256(signing.payload).hexdigest()}
    whole = {"algorithm": "sha256", "value": hashlib.sha256(envelope).hexdigest()}
    pem = b64(signing.verifier_pem)
    if version == 1:
        return _body("intoto", "0.0.1", {"content": {"hash": whole, "payloadHash": payload_hash}, "publicKey": pem})
    # Twice encoded: the field holds the base64 of the text that the envelope holds (formats 7.1).
    signature = {"publicKey": pem, "sig": b64(b64(signing.signature).encode())}
    kept = {"payloadType": signing.payload_type, "signatures": [signature]}
    return _body("intoto", "0.0.2", {"content": {"envelope": kept, "hash": whole, "payloadHash": payload_hash}})


def _body(kind: str, version: str, spec: JsonObject) -> bytes:
    return canonical({"apiVersion": version, "kind": kind, "spec": spec})


@dataclass(kw_only=True)
class VirtualSigstore:
    """An instance; two with different `seed` have nothing in common."""

    seed: int = 0
    root: Authority = field(init=False)
    intermediate: Authority = field(init=False)
    ct: VirtualCt = field(init=False)
    rekor1: VirtualLog = field(init=False)
    rekor2: VirtualLog = field(init=False)
    tsa: VirtualTimestamps = field(init=False)
    other_tsa: VirtualTimestamps = field(init=False)
    key: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        base = 1000 + 100 * self.seed
        self.root = certificates.root("root", base, (START, END))
        self.intermediate = certificates.intermediate("intermediate", base + 1, self.root, (START, END))
        self.ct = VirtualCt(uri="https://ct.virtual.example/2026", key=private_key(base + 2))
        self.rekor1 = VirtualLog(version=1, host="rekor.virtual.example", key=private_key(base + 3), base=1000)
        edwards = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"log %d" % base).digest())
        self.rekor2 = VirtualLog(version=2, host="log2026-1.rekor.virtual.example", key=edwards)
        # Other people's entries: a proof has hashes only where the tree has other leaves.
        for log in (self.rekor1, self.rekor2):
            log.leaves += [canonical({"apiVersion": "0.0.1", "kind": "other", "spec": number}) for number in range(5)]
        self.tsa = VirtualTimestamps(
            name="tsa", uri="https://tsa.virtual.example", scalar=base + 10, start=START, end=END
        )
        self.other_tsa = VirtualTimestamps(
            name="other", uri="https://tsa.other.example", scalar=base + 20, start=START, end=END
        )
        self.key = private_key(base + 30)

    def trusted_root_fields(self, **changes: Any) -> JsonObject:  # noqa: ANN401 - any list of the format
        """Return the trusted root as JSON values; `changes` replaces whole lists by their name."""
        tsa = [authority.entry() for authority in (self.tsa, self.other_tsa)]
        return {
            "mediaType": ROOT_TYPE,
            "tlogs": [log.listed(start=START) for log in (self.rekor1, self.rekor2)],
            "certificateAuthorities": [self.authority_entry()],
            "ctlogs": [self.ct.entry(start=START)],
            "timestampAuthorities": tsa,
        } | changes

    def trusted_root(self, **changes: Any) -> bytes:  # noqa: ANN401 - any list of the format
        return json.dumps(self.trusted_root_fields(**changes)).encode()

    def chain(self) -> tuple[bytes, ...]:
        """Return the certificates above a signer's: intermediates first, root last."""
        return (self.intermediate.der, self.root.der)

    def authority_entry(
        self, chain: tuple[bytes, ...] | None = None, *, start: datetime = START, end: datetime | None = None
    ) -> JsonObject:
        made = chain if chain is not None else self.chain()
        return certificates.authority_entry("https://fulcio.virtual.example", "root", made, start, end)

    def leaf(self, *, at: datetime = SIGNED_AT, **changes: Any) -> Leaf:  # noqa: ANN401 - any field of the leaf
        """Say what a certificate holds that is issued at this time, for ten minutes, as Fulcio does."""
        made = Leaf(subject=SUBJECT, issuer=ISSUER, window=(at, at + 10 * MINUTE), extensions=CLAIMS)
        return made.altered(**changes)

    def issue(
        self, leaf: Leaf | None = None, key: SigningKey | None = None, *, authority: Authority | None = None
    ) -> bytes:
        """Return a signing certificate by the intermediate, or by another authority."""
        public = (key or self.key).public_key()
        return certificates.issue(leaf or self.leaf(), public, authority or self.intermediate, self.ct)

    def sign_statement(
        self, payload: bytes, *, key: SigningKey | None = None, certificate: bytes | None = None, by_key: bool = False
    ) -> Signing:
        """Sign a statement, without log entry and timestamp; by certificate, or by the key alone."""
        used = key or self.key
        signature = sign_bytes(used, pre_authentication_encoding(IN_TOTO_PAYLOAD, payload))
        made = None if by_key else certificate or self.issue(key=used)
        return Signing(signature=signature, key=used, certificate=made, payload=payload)

    def sign_artifact(
        self, data: bytes, *, key: SigningKey | None = None, certificate: bytes | None = None, by_key: bool = False
    ) -> Signing:
        """Sign an artifact, without log entry and timestamp."""
        used = key or self.key
        made = None if by_key else certificate or self.issue(key=used)
        return Signing(
            signature=sign_bytes(used, data), key=used, certificate=made, digest=hashlib.sha256(data).digest()
        )

    def log1(self, signing: Signing, body: bytes | None = None, *, at: datetime = SIGNED_AT + MINUTE) -> Signing:
        """Add an entry of the first log: `dsse` for a statement, `hashedrekord` for an artifact, or the given body."""
        made = body or (log_body_hashedrekord(signing) if signing.payload is None else log_body_dsse(signing))
        return signing.altered(entries=(*signing.entries, self.rekor1.append(made, at)))

    def log2(self, signing: Signing, body: bytes | None = None, *, at: datetime = SIGNED_AT + MINUTE) -> Signing:
        """Add an entry of the second log: `hashedrekord` 0.0.2."""
        made = body or log_body_hashedrekord(signing, version=2)
        return signing.altered(entries=(*signing.entries, self.rekor2.append(made, at)))

    def stamp(
        self,
        signing: Signing,
        authority: VirtualTimestamps | None = None,
        *,
        at: datetime = SIGNED_AT + MINUTE,
        **how: Any,  # noqa: ANN401 - as `VirtualTimestamps.stamp`
    ) -> Signing:
        """Add a timestamp over the signature."""
        token = (authority or self.tsa).stamp(signing.signature, at, **how)
        return signing.altered(timestamps=(*signing.timestamps, token))

    def legacy_signature(
        self, payload: bytes, signing: Signing | None = None, *, at: datetime = SIGNED_AT + MINUTE, logged: bool = True
    ) -> Attachment:
        """Return a `.sig` layer over Cosign's signed JSON with certificate, chain and log entry in its annotations."""
        made = signing or self.sign_artifact(payload)
        entry = self.rekor1.append(log_body_hashedrekord(made), at) if logged else None
        annotations = {SIGNATURE: b64(made.signature), **self.legacy_evidence(made, entry)}
        return Attachment(
            source=AttachmentSource.LEGACY_SIGNATURE,
            media_type=SIMPLE_SIGNING,
            content=payload,
            annotations=StringMap.of(annotations),
        )

    def legacy_attestation(
        self, signing: Signing, *, kind: str = "dsse", at: datetime = SIGNED_AT + MINUTE, stamped: bool = False
    ) -> Attachment:
        """Return an `.att` layer; `kind` is `dsse`, `intoto` (0.0.1), `intoto2` (0.0.2) or "" for no entry."""
        layer = json.dumps(envelope_fields(signing)).encode()
        bodies = {
            "dsse": lambda: log_body_dsse(signing, envelope=layer),
            "intoto": lambda: log_body_intoto(signing, version=1, envelope=layer),
            "intoto2": lambda: log_body_intoto(signing, envelope=layer),
        }
        entry = self.rekor1.append(bodies[kind](), at) if kind else None
        annotations = {SIGNATURE: "", **self.legacy_evidence(signing, entry)}
        if stamped:
            annotations[TIMESTAMP] = json.dumps({"SignedRFC3161Timestamp": b64(self.tsa.stamp(layer, at))})
        return Attachment(
            source=AttachmentSource.LEGACY_ATTESTATION,
            media_type=DSSE_ENVELOPE,
            content=layer,
            annotations=StringMap.of(annotations),
        )

    def legacy_evidence(self, signing: Signing, entry: JsonObject | None) -> dict[str, str]:
        """Return the annotations that hold certificate, chain and log entry."""
        annotations: dict[str, str] = {}
        if signing.certificate is not None:
            annotations[CERTIFICATE] = certificate_pem(signing.certificate).decode()
            annotations[CHAIN] = b"".join(map(certificate_pem, self.chain())).decode()
        if entry is not None:
            annotations[LOG_BUNDLE] = json.dumps(legacy_entry(entry))
        return annotations


def legacy_entry(entry: JsonObject) -> JsonObject:
    """Return a log entry in the form of Cosign's annotation."""
    return {
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": int(entry["logIndex"]),
            "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
        },
    }
