"""What every command and group has in common: grouped options in `--help`, suggestions, and help into a closed pipe."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from gate.cli.outputs import silence_standard_output

if TYPE_CHECKING:
    from collections.abc import Iterable

HELP_NAMES: Final = ("-h", "--help")
_OWN: Final = "Options"
# The sections of `--help` after a command's own options, in this order; names as the command line has them.
_SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "The verdict": frozenset(
        {
            "attestation", "certificate-identity", "certificate-identity-regexp", "certificate-oidc-issuer",
            "certificate-oidc-issuer-regexp", "dsse", "environment", "fail-key", "key", "key-password-file",
            "legacy-attestation", "max-age", "reissue", "require-timestamp", "timestamp", "unsigned-verdict",
            "verifier-id",
        }
    ),
    "Without a policy": frozenset({"fail-on", "ignore-unfixed", "signature-key", "vex"}),
    "Registry": frozenset({"authfile", "ca-file", "plain-http"}),
    "Places": frozenset({"cache-dir", "db-dir", "fingerprint-key", "record", "tools-dir"}),
    "Every command": frozenset(
        {"config", "debug", "format", "help", "no-progress", "offline", "output", "quiet", "timeout", "version"}
    ),
}  # fmt: skip
# What peers call it: Trivy's and Grype's words for looking at an image, Cosign's for making keys.
_PEERS_WORDS: Final[Mapping[str, str]] = {
    "fs": "secrets scan",
    "generate-key-pair": "keys generate",
    "image": "check",
    "scan": "check",
    "verify-attestation": "verify",
    "verify-blob": "verify-bundle",
    "verify-blob-attestation": "verify-bundle",
}


class Command(click.Command):
    """A command whose help shows its options in sections, each with its environment variable."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by what they are about, the command's own first."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in (_OWN, *_SECTIONS)}
        for option in self.get_params(ctx):
            # Variables are shown here alone: in an error click would name that of a value which came from the flag.
            if isinstance(option, click.Option) and (record := _with_variable(option).get_help_record(ctx)):
                sections[_section(option.opts)].append(record)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """Return `-h` and `--help` in every context: click keeps the option of the first one that asks."""
        del ctx
        return list(HELP_NAMES)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:  # noqa: ANN401 - as click has it
        """Parse the arguments; whoever closed the pipe has read enough of the help."""
        try:
            return super().make_context(*arguments, **settings)
        except BrokenPipeError:
            silence_standard_output()
            raise click.exceptions.Exit(0) from None


class Group(click.Group):
    """A group that names the nearest right command where there is none of a name."""

    command_class: type[click.Command] | None = Command

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """Return `-h` and `--help` in every context: click keeps the option of the first one that asks."""
        del ctx
        return list(HELP_NAMES)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:  # noqa: ANN401 - as click has it
        """Parse the arguments; whoever closed the pipe has read enough of the help."""
        try:
            return super().make_context(*arguments, **settings)
        except BrokenPipeError:
            silence_standard_output()
            raise click.exceptions.Exit(0) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raise click.UsageError with the nearest right one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if self.get_command(ctx, args[0]) is not None or not isinstance(error, click.exceptions.NoSuchCommand):
                raise
            raise UnknownCommandError(args[0], nearest(args[0], self.list_commands(ctx), ctx), ctx) from None


class UnknownCommandError(click.UsageError):
    """There is no command of this name; `suggestion` is the nearest right one with its group, or empty."""

    def __init__(self, name: str, suggestion: str, ctx: click.Context) -> None:
        super().__init__(f"there is no command {name[:40]!a}", ctx=ctx)
        self.suggestion = suggestion


def nearest(word: str, names: Iterable[str], ctx: click.Context) -> str:
    """Return the whole command that was probably meant, or an empty text."""
    if ctx.parent is None and word in _PEERS_WORDS:
        return f"{ctx.command_path} {_PEERS_WORDS[word]}"
    close = difflib.get_close_matches(word.lower(), list(names), n=1)
    return f"{ctx.command_path} {close[0]}" if close else ""


def _with_variable(option: click.Option) -> click.Option:
    shown = copy.copy(option)
    shown.show_envvar = option.envvar is not None
    return shown


def _section(names: Iterable[str]) -> str:
    long = {name.removeprefix("--") for name in names if name.startswith("--")}
    return next((title for title, members in _SECTIONS.items() if long & members), _OWN)
