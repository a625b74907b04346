"""A certificate authority in the test process: roots, intermediates and signing certificates as Fulcio writes them."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.der import octets, utf8

PublicKeyTypes = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
Window = tuple[datetime, datetime]

FULCIO: Final = "1.3.6.1.4.1.57264.1"
SCT_LIST: Final = "1.3.6.1.4.1.11129.2.4.2"
_DETERMINISTIC: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


def private_key(scalar: int) -> ec.EllipticCurvePrivateKey:
    """Return a known P-256 key, the same at every run."""
    return ec.derive_private_key(scalar, ec.SECP256R1())


def spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def usage(*, digital_signature: bool = False, cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=cert_sign,
        crl_sign=cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "virtual.sigstore"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate with its key, which signs others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, built: x509.CertificateBuilder) -> x509.Certificate:
        return built.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True)


def builder(
    subject: str, issuer: Authority | None, key: PublicKeyTypes, window: Window, *, serial: int | None = None
) -> x509.CertificateBuilder:
    """Return a certificate without usages; its serial number comes from what it says, so that runs are the same."""
    seed = f"{subject}{window}".encode() + spki(key)
    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject) if subject else x509.Name([]))
        .issuer_name(issuer.certificate.subject if issuer else name(subject))
        .public_key(key)
        .serial_number(serial or int.from_bytes(hashlib.sha256(seed).digest()[:16], "big") | 1)
        .not_valid_before(window[0])
        .not_valid_after(window[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if issuer is None:
        return made
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return made.add_extension(identifier, critical=False)


def root(common_name: str, scalar: int, window: Window, *, path_length: int | None = None) -> Authority:
    """Return a self-signed authority."""
    key = private_key(scalar)
    built = _authority(builder(common_name, None, key.public_key(), window), path_length)
    return Authority(certificate=built.sign(key, hashes.SHA256(), ecdsa_deterministic=True), key=key)


def intermediate(
    common_name: str,
    scalar: int,
    issuer: Authority,
    window: Window,
    *,
    path_length: int | None = 0,
    is_authority: bool = True,
    cert_sign: bool = True,
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
) -> Authority:
    """Return an authority below another one."""
    key = private_key(scalar)
    built = builder(common_name, issuer, key.public_key(), window)
    built = _authority(built, path_length, is_authority=is_authority, cert_sign=cert_sign)
    if purpose is not None:
        built = built.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return Authority(certificate=issuer.sign(built), key=key)


def _authority(
    built: x509.CertificateBuilder, path_length: int | None, *, is_authority: bool = True, cert_sign: bool = True
) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=is_authority, path_length=path_length if is_authority else None)
    return built.add_extension(constraints, critical=True).add_extension(
        usage(cert_sign=cert_sign, digital_signature=not cert_sign), critical=True
    )


@dataclass(frozen=True, kw_only=True)
class VirtualCt:
    """A certificate transparency log that signs timestamps of precertificates."""

    uri: str
    key: ec.EllipticCurvePrivateKey

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(spki(self.key.public_key())).digest()

    def sct(self, tbs: bytes, issuer: PublicKeyTypes, at: datetime) -> bytes:
        """Return a serialised SCT over a precertificate's TBS bytes (RFC 6962, section 3.2)."""
        milliseconds = int(at.timestamp() * 1000)
        entry = hashlib.sha256(spki(issuer)).digest() + len(tbs).to_bytes(3, "big") + tbs
        signed = struct.pack(">BBQH", 0, 0, milliseconds, 1) + entry + struct.pack(">H", 0)
        signature = self.key.sign(signed, _DETERMINISTIC)
        head = struct.pack(">B32sQH", 0, self.log_id, milliseconds, 0)
        return head + struct.pack(">BBH", 4, 3, len(signature)) + signature

    def entry(self, *, start: datetime, end: datetime | None = None) -> dict[str, object]:
        """Return the log as a trusted root lists it."""
        return log_entry(self.uri, self.key.public_key(), self.log_id, start, end)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """What a signing certificate says; every field is one that an attacker varies.

    `san` overrides the subject alternative name that `subject` gives: a URI where it holds `://`, else an address.
    `extensions` maps numbers below 1.3.6.1.4.1.57264.1 to texts (9 and above as DER UTF8String, below raw).
    """

    subject: str
    issuer: str
    window: Window
    extensions: Mapping[int, str] = field(default_factory=dict)
    san: tuple[x509.GeneralName, ...] | None = None
    raw_extensions: Mapping[str, bytes] = field(default_factory=dict)
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    digital_signature: bool = True
    is_authority: bool = False
    logged: bool = True
    sct_at: datetime | None = None

    def altered(self, **changes: Any) -> Leaf:  # noqa: ANN401 - any field
        return replace(self, **changes)


def issue(
    leaf: Leaf, key: PublicKeyTypes, authority: Authority, ct: VirtualCt, *, ct_issuer: PublicKeyTypes | None = None
) -> bytes:
    """Return the DER of a signing certificate with an SCT embedded (unless `leaf.logged` is off)."""
    built = builder("", authority, key, leaf.window)
    built = built.add_extension(
        usage(digital_signature=leaf.digital_signature, cert_sign=leaf.is_authority), critical=True
    )
    if leaf.is_authority:
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if leaf.purposes:
        built = built.add_extension(x509.ExtendedKeyUsage(leaf.purposes), critical=False)
    names = _names(leaf)
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=True)
    for dotted, value in _fulcio_extensions(leaf).items():
        built = built.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value), critical=False)
    if leaf.logged:
        tbs = authority.sign(built).tbs_certificate_bytes
        sct = ct.sct(tbs, ct_issuer or authority.key.public_key(), leaf.sct_at or leaf.window[0])
        inner = struct.pack(">H", len(sct)) + sct
        listed = octets(struct.pack(">H", len(inner)) + inner)
        built = built.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(SCT_LIST), listed), critical=False)
    return authority.sign(built).public_bytes(serialization.Encoding.DER)


def _names(leaf: Leaf) -> tuple[x509.GeneralName, ...]:
    if leaf.san is not None:
        return leaf.san
    uri = "://" in leaf.subject
    return (x509.UniformResourceIdentifier(leaf.subject) if uri else x509.RFC822Name(leaf.subject),)


def _fulcio_extensions(leaf: Leaf) -> dict[str, bytes]:
    texts = {1: leaf.issuer, 8: leaf.issuer, **leaf.extensions}
    made = {f"{FULCIO}.{number}": text.encode() if number < 8 else utf8(text) for number, text in texts.items() if text}
    return {**made, **leaf.raw_extensions}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def validity(start: datetime, end: datetime | None) -> dict[str, str]:
    return {"start": rfc3339(start), **({"end": rfc3339(end)} if end else {})}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def authority_entry(
    uri: str, common_name: str, chain: tuple[bytes, ...], start: datetime, end: datetime | None
) -> dict[str, object]:
    """Return a certificate or timestamp authority as a trusted root lists it."""
    return {
        "subject": {"organization": "virtual.sigstore", "commonName": common_name},
        "uri": uri,
        "certChain": {"certificates": [{"rawBytes": b64(der)} for der in chain]},
        "validFor": validity(start, end),
    }


def log_entry(
    uri: str,
    key: PublicKeyTypes,
    log_id: bytes,
    start: datetime,
    end: datetime | None = None,
    details: str = "PKIX_ECDSA_P256_SHA_256",
) -> dict[str, object]:
    """Return a log as a trusted root lists it."""
    return {
        "baseUrl": uri,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": validity(start, end)},
        "logId": {"keyId": b64(log_id)},
    }
