"""Base64, hexadecimal and numbers in text, each with one spelling a value.

Python's readers take several texts for one value (`QR==` for `QQ==`, `7_3` and `+73` for 73); two spellings let what
one reader compared differ from what another reads. All input is untrusted; a wrong spelling raises the caller's fault.

Specification: RFC 4648, section 4 (standard alphabet, with padding); formats reference, head.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gate.codec.strict_json import Fault

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,19}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def decode_base64(text: str, fault: Fault, field: str) -> bytes:
    """Return the bytes of standard padded base64; raises the fault for any other spelling."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise fault.refuse(f"has malformed base64 in {field}") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise fault.refuse(f"has base64 in {field} that is not in its one canonical spelling")
    return data


def encode_base64(data: bytes) -> str:
    """Write standard padded base64."""
    return base64.b64encode(data).decode("ascii")


def decode_hex(text: str, fault: Fault, field: str) -> bytes:
    """Return the bytes of lower-case hexadecimal; raises the fault for any other spelling."""
    if not _HEX.fullmatch(text):
        raise fault.refuse(f"has malformed hexadecimal in {field}")
    return bytes.fromhex(text)


def parse_integer(text: str, fault: Fault, field: str) -> int:
    """Return the number in a text, as protobuf writes 64-bit integers; raises the fault for any other spelling."""
    if not _INTEGER.fullmatch(text):
        raise fault.refuse(f"has a malformed number in {field}", expected="decimal digits", seen=text)
    return int(text)
