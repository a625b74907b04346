"""What the demo shows: commands as they were run and their real output, coloured on a terminal, plain in a pipe."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from tools.demo.workspace import Answer

_DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}")
# The sections of a report that say why; all of it is in the file of the output.
_WHY: Final = ("Why it is refused", "What could not be judged")
_PICTURE_WIDTH: Final = 112


@dataclass(slots=True)
class Screen:
    """Where the demo writes; keeps what is wanted for the picture of the README."""

    console: Console = field(default_factory=lambda: Console(highlight=False, markup=False, emoji=False))
    _picture: list[Text] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        """Begin a part of the demo."""
        self.console.print()
        self.console.print(Rule(Text(title, style="bold"), align="left", style="cyan"))

    def line(self, text: str, style: str = "") -> None:
        """Show one line."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def step(self, title: str) -> None:
        """Say what the next command shows."""
        self.console.print()
        self.line(title, "bold")

    def answer(self, answer: Answer, *, lines: int, picture: bool = False) -> None:
        """Show a command with the first lines of its output that matter."""
        prompt = Text.assemble(("$ ", "bright_black"), (shlex.join(answer.command), "cyan"))
        self.console.print(prompt, soft_wrap=True)
        shown, left = excerpt(answer.output, lines)
        for line in shown:
            self.console.print(_text(f"  {line}"), soft_wrap=True)
        if left:
            self.line(f"  … {left} more lines", "bright_black")
        if picture:
            body = [_text(_short(line)) for line in excerpt(answer.output, 3 * lines)[0]]
            self._picture += [Text(_short(prompt.plain), style="bold cyan"), *body, Text()]

    def verdict(self, answer: Answer, faults: Sequence[str], *, brief: bool = False) -> None:
        """Say whether a command answered as expected: exit code, reason codes, and what is wrong."""
        codes = f" {', '.join(sorted(answer.codes))}" if answer.codes else ""
        command = f"  {_short(shlex.join(answer.command))}" if brief else f"  ({answer.seconds:.1f} s)"
        mark = ("✗", "bold red") if faults else ("✓", "bold green")
        text = Text.assemble("  ", mark, f" exit code {answer.exit_code}", (codes, "yellow"), (command, "bright_black"))
        self.console.print(text, soft_wrap=True)
        for fault in faults:
            self.line(f"    {fault}", "bold red")

    def save_picture(self, path: Path) -> None:
        """Write what was kept as an SVG with Rich's own fonts, digests shortened."""
        console = Console(
            record=True, width=_PICTURE_WIDTH, force_terminal=True, color_system="truecolor", file=io.StringIO()
        )
        for text in self._picture[:-1]:
            console.print(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(console.export_svg(title="gate", unique_id="gate"), encoding="utf-8")


def excerpt(output: str, most: int) -> tuple[list[str], int]:
    """Return the lines that say what was decided and why, at most so many, and how many there are beside them."""
    lines = output.rstrip("\n").splitlines()
    wanted = list(_telling(lines)) if any(_plain(line) in _WHY for line in lines) else lines
    return wanted[:most], len(lines) - len(wanted[:most])


def _telling(lines: Sequence[str]) -> Iterable[str]:
    """Return the first line of a report, and those of its sections that say why."""
    inside = False
    for number, line in enumerate(lines):
        inside = _plain(line) in _WHY or (inside and bool(_plain(line)))
        if number == 0 or (inside and _plain(line) not in _WHY):
            yield line


def _text(line: str) -> Text:
    text = Text.from_ansi(line)
    # A coloured table is padded to its width.
    text.rstrip()
    return text


def _plain(line: str) -> str:
    return Text.from_ansi(line).plain.strip()


def _short(line: str) -> str:
    return _DIGEST.sub(r"\1…", line)
