"""What every command takes, once: presentation, time, places; and how a command ends.

Options are declared here with their help and variable; a command function gets them as one value.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import click

from gate.cli.environment_names import from_environment
from gate.cli.messages import say, say_error, say_variables
from gate.cli.outputs import require_writable, write_report
from gate.cli.progress import shown_progress
from gate.cli.session import Session
from gate.cli.types import DURATION, OUTPUT, PLACE, RECORD, SOURCE, Output
from gate.clock import Deadline
from gate.disk.named import waiting_at_most
from gate.errors import StorageError, UsageError
from gate.model.version import VERSION
from gate.report.codes import exit_code_of, worst_exit_code
from gate.report.content import Document, Report
from gate.report.formats import LISTING_FORMATS, Format
from gate.settings.locations import default_places

if TYPE_CHECKING:
    from gate.model.progress import Progress
    from gate.pipeline.options import CheckOptions
    from gate.pipeline.verify_options import VerifyOptions
    from gate.report.content import Content
    from gate.settings.locations import Places

Options = TypeVar("Options", "CheckOptions", "VerifyOptions")
FOUND_NAME: Final = ".gate.yaml"
_CONFIG_SECONDS: Final = 2.0
F = TypeVar("F", bound=Callable[..., object])
Decorator = Callable[[F], F]


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of every command."""

    form: Format
    outputs: tuple[Output, ...]
    timeout: timedelta | None
    cache_dir: Path | None
    offline: bool
    quiet: bool
    no_progress: bool
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def places(self, *, databases: Path | None = None, tools: Path | None = None, record: str | None = None) -> Places:
        """Return where things are kept: what was said, else the user's own folders."""
        return default_places(os.environ, cache=self.cache_dir, databases=databases, tools=tools, record=record)

    def timed(self, options: Options) -> Options:
        """Return the options with the user's time, where there is one."""
        return options if self.timeout is None else replace(options, timeout=self.timeout)

    def deadline(self, default: timedelta) -> Deadline:
        """Return the moment after which nothing more is waited for."""
        return Deadline.after(self.timeout or default)

    def progress(self) -> AbstractContextManager[Progress]:
        """Return what is told of long steps."""
        return shown_progress(wanted=not (self.quiet or self.no_progress))

    def say(self, text: str) -> None:
        """Tell a waiting person what is done, on standard error; `--quiet` tells nothing."""
        if not self.quiet:
            say(f"gate: {text}")

    def say_next(self, command: str) -> None:
        """Tell the command that comes next, on standard error; `--quiet` tells nothing."""
        if not self.quiet:
            say(f"next: {command}")

    def finish(self, content: Content) -> NoReturn:
        """Write the report, say each error of it once, and end with its exit code.

        A report that cannot be written makes the run one that nobody can rely on: the worse of both codes.
        """
        code = 0 if isinstance(content, Document) else content.exit_code
        try:
            write_report(content, self.form, self.outputs)
        except StorageError as error:
            say_error(error)
            code = worst_exit_code((code, exit_code_of(error)))
        if isinstance(content, Report):
            errors = {str(image.error): image.error for image in content.images if image.error is not None}
            for found in errors.values():
                say_error(found)
            session = click.get_current_context().find_root().obj
            if isinstance(session, Session):
                say_variables(session.variables, code)
        click.get_current_context().exit(code)


def _require_forms(outputs: Sequence[Output], formats: Sequence[Format]) -> None:
    """Refuse a file in a format that the command cannot be written as, before it does anything."""
    for output in outputs:
        if output.form is not None and output.form not in formats:
            raise UsageError(
                f"{output.form.value} is a format of what is reported about images",
                expected=f"one of {', '.join(formats)}",
                seen=output.form.value,
            )


def _bound_waits(context: click.Context, _parameter: click.Parameter, value: timedelta | None) -> timedelta | None:
    """Let no file that is named hold the command longer than its own time."""
    if value is not None:
        context.with_resource(waiting_at_most(value.total_seconds()))
    return value


def _note_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if isinstance(context.obj, Session):
        context.obj.debug = value


def _read_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if context.resilient_parsing:
        return
    path = value if value is not None else _found_file(Path.cwd())
    if path is None:
        return
    # Loaded where there is a file: YAML costs a tenth of what `gate verify` may take.
    # It may say how long the command may take, so that nothing does yet.
    with waiting_at_most(_CONFIG_SECONDS):
        from gate.cli.config_file import apply_config  # noqa: PLC0415

        keys = apply_config(context, path, found=value is None)
    session = context.find_root().obj
    if value is None and isinstance(session, Session):
        session.found = f"{path} sets {', '.join(keys)}"


def _found_file(start: Path) -> Path | None:
    candidates = (folder / FOUND_NAME for folder in (start, *start.parents))
    return next((path for path in candidates if os.path.lexists(path)), None)


