"""Limits on what is read from an image: numbers that the policy may change, with the defaults of the gate."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """Limits over all layers of one image; exceeding one is `LIMIT_LAYER` (checks reference, section 7.2).

    `layers` is what overlayfs can stack. `uncompressed_bytes` and `entries` are sums over the image. `ratio` is the
    most uncompressed bytes for one compressed byte, over each window of `ratio_window_bytes` of output.
    `seconds_per_gib` is the processor time of a GiB of uncompressed bytes; one such span is granted beforehand.
    """

    layers: int = 127
    uncompressed_bytes: int = 20 * GIB
    entries: int = 2_000_000
    ratio: int = 200
    ratio_window_bytes: int = 64 * MIB
    seconds_per_gib: float = 60.0
