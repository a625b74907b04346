"""Groups whose commands are loaded when they are named: `gate --help` loads none of them. And loading beside other work."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

import click

from gate.cli.commands import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Load a module in a thread of its own while the block computes what leaves the interpreter free.

    The block should load nothing itself. What fails in the thread fails again, and is heard, where the module is used.
    """
    thread = threading.Thread(target=_load, args=(module,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _load(module: str) -> None:
    with suppress(Exception):
        import_module(module)


class LazyGroup(Group):
    """A group of commands that stand in files of their own.

    `homes` maps a command's name to its module's attribute (`gate.cli.check:check`) and to the line that `--help` shows
    for it, which is the first line of the command's own help (a test compares the two).
    """

    homes: Mapping[str, tuple[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order of declaration, which is that of use."""
        return [*self.homes, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load and give a command."""
        if cmd_name not in self.homes:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.homes[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their first lines, without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.homes.items()])