_COMMON_OPTIONS: Final[Sequence[Decorator[Callable[..., object]]]] = (
    click.option(
        "--output",
        "-o",
        "outputs",
        multiple=True,
        type=OUTPUT,
        envvar="GATE_OUTPUT",
        help="Write the report to a file instead of standard output, or another format beside it (json=report.json).",
    ),
    click.option(
        "--timeout",
        type=DURATION,
        envvar="GATE_TIMEOUT",
        callback=_bound_waits,
        help="How long it may take, as 30s, 15m or 2h; of several images, each.",
    ),
    click.option(
        "--cache-dir", type=PLACE, envvar="GATE_CACHE_DIR", help="Where blobs and evidence are kept between runs."
    ),
    click.option(
        "--config",
        type=PLACE,
        envvar="GATE_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="Read options from this file. Without it, a .gate.yaml found upward sets presentation and places only.",
    ),
    click.option(
        "--offline", is_flag=True, envvar="GATE_OFFLINE", help="Open no connection; what is missing is an error."
    ),
    click.option("--quiet", "-q", is_flag=True, envvar="GATE_QUIET", help="Say nothing on standard error but errors."),
    click.option(
        "--debug",
        is_flag=True,
        envvar="GATE_DEBUG",
        expose_value=False,
        callback=_note_debug,
        help="Show where in the gate an error came from.",
    ),
    click.option("--no-progress", is_flag=True, envvar="GATE_NO_PROGRESS", help="Show no progress of long steps."),
    click.version_option(VERSION, prog_name="gate", message="%(prog)s %(version)s", help="Show the version and exit."),
)

authfile_option = click.option(
    "--authfile",
    type=SOURCE,
    envvar="GATE_AUTHFILE",
    help="A login file as Docker or Podman writes it; nothing else is then asked for logins.",
)
plain_http_option = click.option(
    "--plain-http",
    is_flag=True,
    envvar="GATE_PLAIN_HTTP",
    help="Speak HTTP to the registry; loopback needs no permission.",
)
ca_file_option = click.option(
    "--ca-file", type=SOURCE, envvar="GATE_CA_FILE", help="Trust this authority's certificate beside the system's."
)
tools_dir_option = click.option(
    "--tools-dir", type=PLACE, envvar="GATE_TOOLS_DIR", help="Where the pinned scanners are."
)
db_dir_option = click.option(
    "--db-dir", type=PLACE, envvar="GATE_DB_DIR", help="Where the scanners' databases are kept."
)
record_option = click.option(
    "--record", type=RECORD, envvar="GATE_RECORD", help="The record of all verdicts: a file or a database URL."
)
fingerprint_key_option = click.option(
    "--fingerprint-key",
    type=SOURCE,
    envvar="GATE_FINGERPRINT_KEY",
    help="The key of fingerprints that an organisation shares, so that allow entries hold everywhere.",
)
key_password_option = click.option(
    "--key-password-file",
    type=SOURCE,
    envvar="GATE_KEY_PASSWORD_FILE",
    help="The password of the private key. Else GATE_KEY_PASSWORD, COSIGN_PASSWORD, a prompt.",
)


def registry_options(function: F) -> F:
    """Add how registries are talked to, as `authfile`, `plain_http` and `ca_file`."""
    return with_options(authfile_option, plain_http_option, ca_file_option)(function)


def with_options(*options: Decorator[Callable[..., object]]) -> Callable[[F], F]:
    """Add several options, shown in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            option(function)
        return function

    return decorate


def common_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options of every command; the function gets them as its first argument, a `Common`.

    It stands directly over the function, below the command's own options. Files of `--output` are looked at before the
    command does anything.
    """
    return _with_common(function, LISTING_FORMATS)


def image_report_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options of every command to one whose report is about images, which can be written in every format."""
    return _with_common(function, tuple(Format))


def _format_option(formats: Sequence[Format]) -> Decorator[Callable[..., object]]:
    return click.option(
        "--format",
        "-f",
        "form",
        type=click.Choice(list(formats), case_sensitive=False),
        default=Format.TABLE,
        envvar="GATE_FORMAT",
        help="What the report is written as.  [default: table]",
    )


def _with_common(function: Callable[..., object], formats: Sequence[Format]) -> Callable[..., object]:
    @functools.wraps(function)
    def command(
        *,
        form: str,
        outputs: tuple[Output, ...],
        timeout: timedelta | None,
        cache_dir: Path | None,
        offline: bool,
        quiet: bool,
        no_progress: bool,
        **own: object,
    ) -> object:
        common = Common(
            form=Format(form),
            outputs=outputs,
            timeout=timeout,
            cache_dir=cache_dir,
            offline=offline,
            quiet=quiet,
            no_progress=no_progress,
        )
        context = click.get_current_context()
        session = context.find_root().obj
        if isinstance(session, Session):
            session.variables = from_environment(context)
            if session.found:
                common.say(session.found)
        _require_forms(outputs, formats)
        require_writable(outputs)
        return function(common, **own)

    return with_options(_format_option(formats), *_COMMON_OPTIONS)(command)
