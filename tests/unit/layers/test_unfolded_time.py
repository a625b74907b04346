"""Processor time is granted for the bytes of layers, and for what a search unfolds inside files."""

from __future__ import annotations

from itertools import count

import pytest

from gate.errors import ImageError
from gate.layers.meter import LayerMeter
from gate.model.limits import GIB, LayerLimits


def meter() -> LayerMeter:
    """Return a meter whose clock goes on by one second at each look, and which grants one second a GiB."""
    seconds = count()
    made = LayerMeter(LayerLimits(seconds_per_gib=1.0), lambda: float(next(seconds)), lambda: None)
    made.begin_layer()
    return made


def test_l14_time_without_bytes_is_limited() -> None:
    one = meter()
    one.read()
    one.read()
    with pytest.raises(ImageError) as caught:
        one.read()
    assert caught.value.code == "LIMIT_LAYER"


def test_twin_time_over_unfolded_bytes_is_granted() -> None:
    one = meter()
    one.read(GIB)
    one.read(2 * GIB)
    one.read(3 * GIB)
