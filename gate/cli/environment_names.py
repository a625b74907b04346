"""Which options of a command came from an environment variable: an error names them, because nobody sees them typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.core import ParameterSource

if TYPE_CHECKING:
    import click


def from_environment(context: click.Context | None) -> tuple[str, ...]:
    """Return the names of the variables that set an option of this command, in the order of its help."""
    if context is None:
        return ()
    return tuple(
        option.envvar
        for option in context.command.params
        if isinstance(option.envvar, str) and context.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT
    )
