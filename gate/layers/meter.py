"""The limits of one image while its layers are read: bytes, entries, ratio, time.

A bomb is refused while it unfolds, before a scanner sees it (attack L14). Processor time is counted, not the clock on the
wall, so that a slow network or a busy machine refuses nobody; the caller's deadline bounds the wait.
"""

from __future__ import annotations

from collections.abc import Callable

from gate.layers.faults import over_limit
from gate.layers.inflate import PIECE_BYTES
from gate.model.limits import GIB, LayerLimits


class LayerMeter:
    """Count over all layers of one image; every method raises `LIMIT_LAYER` where a limit is passed.

    `clock` gives processor seconds; `check_deadline` raises when the run's time is over.
    """

    def __init__(self, limits: LayerLimits, clock: Callable[[], float], check_deadline: Callable[[], None]) -> None:
        self._limits = limits
        self._clock = clock
        self._check_deadline = check_deadline
        self._started = clock()
        self._uncompressed = 0
        self._entries = 0
        self._window_in = 0
        self._window_out = 0

    def begin_layer(self) -> None:
        """Start a new window of the ratio."""
        self._window_in = self._window_out = 0

    def took(self, compressed_bytes: int) -> None:
        """Note a piece of the blob that is about to be inflated."""
        self._window_in += compressed_bytes
        self._check_time()

    def gave(self, uncompressed_bytes: int) -> None:
        """Note bytes that came out."""
        self._uncompressed += uncompressed_bytes
        self._window_out += uncompressed_bytes
        if self._uncompressed > self._limits.uncompressed_bytes:
            expected = f"at most {self._limits.uncompressed_bytes} bytes"
            raise over_limit("the layers are too large uncompressed", expected=expected, seen="more")
        if self._window_out >= self._limits.ratio_window_bytes:
            self._check_ratio()
            self._check_time()

    def entry(self) -> None:
        """Note one entry."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise over_limit(
                "the layers hold too many entries", expected=f"at most {self._limits.entries}", seen="more"
            )

    def _check_ratio(self) -> None:
        if self._window_out > self._limits.ratio * self._window_in:
            seen = f"{self._window_out} bytes from {self._window_in}"
            raise over_limit("a layer compresses too much", expected=f"at most {self._limits.ratio} to 1", seen=seen)
        # What is left of the piece in hand belongs to the next window; counted whole, for the image.
        self._window_in, self._window_out = PIECE_BYTES, 0

    def _check_time(self) -> None:
        self._check_deadline()
        allowed = self._limits.seconds_per_gib * (1 + self._uncompressed / GIB)
        if self._clock() - self._started > allowed:
            expected = f"{self._limits.seconds_per_gib:g} s a GiB"
            raise over_limit("the layers take too much processor time", expected=expected, seen=f"over {allowed:.0f} s")
