"""A timestamp authority in the test process (RFC 3161): certificates, and responses with every field that a test changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support import virtual_certificates as certificates
from tests.support.der import algorithm, generalized_time, integer, octets, oid, sequence, set_of, tlv

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_HASHES: Final = {"sha256": _SHA256, "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_POLICY: Final = "1.3.6.1.4.1.57264.2"


@dataclass(kw_only=True)
class VirtualTimestamps:
    """One authority: a root, and a leaf that stamps; `start` and `end` bound both certificates."""

    name: str
    uri: str
    scalar: int
    start: datetime
    end: datetime
    leaf_end: datetime | None = None
    serial: int = 1
    root: certificates.Authority = field(init=False)
    key: ec.EllipticCurvePrivateKey = field(init=False)
    leaf: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        window = (self.start, self.end)
        self.root = certificates.root(f"{self.name} root", self.scalar, window)
        self.key = certificates.private_key(self.scalar + 1)
        builder = certificates.builder(
            f"{self.name} leaf", self.root, self.key.public_key(), (self.start, self.leaf_end or self.end)
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        self.leaf = self.root.sign(
            builder.add_extension(certificates.usage(digital_signature=True), critical=True).add_extension(
                usage, critical=True
            )
        )

    def chain(self) -> tuple[bytes, ...]:
        """Return the DER certificates as a trusted root lists them: leaf first, root last."""
        return tuple(c.public_bytes(serialization.Encoding.DER) for c in (self.leaf, self.root.certificate))

    def stamp(
        self, message: bytes, at: datetime, *, embed: bool = True, hash_name: str = "sha256", nonce: int | None = None
    ) -> bytes:
        """Return a response over these bytes, as a client receives it."""
        return self.stamp_digest(
            hashlib.new(hash_name, message).digest(), at, embed=embed, hash_name=hash_name, nonce=nonce
        )

    def stamp_digest(
        self, digest: bytes, at: datetime, *, embed: bool = True, hash_name: str = "sha256", nonce: int | None = None
    ) -> bytes:
        """Return a response over a digest: what an HTTP front does with `messageImprint` and `nonce` of a request."""
        self.serial += 1
        info = sequence(
            integer(1),
            oid(_POLICY),
            sequence(algorithm(_HASHES[hash_name]), octets(digest)),
            integer(self.serial),
            generalized_time(at),
            *([integer(nonce)] if nonce is not None else []),
        )
        return sequence(sequence(integer(0)), self._token(info, embed=embed))

    def _token(self, info: bytes, *, embed: bool) -> bytes:
        leaf = self.leaf.public_bytes(serialization.Encoding.DER)
        attributes = (
            sequence(oid(_CONTENT_TYPE), set_of(oid(_TST_INFO))),
            sequence(oid(_MESSAGE_DIGEST), set_of(octets(hashlib.sha256(info).digest()))),
            sequence(
                oid(_SIGNING_CERTIFICATE_V2),
                set_of(sequence(sequence(sequence(octets(hashlib.sha256(leaf).digest()))))),
            ),
        )
        signed = set_of(*attributes)
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        signer = sequence(
            integer(1),
            sequence(self.leaf.issuer.public_bytes(), integer(self.leaf.serial_number)),
            algorithm(_SHA256),
            b"\xa0" + signed[1:],
            algorithm(_ECDSA_SHA256),
            octets(signature),
        )
        data = sequence(
            integer(3),
            set_of(algorithm(_SHA256)),
            sequence(oid(_TST_INFO), tlv(0xA0, octets(info))),
            *([tlv(0xA0, leaf)] if embed else []),
            set_of(signer),
        )
        return sequence(oid(_SIGNED_DATA), tlv(0xA0, data))

    def entry(self, *, start: datetime | None = None, end: datetime | None = None) -> dict[str, object]:
        """Return the authority as a trusted root lists it; without `start` its certificates' own window."""
        return certificates.authority_entry(self.uri, self.name, self.chain(), start or self.start.astimezone(UTC), end)
