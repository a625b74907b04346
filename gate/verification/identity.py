"""Who signed, from a certificate, and whether that is who may.

Step 9 of the numbered steps. Texts are compared byte for byte, patterns fit as a whole (attack I02); what is not plain
ASCII is refused before it is compared (attack I04); the issuer is always demanded (attack I03). Every claim that is
demanded must be met by the same certificate (attacks S22, I05).

Specification: fulcio `docs/oid-info.md`; formats reference, section 8.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography import x509

from gate.codec.certificates import extension
from gate.codec.strict_json import printable
from gate.errors import SignatureError
from gate.model.identity import CLAIM_NUMBERS, Identity, Matcher, VerifiedIdentity
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "1.3.6.1.4.1.57264.1"
_USER_NAME: Final = f"{_PREFIX}.7"
_OLD_ISSUER, _ISSUER = 1, 8
# Extensions up to this number hold the bare text, later ones a DER UTF8String.
_LAST_RAW: Final = 6
_UTF8_STRING: Final = 0x0C
_PLAIN: Final = re.compile(r"[ -~]+", re.ASCII)
# The text is the attacker's; a pattern's work grows with its length alone (see gate/codec/identity_patterns.py).
MAX_MATCHED_CHARACTERS: Final = 512


def verify_identity(leaf: x509.Certificate, demanded: Identity) -> VerifiedIdentity:
    """Verify step 9 and give everything that the certificate says of its signer.

    Raises:
        SignatureError: `ID_ENCODING`, `ID_ISSUER`, `ID_MISMATCH` or `ID_WORKFLOW`.
    """
    claims = _texts(leaf)
    named = {claim: claims[number] for claim, number in CLAIM_NUMBERS.items() if number in claims}
    found = VerifiedIdentity(
        subject=_subject(leaf),
        issuer=_issuer(claims),
        # A workflow may have any name: what nobody demands is shown escaped, and never compared.
        claims=StringMap.of({claim: printable(text, MAX_MATCHED_CHARACTERS) for claim, text in named.items()}),
    )
    if not matches(demanded.issuer, found.issuer):
        raise _refuse("ID_ISSUER", "the identity comes from another issuer", str(demanded.issuer), found.issuer)
    if not matches(demanded.subject, found.subject):
        raise _refuse("ID_MISMATCH", "the signature is by another identity", str(demanded.subject), found.subject)
    for claim, matcher in demanded.claims:
        seen = _plain(named[claim]) if claim in named else ""
        if not matches(matcher, seen):
            raise _refuse("ID_WORKFLOW", f"the certificate's {claim} is another", str(matcher), seen or "nothing")
    return found


def matches(matcher: Matcher, text: str) -> bool:
    """Say whether the text is what is demanded; an empty text never is, whatever the pattern."""
    if not text:
        return False
    if not matcher.is_pattern:
        return matcher.text == text
    # Imported where there is a pattern: most identities are written out.
    from gate.codec.identity_patterns import compiled  # noqa: PLC0415

    if len(text) > MAX_MATCHED_CHARACTERS or not text.isascii():
        return False
    return compiled(matcher.text).fullmatch(text.encode()) is not None


def _subject(leaf: x509.Certificate) -> str:
    """Return the one name that Fulcio writes: an address, a URI, or a user name."""
    names = extension(leaf, x509.SubjectAlternativeName)
    found = tuple(names.value) if names is not None else ()
    if len(found) != 1:
        raise _refuse("ID_MISMATCH", "the certificate does not name exactly one subject", "one", str(len(found)))
    match found[0]:
        case x509.RFC822Name(value=text) | x509.UniformResourceIdentifier(value=text):
            return _plain(text)
        case x509.OtherName(type_id=kind, value=value) if kind.dotted_string == _USER_NAME:
            return _plain(_utf8_string(value))
        case _:
            raise _refuse("ID_MISMATCH", "the certificate's subject is of another kind", "an address or URI", "")


def _issuer(claims: Mapping[int, str]) -> str:
    issuers = {claims[number] for number in (_OLD_ISSUER, _ISSUER) if number in claims}
    if len(issuers) != 1:
        raise _refuse("ID_ISSUER", "the certificate does not name exactly one issuer", "one", str(len(issuers)))
    return _plain(issuers.pop())


def _texts(leaf: x509.Certificate) -> dict[int, str]:
    """Return the extensions that are known, by number; an empty one says nothing."""
    raw = {
        item.oid.dotted_string: item.value.value
        for item in leaf.extensions
        if isinstance(item.value, x509.UnrecognizedExtension)
    }
    found: dict[int, str] = {}
    for number in (_OLD_ISSUER, _ISSUER, *CLAIM_NUMBERS.values()):
        value = raw.get(f"{_PREFIX}.{number}", b"")
        text = _utf8_string(value) if value and number > _LAST_RAW else _decoded(value)
        if text:
            found[number] = text
    return found


def _decoded(data: bytes) -> str:
    """Return text that keeps every byte, so that no two values become one; what is not ASCII is refused where compared."""
    return data.decode("latin-1")


def _utf8_string(der: bytes) -> str:
    """Return the text of one DER UTF8String that fills the bytes; lengths of two more bytes are enough for any of these."""
    head = 2 if len(der) > 1 and der[1] < 0x80 else 2 + (der[1] & 0x7F if len(der) > 1 else 0)
    length = der[1] if head == 2 and len(der) > 1 else int.from_bytes(der[2:head], "big")
    shortest = head == 2 or (length >= 0x80 and der[2] != 0)
    if not der or der[0] != _UTF8_STRING or not shortest or len(der) != head + length:
        raise _refuse("ID_ENCODING", "an extension of the certificate is not a text", "a DER UTF8String", "")
    return _decoded(der[head:])


def _plain(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise _refuse("ID_ENCODING", "the certificate's identity is not plain ASCII", "printable ASCII", text)
    return text


def _refuse(code: str, message: str, expected: str, seen: str) -> SignatureError:
    return SignatureError(message, code=code, expected=expected, seen=printable(seen))
