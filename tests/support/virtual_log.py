"""Transparency logs in the test process: Rekor v1 (promise, checkpoint with a tree id) and v2 (tiles, witnesses)."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.support.virtual_certificates import b64, log_entry, spki

LogKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
JsonObject = dict[str, Any]

TREE_ID: Final = 1193050959916656506


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash by its definition (RFC 9162, section 2.1.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = _split(len(leaves))
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the audit path by its definition (RFC 9162, section 2.1.3.1)."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_path(index, leaves[:split]), tree_root(leaves[split:])]
    return [*inclusion_path(index - split, leaves[split:]), tree_root(leaves[:split])]


def consistency_path(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the consistency proof by its definition (RFC 9162, section 2.1.4.1)."""
    return _subproof(old, leaves, complete=True)


def _subproof(old: int, leaves: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if complete else [tree_root(leaves)]
    split = _split(len(leaves))
    if old <= split:
        return [*_subproof(old, leaves[:split], complete=complete), tree_root(leaves[split:])]
    return [*_subproof(old - split, leaves[split:], complete=False), tree_root(leaves[:split])]


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def canonical(value: object) -> bytes:
    """Return the JSON form that Rekor hashes and signs (RFC 8785, for the ASCII texts that stand here)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A witness that cosigns checkpoints (C2SP tlog-cosignature)."""

    name: str
    key: ed25519.Ed25519PrivateKey

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.key.public_key().public_bytes_raw()).digest()[:4]

    @property
    def vkey(self) -> str:
        """Return the public key in the form of C2SP signed-note."""
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes([4]) + self.key.public_key().public_bytes_raw())}"

    def line(self, text: str, at: datetime) -> str:
        seconds = int(at.timestamp())
        signature = self.key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        return f"\u2014 {self.name} {b64(self.key_id + struct.pack('>Q', seconds) + signature)}\n"


@dataclass(kw_only=True)
class VirtualLog:
    """A log of version 1 or 2 with its leaves.

    `host` is the name in checkpoints; `base` is added to the index in the shard for the global index of version 1.
    """

    version: int
    host: str
    key: LogKey
    base: int = 0
    leaves: list[bytes] = field(default_factory=list)
    witnesses: tuple[Witness, ...] = ()

    @property
    def uri(self) -> str:
        return f"https://{self.host}"

    @property
    def log_id(self) -> bytes:
        """Return the key id as Sigstore's formats name it (formats 8.5)."""
        public = self.key.public_key()
        named = self.host.encode() + b"\n"
        match public:
            case ed25519.Ed25519PublicKey():
                return hashlib.sha256(named + b"\x01" + public.public_bytes_raw()).digest()
            case rsa.RSAPublicKey() if self.version == 2:
                return hashlib.sha256(named + b"\xffPKIX-RSA-PKCS#1v1.5" + spki(public)).digest()
            case _:
                return hashlib.sha256(spki(public)).digest()

    @property
    def origin(self) -> str:
        return f"{self.host} - {TREE_ID}" if self.version == 1 else self.host

    def sign(self, data: bytes) -> bytes:
        match self.key:
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(data)
            case rsa.RSAPrivateKey():
                return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def append(self, body: bytes, at: datetime) -> JsonObject:
        """Add a leaf and give its `TransparencyLogEntry` in protobuf JSON, with everything that this version gives."""
        self.leaves.append(body)
        return self.entry(len(self.leaves) - 1, at)

    def entry(self, index: int, at: datetime) -> JsonObject:
        body = self.leaves[index]
        parsed = json.loads(body)
        entry: JsonObject = {
            "logIndex": str(self.base + index),
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": parsed["kind"], "version": parsed["apiVersion"]},
            "inclusionProof": self.proof(index, at),
            "canonicalizedBody": b64(body),
        }
        if self.version == 1:
            seconds = int(at.timestamp())
            entry["integratedTime"] = str(seconds)
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise(body, self.base + index, seconds))}
        return entry

    def promise(self, body: bytes, index: int, seconds: int) -> bytes:
        """Return a signed entry timestamp."""
        signed = {"body": b64(body), "integratedTime": seconds, "logID": self.log_id.hex(), "logIndex": index}
        return self.sign(canonical(signed))

    def proof(self, index: int, at: datetime) -> JsonObject:
        return {
            "logIndex": str(index),
            "rootHash": b64(tree_root(self.leaves)),
            "treeSize": str(len(self.leaves)),
            "hashes": [b64(item) for item in inclusion_path(index, self.leaves)],
            "checkpoint": {"envelope": self.checkpoint(at)},
        }

    def checkpoint(
        self, at: datetime, *, origin: str | None = None, root: bytes | None = None, size: int | None = None
    ) -> str:
        """Return the signed note over the tree as it stands."""
        head = b64(tree_root(self.leaves) if root is None else root)
        text = f"{origin or self.origin}\n{len(self.leaves) if size is None else size}\n{head}\n"
        if self.version == 1:
            text += f"Timestamp: {int(at.timestamp())}000000000\n"
        own = f"\u2014 {self.host} {b64(self.log_id[:4] + self.sign(text.encode()))}\n"
        return text + "\n" + own + "".join(witness.line(text, at) for witness in self.witnesses)

    def listed(self, *, start: datetime, end: datetime | None = None, **changes: object) -> JsonObject:
        """Return the log as a trusted root lists it."""
        details = _details(self.key)
        made = log_entry(self.uri, self.key.public_key(), self.log_id, start, end, details)
        return {**made, **changes}

    def copy(self, **changes: Any) -> VirtualLog:  # noqa: ANN401 - any field
        """Return another log with the same leaves so far."""
        return replace(self, **{"leaves": list(self.leaves), **changes})


def _details(key: LogKey) -> str:
    match key:
        case ed25519.Ed25519PrivateKey():
            return "PKIX_ED25519"
        case rsa.RSAPrivateKey():
            return "PKIX_RSA_PKCS1V15_2048_SHA256"
        case ec.EllipticCurvePrivateKey():
            bits = key.curve.key_size
            return f"PKIX_ECDSA_P{bits}_SHA_{512 if bits == 521 else bits}"
