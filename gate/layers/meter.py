"""The limits of one image while its layers are read: bytes, entries, ratio, time.

A bomb is refused while it unfolds, before a scanner sees it (attack L14). Processor time is counted, not the clock on the
wall, so that a slow network or a busy machine refuses nobody; the caller's deadline bounds the wait.
"""

from __future__ import annotations

from collections.abc import Callable

from gate.layers.faults import over_limit
from gate.model.limits import GIB, LayerLimits


class _Stopwatch:
    """Processor seconds of one thread, over the stretches in which it reads a layer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None
        self.seconds = 0.0

    def stop(self) -> None:
        """Forget when the last lap was: the next one may be of another thread."""
        self._last = None

    def lap(self) -> None:
        """Add what has passed since the last lap; the first one after a stop adds nothing."""
        now = self._clock()
        if self._last is not None:
            self.seconds += now - self._last
        self._last = now


class LayerMeter:
    """Count over all layers of one image; every method raises `LIMIT_LAYER` where a limit is passed.

    `took` and `gave` are called in the thread that inflates, `entry` and `read` in the one that reads the tar. `clock` gives
    the processor seconds of the thread that asks; `check_deadline` raises when the run's time is over.
    """

    def __init__(self, limits: LayerLimits, clock: Callable[[], float], check_deadline: Callable[[], None]) -> None:
        self._limits = limits
        self._check_deadline = check_deadline
        self._inflating = _Stopwatch(clock)
        self._reading = _Stopwatch(clock)
        self._uncompressed = 0
        self._unfolded = 0
        self._entries = 0
        self._window_in = 0
        self._window_out = 0

    def begin_layer(self) -> None:
        """Start a new window of the ratio."""
        self._window_in = self._window_out = 0
        self._inflating.stop()
        self._reading.stop()

    def took(self, compressed_bytes: int) -> None:
        """Note a piece of the blob that is about to be inflated; all before it has been."""
        if self._window_out >= self._limits.ratio_window_bytes:
            self._window_in = self._window_out = 0
        self._window_in += compressed_bytes
        self._inflating.lap()
        self._check_time()

    def gave(self, uncompressed_bytes: int) -> None:
        """Note bytes that came out."""
        self._uncompressed += uncompressed_bytes
        self._window_out += uncompressed_bytes
        if self._uncompressed > self._limits.uncompressed_bytes:
            expected = f"at most {self._limits.uncompressed_bytes} bytes"
            raise over_limit("the layers are too large uncompressed", expected=expected, seen="more")
        self._check_ratio()

    def read(self, unfolded_bytes: int = 0) -> None:
        """Note that a chunk of the tar was read; so much was unfolded inside files so far, bounded by whoever unfolds."""
        self._unfolded = unfolded_bytes
        self._reading.lap()
        self._check_time()

    def entry(self) -> None:
        """Note one entry."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise over_limit(
                "the layers hold too many entries", expected=f"at most {self._limits.entries}", seen="more"
            )

    def _check_ratio(self) -> None:
        # The piece in hand counts whole, which favours the image until its end is reached.
        window = max(self._limits.ratio_window_bytes, self._limits.ratio * self._window_in + 1)
        if self._window_out >= window:
            seen = f"{self._window_out} bytes from {self._window_in}"
            raise over_limit("a layer compresses too much", expected=f"at most {self._limits.ratio} to 1", seen=seen)

    def _check_time(self) -> None:
        self._check_deadline()
        allowed = self._limits.seconds_per_gib * (1 + (self._uncompressed + self._unfolded) / GIB)
        if self._inflating.seconds + self._reading.seconds > allowed:
            expected = f"{self._limits.seconds_per_gib:g} s a GiB"
            raise over_limit("the layers take too much processor time", expected=expected, seen=f"over {allowed:.0f} s")
