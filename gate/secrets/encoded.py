"""Base64 in each of its dialects, of a text that is short enough to decode whole."""

from __future__ import annotations

import base64
import binascii


def decoded(text: str) -> bytes:
    """Return the bytes of base64 or base64url with or without padding; empty where it is neither."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
