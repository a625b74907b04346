"""Where reports go: standard output, and files that appear whole or not at all.

Files are looked at before anything else is done, so that a report that cannot be written does not cost a scan. Standard
output holds the report and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.errors import StorageError, UsageError
from gate.report.formats import Format, render
from gate.report.lines import DEFAULT_WIDTH, Style

if TYPE_CHECKING:
    from gate.cli.types import Output
    from gate.report.content import Content

_COLUMNS: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


def require_writable(outputs: Sequence[Output]) -> None:
    """Refuse files that could not be written later, and one file for two reports.

    Raises:
        StorageError: `OUT_WRITE`; UsageError: two reports for one file.
    """
    if len({output.path.absolute() for output in outputs}) < len(outputs):
        raise UsageError("two reports would be written to one file", expected="a file for each --output")
    for output in outputs:
        folder = output.path.absolute().parent
        if output.path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            seen = "a directory" if output.path.is_dir() else f"{folder} cannot be written"
            raise _refusal(output.path, seen)


def write_report(content: Content, form: Format, outputs: Sequence[Output]) -> None:
    """Render and write everything; standard output is written where no file takes its place.

    Raises:
        StorageError: `OUT_WRITE`; what was written before stands whole.
    """
    for output in outputs:
        _write_file(output.path, render(content, output.form or form, Style()))
    if not any(output.form is None for output in outputs):
        _write_standard_output(render(content, form, terminal_style()))


def terminal_style() -> Style:
    """Return width and colour for standard output: `NO_COLOR` wins over `FORCE_COLOR`, which wins over what it is."""
    terminal = _is_terminal()
    color = not os.environ.get("NO_COLOR") and bool(os.environ.get("FORCE_COLOR") or terminal)
    return Style(width=_columns(terminal=terminal), color=color)


def _columns(*, terminal: bool) -> int:
    """Return what `COLUMNS` says, into a pipe as well; else the terminal's width, else the default."""
    asked = os.environ.get("COLUMNS", "")
    if _COLUMNS.fullmatch(asked):
        return int(asked)
    if terminal:
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(sys.stdout.fileno()).columns or DEFAULT_WIDTH
    return DEFAULT_WIDTH


def _is_terminal() -> bool:
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()


def _write_file(path: Path, text: str) -> None:
    """Write a file; a link is written where it leads, and a pipe or a device is written to, never replaced."""
    content = text.encode("utf-8", "replace")
    try:
        real = path.resolve()
        special = real.exists() and not stat.S_ISREG(real.stat().st_mode)
        if special:
            real.write_bytes(content)
    except (OSError, RuntimeError) as error:
        raise _refusal(path, _reason(error)) from error
    if not special:
        from gate.disk.output import write_output  # noqa: PLC0415 - standard output needs no temporary files

        write_output(real, content)


def _write_standard_output(text: str) -> None:
    """Write to standard output, and say so where that fails: a report that nobody got is none."""
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        sys.stdout.write(_encodable(text, sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever closed the pipe has read enough; the decision stands as it is.
        silence_standard_output()
    except (OSError, ValueError) as error:
        # What is left in the buffer would fail again, loudly, when the interpreter ends.
        silence_standard_output()
        raise _refusal(Path("standard output"), _reason(error)) from error


def _encodable(text: str, encoding: str | None) -> str:
    """Return the text with what the stream cannot hold as escapes: a log in ASCII is no reason to fail."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)


def silence_standard_output() -> None:
    """Let what is still buffered for standard output go nowhere, quietly, when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _refusal(path: Path, seen: str) -> StorageError:
    return StorageError("a report cannot be written", code="OUT_WRITE", expected=str(path), seen=seen)
