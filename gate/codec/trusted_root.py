"""`trusted_root.json`: the keys and certificates that signatures are checked with, read whole or refused.

An entry whose kind of key is not known is skipped and counted, so that a newer root still serves; an entry that cannot be
read is `ROOT_MALFORMED`, and so is a window without a start or with an unreadable end: unreadable is never "no limit"
(attack T06). Key ids are computed again, never believed.

Specification: protobuf-specs `sigstore_trustroot.proto` in protobuf JSON; formats reference, section 9.1.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from gate.codec.certificates import parse_certificate
from gate.codec.encodings import decode_base64
from gate.codec.keys import algorithm_of, allowed_key, spki_of
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.times import parse_time
from gate.errors import KeyFileError, UsageError
from gate.model.digest import Digest
from gate.model.signer import KeyAlgorithm, PublicKey, RsaScheme
from gate.model.trust import CertificateAuthority, TransparencyLog, TrustedRoot
from gate.model.validity import Validity

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ROOT_BYTES: Final = 1024 * 1024
# The public root has 2 to 4 of each kind; more than this is no root that anybody runs.
MAX_ENTRIES: Final = 64
MAX_CERTIFICATES: Final = 8
_FAULT: Final = Fault(UsageError, "ROOT_MALFORMED", "the trusted root")
_TYPES: Final = frozenset(
    {
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot.v0.1+json",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    }
)
_CLIENT_CONFIG: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_URL: Final = re.compile(r"https?://([^/?#]+)(?:[/?#].*)?", re.ASCII)
_PKCS1, _PSS = KeyAlgorithm.RSA_PKCS1, KeyAlgorithm.RSA_PSS
_KEY_DETAILS: Final[Mapping[str, KeyAlgorithm]] = {
    "PKIX_ECDSA_P256_SHA_256": KeyAlgorithm.ECDSA_P256,
    "PKIX_ECDSA_P384_SHA_384": KeyAlgorithm.ECDSA_P384,
    "PKIX_ECDSA_P521_SHA_512": KeyAlgorithm.ECDSA_P521,
    "PKIX_ED25519": KeyAlgorithm.ED25519,
    "PKIX_ED25519_PH": KeyAlgorithm.ED25519,
    **{f"PKIX_RSA_PKCS1V15_{bits}_SHA256": _PKCS1 for bits in (2048, 3072, 4096)},
    **{f"PKIX_RSA_PSS_{bits}_SHA256": _PSS for bits in (2048, 3072, 4096)},
    # Old words: the bytes are PKCS #1 instead of SPKI, which `cryptography` tells apart itself.
    "PKCS1_RSA_PKCS1V5": _PKCS1,
    "PKIX_RSA_PKCS1V5": _PKCS1,
}


def parse_trusted_root(data: bytes) -> TrustedRoot:
    """Parse a trusted root, or the one inside a `ClientTrustConfig`.

    Raises:
        UsageError: `ROOT_MALFORMED`.
    """
    view = parse_object(data, _FAULT, limit_bytes=MAX_ROOT_BYTES)
    if view.optional_text("mediaType") == _CLIENT_CONFIG:
        view = view.object("trustedRoot")
    media_type = view.optional_text("mediaType")
    if media_type not in _TYPES:
        raise view.refuse("mediaType", "is of no known version", expected="a Sigstore trusted root", seen=media_type)
    logs = [_log(item) for item in _entries(view, "tlogs")]
    certificate_logs = [_certificate_log(item) for item in _entries(view, "ctlogs")]
    return TrustedRoot(
        digest=Digest.of(data),
        logs=tuple(log for log in logs if log is not None),
        certificate_logs=tuple(log for log in certificate_logs if log is not None),
        certificate_authorities=tuple(map(_authority, _entries(view, "certificateAuthorities"))),
        timestamp_authorities=tuple(map(_authority, _entries(view, "timestampAuthorities"))),
        skipped=logs.count(None) + certificate_logs.count(None),
    )


def _entries(view: ObjectView, field: str) -> tuple[ObjectView, ...]:
    items = view.optional_objects(field)
    if len(items) > MAX_ENTRIES:
        raise view.refuse(field, "has too many items", expected=f"at most {MAX_ENTRIES}", seen=str(len(items)))
    return items


def _log(view: ObjectView) -> TransparencyLog | None:
    """Read a log of signatures; its key id is that of Rekor v1, or that of C2SP signed notes for Rekor v2."""
    key = _key(view)
    if key is None:
        return None
    url = view.optional_text("baseUrl")
    name = _host(url)
    log_id = _log_id(view, "logId")
    if log_id not in {key.fingerprint, _note_key_id(name, key)}:
        raise view.refuse("logId", "is not the id of its key")
    hint = _log_id(view, "checkpointKeyId") if view.has("checkpointKeyId") else log_id
    return TransparencyLog(
        url=url,
        name=name,
        log_id=log_id,
        hint=hint[:4],
        key=key,
        validity=_validity(view.object("publicKey")),
        operator=view.optional_text("operator"),
    )


def _certificate_log(view: ObjectView) -> TransparencyLog | None:
    """Read a certificate transparency log: its id is the SHA-256 of its key (RFC 6962, section 3.2)."""
    key = _key(view)
    if key is None:
        return None
    log_id = _log_id(view, "logId")
    if log_id != key.fingerprint:
        raise view.refuse("logId", "is not the id of its key")
    url = view.optional_text("baseUrl")
    return TransparencyLog(
        url=url,
        name=_host(url),
        log_id=log_id,
        hint=b"",
        key=key,
        validity=_validity(view.object("publicKey")),
        operator=view.optional_text("operator"),
    )


def _host(url: str) -> str:
    match = _URL.fullmatch(url)
    return match.group(1) if match else ""


def _note_key_id(name: str, key: PublicKey) -> bytes:
    """Return the key id of C2SP signed-note, whole: of Ed25519, else of RSA as rekor-tiles writes it (formats 8.5)."""
    named = name.encode() + b"\n"
    if key.algorithm is KeyAlgorithm.ED25519:
        # The last 32 bytes of an Ed25519 SPKI are the key itself (RFC 8410, section 4).
        return hashlib.sha256(named + b"\x01" + key.spki[-32:]).digest()
    return hashlib.sha256(named + b"\xffPKIX-RSA-PKCS#1v1.5" + key.spki).digest()


def _log_id(view: ObjectView, field: str) -> bytes:
    return decode_base64(view.object(field).text("keyId"), view.fault, f"{field}.keyId")


def _key(view: ObjectView) -> PublicKey | None:
    """Read a log's key; None for one whose kind is not known. The window is read even then."""
    public = view.object("publicKey")
    _validity(public)
    algorithm = _KEY_DETAILS.get(public.text("keyDetails"))
    if algorithm is None:
        return None
    try:
        key = allowed_key(serialization.load_der_public_key(decode_base64(public.text("rawBytes"), _FAULT, "rawBytes")))
    except (ValueError, UnsupportedAlgorithm, KeyFileError) as error:
        raise public.refuse("rawBytes", "is no key that is accepted", seen=str(error)) from error
    seen = algorithm_of(key, RsaScheme.PSS if algorithm is _PSS else RsaScheme.PKCS1)
    if seen is not algorithm:
        raise public.refuse("keyDetails", "names another kind of key", expected=algorithm, seen=seen)
    return PublicKey(spki=spki_of(key), algorithm=algorithm)


def _validity(view: ObjectView) -> Validity:
    window = view.object("validFor")
    window.only(("start", "end"))
    end = parse_time(window.text("end"), _FAULT, "validFor.end") if window.has("end") else None
    start = parse_time(window.text("start"), _FAULT, "validFor.start")
    if end is not None and end < start:
        raise window.refuse("end", "is before its start")
    return Validity(start=start, end=end)


def _authority(view: ObjectView) -> CertificateAuthority:
    chain = view.object("certChain").objects("certificates")
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise view.refuse(
            "certChain", "has the wrong length", expected=f"1 to {MAX_CERTIFICATES} certificates", seen=str(len(chain))
        )
    return CertificateAuthority(
        url=view.optional_text("uri"),
        certificates=tuple(map(_certificate, chain)),
        validity=_validity(view),
        operator=view.optional_text("operator"),
    )


def _certificate(view: ObjectView) -> bytes:
    der = decode_base64(view.text("rawBytes"), _FAULT, "rawBytes")
    parse_certificate(der, _FAULT)
    return der
