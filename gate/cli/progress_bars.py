"""Bars on standard error: one line a step, with bytes and speed where the total is known, a spinner where it is not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gate.report.escape import visible

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class TerminalProgress:
    """Fits `gate.model.progress.Progress`; use it as a context manager. The lines vanish at its end."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console or Console(stderr=True), transient=True)
        self._steps: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, step: str, total_bytes: int | None = None) -> None:
        """Show a step; one that is shown already begins anew."""
        with self._lock:
            known = self._steps.pop(step, None)
            if known is not None:
                self._bars.remove_task(known)
            self._steps[step] = self._bars.add_task(visible(step, 60), total=total_bytes)

    def advance(self, step: str, count_bytes: int) -> None:
        """Count bytes of a step; of one that never began: nothing."""
        with self._lock:
            known = self._steps.get(step)
        if known is not None:
            self._bars.advance(known, count_bytes)

    def finish(self, step: str) -> None:
        """Take a step's line away."""
        with self._lock:
            known = self._steps.pop(step, None)
        if known is not None:
            self._bars.remove_task(known)
