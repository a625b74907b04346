"""Values that were encrypted on purpose, so that they may be stored: no plaintext secret, whoever may read them.

By the shape of the whole value alone, each part of it decoded and measured: a word like `ENC[` near a secret says nothing. What
should be ciphertext and reads as text is none, so that base64 in the dress of a ciphertext hides no password.
Specification: SOPS (a nonce of 32 bytes, a tag of 16); Sealed Secrets `crypto.HybridEncrypt` (the RSA part's length in 2 bytes,
it, AES-GCM); hiera-eyaml (PKCS #7); EJSON; Vault's transit engine; Ansible Vault 1.1 and 1.2; armour of age and of RFC 9580.
"""

from __future__ import annotations

import re
from typing import Final

from gate.secrets.encoded import decoded

_BASE64: Final = r"[A-Za-z0-9+/]{4,}={0,2}"
_SOPS = re.compile(
    rf"ENC\[AES256_GCM,data:({_BASE64}),iv:({_BASE64}),tag:({_BASE64}),type:(?:str|int|float|bool|bytes|comment)\]"
)
_NONCE_BYTES, _TAG_BYTES = 32, 16
_EYAML = re.compile(rf"ENC\[PKCS7,({_BASE64})\]")
# A sequence of a long form, then the object identifier of `envelopedData`.
_ENVELOPED: Final = bytes.fromhex("06092a864886f70d010703")
_EJSON = re.compile(rf"EJ\[1:({_BASE64}):({_BASE64}):({_BASE64})\]")
_EJSON_BYTES: Final = (32, 24)
_VAULT = re.compile(rf"vault:v[0-9]{{1,6}}:({_BASE64})")
# A nonce of 12 bytes and a tag of 16.
_VAULT_BYTES: Final = 28
_SEALED = re.compile(r"A[A-Za-z0-9+/]{300,}={0,2}")
_RSA_BYTES: Final = frozenset({256, 384, 512})
_ANSIBLE = re.compile(r"\$ANSIBLE_VAULT;1\.[12];AES256(?:;[\w.-]{1,80})?(?=\s|\\n)")
_HEX = re.compile(r"[0-9a-f]{64,}")
_ARMOUR = re.compile(r"-----BEGIN (AGE ENCRYPTED FILE|PGP MESSAGE)-----([^-]{64,})-----END \1-----\s*")
_BODY = re.compile(r"[A-Za-z0-9+/]{48,}={0,2}(?:=[A-Za-z0-9+/]{4})?")
_HEADER = re.compile(r"^[A-Z][A-Za-z]{2,20}: [^\n]{1,80}$", re.MULTILINE)
_SPACE = re.compile(r"\s|\\n")
# So few bytes read as text by chance; encryption keeps the length of what it hides.
_MIN_TEXT: Final = 8


def is_encrypted(value: str) -> bool:
    """Say whether the whole value is a ciphertext of a tool that encrypts values in files."""
    return any(test(value) for test in (_is_sops, _is_sealed, _is_eyaml, _is_ejson, _is_transit, _is_armoured))


def _is_sops(value: str) -> bool:
    found = _SOPS.fullmatch(value)
    if found is None:
        return False
    nonce, tag = decoded(found[2]), decoded(found[3])
    return (len(nonce), len(tag)) == (_NONCE_BYTES, _TAG_BYTES) and all(
        map(_is_random, (nonce, tag, decoded(found[1])))
    )


def _is_sealed(value: str) -> bool:
    data = decoded(value) if _SEALED.fullmatch(value) else b""
    length = int.from_bytes(data[:2], "big")
    return length in _RSA_BYTES and len(data) >= 2 + length + _TAG_BYTES and _is_random(data[2:])


def _is_eyaml(value: str) -> bool:
    found = _EYAML.fullmatch(value)
    data = decoded(found[1]) if found else b""
    return data[:1] == b"\x30" and _ENVELOPED in data[:20]


def _is_ejson(value: str) -> bool:
    found = _EJSON.fullmatch(value)
    if found is None:
        return False
    key, nonce, box = (decoded(part) for part in found.groups())
    return (len(key), len(nonce)) == _EJSON_BYTES and len(box) > _TAG_BYTES and all(map(_is_random, (key, nonce, box)))


def _is_transit(value: str) -> bool:
    found = _VAULT.fullmatch(value)
    data = decoded(found[1]) if found else b""
    return len(data) > _VAULT_BYTES and _is_random(data)


def _is_armoured(value: str) -> bool:
    ansible = _ANSIBLE.match(value)
    if ansible:
        return bool(_HEX.fullmatch(_SPACE.sub("", value[ansible.end() :])))
    found = _ARMOUR.fullmatch(value)
    return found is not None and bool(_BODY.fullmatch(_SPACE.sub("", _HEADER.sub("", found[2]))))


def _is_random(data: bytes) -> bool:
    """Say whether these bytes can be a ciphertext: text is none, as far as its length tells."""
    return bool(data) and (len(data) < _MIN_TEXT or not all(0x20 <= byte < 0x7F or byte in b"\t\r\n" for byte in data))
