"""`gate completion`: scripts that complete commands and options in a shell."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from gate.cli.commands import Command
from gate.cli.common import Common, common_options
from gate.errors import InternalError
from gate.report.content import Document

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_GATE_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@common_options
def completion(common: Common, shell: str) -> None:
    """Print the completion script of a shell.

    It is the same in every format.

    \b
    gate completion bash > /etc/bash_completion.d/gate
    gate completion zsh > "${fpath[1]}/_gate"
    gate completion fish > ~/.config/fish/completions/gate.fish
    """  # noqa: D301  click reads \b
    kind = get_completion_class(shell)
    if kind is None:
        raise InternalError("no completion for this shell", expected=", ".join(SHELLS), seen=shell)
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "gate", _VARIABLE).source().strip() + "\n"
    # Bash then completes names of files wherever the gate has no word of its own.
    common.finish(Document(script.replace("complete -o nosort -F", "complete -o nosort -o bashdefault -o default -F")))
