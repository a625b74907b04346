"""Progress on standard error for a person who waits; nothing where nobody watches."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from gate.model.progress import NoProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gate.model.progress import Progress


@contextlib.contextmanager
def shown_progress(*, wanted: bool) -> Iterator[Progress]:
    """Return what is told of steps: bars on a terminal; silence in a pipe, a log, with `--quiet` or `--no-progress`."""
    if not (wanted and sys.stderr is not None and sys.stderr.isatty()):
        yield NoProgress()
        return
    from gate.cli.progress_bars import TerminalProgress  # noqa: PLC0415 - a run that no one watches does not pay for it

    with TerminalProgress() as bars:
        yield bars
