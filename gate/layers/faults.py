"""The refusals of a layer: each says where it stands, what was expected and what was seen.

Text from the archive is cut and escaped before it stands in a message: names in a layer are an attacker's words.
"""

from __future__ import annotations

from gate.errors import ImageError

_SHOWN_BYTES = 80


def shown(raw: bytes) -> str:
    """Return foreign bytes as short printable ASCII in quotes."""
    cut = raw[:_SHOWN_BYTES]
    return repr(cut.decode("ascii", "backslashreplace")) + ("..." if len(raw) > len(cut) else "")


def malformed(what: str, *, at: int, expected: str, seen: str = "") -> ImageError:
    """Return `IMG_LAYER_MALFORMED` for byte `at` of the tar, or of the blob where `what` says so."""
    return ImageError(f"{what} (byte {at} of the layer)", code="IMG_LAYER_MALFORMED", expected=expected, seen=seen)


def unscannable(what: str, *, expected: str, seen: str, next_step: str = "") -> ImageError:
    """Return `IMG_LAYER_UNSCANNABLE`: the layer is of a kind that cannot be read."""
    return ImageError(what, code="IMG_LAYER_UNSCANNABLE", expected=expected, seen=seen, next_step=next_step)


def over_limit(what: str, *, expected: str, seen: str) -> ImageError:
    """Return `LIMIT_LAYER`: the image exceeds a limit that the policy sets."""
    step = "Make the image smaller, or raise `spec.limits`."
    return ImageError(what, code="LIMIT_LAYER", expected=expected, seen=seen, next_step=step)
