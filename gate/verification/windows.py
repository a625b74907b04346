"""Windows of time: every verified time must lie inside, both ends included.

Step 7 of the numbered steps, as far as keys and certificates share it. One time that fits does not outweigh one that does
not (attack S06).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gate.codec.times import format_time
from gate.errors import SignatureError
from gate.model.validity import Validity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.model.signer import PublicKey

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


def require_key_in_window(key: PublicKey, times: Sequence[datetime]) -> None:
    """Return if the key may be used at every time (attacks S06, S15).

    Raises:
        SignatureError: `SIG_EXPIRED` or `SIG_TIME_CONFLICT`.
    """
    window = Validity(start=key.not_before or _BEGINNING, end=key.not_after)
    require_times((window,), times, code="SIG_EXPIRED", what=f"the key {key.key_id[:19]}")


def require_times(windows: Sequence[Validity], times: Sequence[datetime], *, code: str, what: str) -> None:
    """Return if every time lies in every window.

    Raises:
        SignatureError: the code; `SIG_TIME_CONFLICT` where some times fit and others do not.
    """
    outside = [time for time in times if not all(window.covers(time) for window in windows)]
    if not outside:
        return
    conflict = len(outside) < len(times)
    raise SignatureError(
        f"{what} was not valid at every verified time" if conflict else f"{what} is not valid at this time",
        code="SIG_TIME_CONFLICT" if conflict else code,
        expected=_words(windows),
        seen=", ".join(map(format_time, outside)),
    )


def _words(windows: Sequence[Validity]) -> str:
    start = max(window.start for window in windows)
    end = min((window.end for window in windows if window.end is not None), default=None)
    bounds = [f"from {format_time(start)}"] if start != _BEGINNING else []
    return " ".join([*bounds, *([f"to {format_time(end)}"] if end is not None else [])])
