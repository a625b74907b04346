"""Groups whose commands are loaded when they are named: `gate --help` loads none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group of commands that stand in files of their own.

    `homes` maps a command's name to its module's attribute (`gate.cli.check:check`) and to the line that `--help` shows
    for it, which is the first line of the command's own help (a test compares the two).
    """

    homes: Mapping[str, tuple[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in their order of declaration, which is that of use."""
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
